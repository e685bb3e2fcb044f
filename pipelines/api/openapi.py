"""The OpenAPI document of builds and triggers, made of one table of operations.

tests/pipelines/api/test_openapi.py holds it against the addresses, and asks all that it says can be
asked.
"""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from pipelines.api.openapi_schemas import BODIES, SCHEMAS
from portal import api_document
from portal.api_document import Json, Operation, path, query
from portal.api_errors import json_response
from portal.api_tokens import Caller


def openapi(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """GET /openapi.json: for whoever has a token, whatever the token may do."""
    return json_response(document())


def _id(schema: Json, words: str) -> Json:
    return {**path("id", words), "schema": schema}


NAMED = [
    path("kind", "Of any case, for example component."),
    path("namespace", "For example default."),
    path("name", "The service's metadata.name."),
]
BUILD = _id({"type": "integer", "minimum": 1, "maximum": 2**31 - 1}, "The build's id here.")
REQUEST = _id({"type": "string", "format": "uuid"}, "The request's id: its Idempotency-Key.")
KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A UUID that you make for each request. Sent again with the same body it gives "
    "the same request, with another body 422.",
    "schema": {"type": "string", "format": "uuid"},
}
LOG = [
    BUILD,
    query("step", "The id of a step; without it the one that failed, runs, or began last."),
    query("offset", "What an earlier answer had in next; without it from the beginning."),
]

OPERATIONS = [
    Operation(
        "get",
        "/services/{kind}/{namespace}/{name}",
        "A service's pipelines, their newest builds, and what you may do",
        {200: "Service"},
        NAMED,
        errors=(404,),
    ),
    Operation(
        "get",
        "/builds/{id}",
        "A build, and what you may do with it",
        {200: "Build"},
        [BUILD],
        errors=(404,),
    ),
    Operation(
        "get",
        "/builds/{id}/log",
        "What follows of a step's log; needs log.view",
        {200: "Log"},
        LOG,
        errors=(404, 422, 503),
    ),
    Operation(
        "post",
        "/triggers",
        "Ask for a start, retry, cancel, unblock, promotion or activation in your person's name",
        {201: "Asked", 200: "Asked"},
        [KEY],
        "Ask",
        (400, 422),
    ),
    Operation(
        "get",
        "/triggers/{id}",
        "What became of a request",
        {200: "Trigger"},
        [REQUEST],
        errors=(404,),
    ),
    Operation(
        "post",
        "/triggers/{id}/withdraw",
        "Take back a request of yours that was not sent yet",
        {200: "Trigger"},
        [REQUEST],
        errors=(404, 409),
    ),
    Operation("get", "/openapi.json", "This document", {200: {"type": "object"}}),
]


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    return api_document.document(
        "Stagedoor builds and triggers",
        "For scripts, and for agents that act in a person's name. Make a token on your account "
        "page. Nothing here approves anything.",
        "/api/pipelines",
        OPERATIONS,
        {**SCHEMAS, **BODIES},
    )
