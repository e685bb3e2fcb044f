"""The API's OpenAPI document, made of one table of operations.

tests/catalog/api/test_openapi.py holds it against the addresses, and asks the API everything that
the document says can be asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from catalog.api.openapi_schemas import BODIES, SCHEMAS
from portal.api_errors import json_response
from portal.api_tokens import Caller

Json = dict[str, Any]


def openapi(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """GET /openapi.json: for whoever has a token, whatever the token may do."""
    return json_response(document())


def _query(name: str, words: str, schema: Json | None = None, many: bool = False) -> Json:
    kind: Json = schema or {"type": "string"}
    if many:
        return {
            "name": name,
            "in": "query",
            "description": words,
            "schema": {"type": "array", "items": kind},
            "style": "form",
            "explode": True,
        }
    return {"name": name, "in": "query", "description": words, "schema": kind}


def _path(name: str, words: str) -> Json:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": words, "schema": schema}


_NUMBER: Json = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
FILTER = _query(
    "filter",
    "key=value or key (it exists), comma-joined; other keys AND, the same key OR, more than one "
    "parameter OR.",
    many=True,
)
FIELDS = _query("fields", "Only these parts, for example kind,metadata.name.", many=True)
LIMIT, OFFSET = (
    _query("limit", "How many.", _NUMBER),
    _query("offset", "How many to skip.", _NUMBER),
)
NAMED = [
    _path("kind", "Of any case, for example component."),
    _path("namespace", "For example default."),
    _path("name", "The entity's metadata.name."),
]
UID, ID = _path("uid", "The entity's metadata.uid."), _path("id", "The location's id.")
QUERY = [
    FILTER,
    FIELDS,
    LIMIT,
    OFFSET,
    _query(
        "orderField",
        "field,asc or field,desc; entities that lack the field are left out.",
        many=True,
    ),
    _query("cursor", "Of pageInfo; all that was asked for is in it."),
    _query("fullTextFilterTerm", "Text that one of the fields holds, in any case."),
    _query(
        "fullTextFilterFields", "Where to look; without it in name, title, description.", many=True
    ),
    _query(
        "totalItems", "exclude: don't count.", {"type": "string", "enum": ["include", "exclude"]}
    ),
]
AFTER = _query("after", "As the Link header has it.")
ORDER = _query("order", "asc:field or desc:field.", many=True)
_FIELD: Json = {"type": "string", "minLength": 1}
FACET = {**_query("facet", "A field, for example spec.type.", _FIELD, many=True), "required": True}
DRY_RUN = _query("dryRun", "Change nothing.", {"type": "boolean"})
ON_CONFLICT = _query(
    "onConflict",
    "refresh: read again what is registered already.",
    {"type": "string", "enum": ["reject", "refresh"]},
)
ENTITIES: Json = {"type": "array", "items": {"$ref": "#/components/schemas/Entity"}}


@dataclass(frozen=True)
class Operation:
    """One call. `answers`: status -> schema, None: no body; `errors` beside 401 and 403."""

    method: str
    path: str
    words: str
    answers: dict[int, Any]
    parameters: Sequence[Json] = ()
    body: str = ""
    errors: tuple[int, ...] = ()


BY_NAME = "{kind}/{namespace}/{name}"
OPERATIONS = [
    Operation(
        "get",
        "/entities",
        "List entities",
        {200: ENTITIES},
        [FILTER, FIELDS, LIMIT, OFFSET, AFTER, ORDER],
        errors=(400,),
    ),
    Operation(
        "get",
        "/entities/by-query",
        "Search entities, page by page",
        {200: "EntityPage"},
        QUERY,
        errors=(400,),
    ),
    Operation(
        "post",
        "/entities/by-query",
        "Search entities by a predicate",
        {200: "EntityPage"},
        body="ByQuery",
        errors=(400,),
    ),
    Operation(
        "post",
        "/entities/by-refs",
        "Get entities by their refs",
        {200: "EntityList"},
        [FILTER],
        "ByRefs",
        (400,),
    ),
    Operation(
        "get",
        f"/entities/by-name/{BY_NAME}",
        "Get an entity",
        {200: "Entity"},
        NAMED,
        errors=(404,),
    ),
    Operation(
        "get",
        f"/entities/by-name/{BY_NAME}/ancestry",
        "Get an entity and the Locations that led to it",
        {200: "Ancestry"},
        NAMED,
        errors=(404,),
    ),
    Operation(
        "get",
        "/entities/by-uid/{uid}",
        "Get an entity by its uid",
        {200: "Entity"},
        [UID],
        errors=(404,),
    ),
    Operation(
        "delete",
        "/entities/by-uid/{uid}",
        "Remove an entity; it comes back if its source still describes it",
        {204: None},
        [UID],
        errors=(404,),
    ),
    Operation(
        "get",
        "/entity-facets",
        "Count the values of fields",
        {200: "Facets"},
        [FILTER, FACET],
        errors=(400,),
    ),
    Operation(
        "post",
        "/entity-facets",
        "Count the values of fields, by a predicate",
        {200: "Facets"},
        body="FacetQuery",
        errors=(400,),
    ),
    Operation(
        "post",
        "/refresh",
        "Have an entity read again",
        {200: None},
        body="Refresh",
        errors=(400, 404),
    ),
    Operation(
        "post",
        "/validate-entity",
        "Judge a descriptor; nothing is stored",
        {200: None},
        body="Validate",
    ),
    Operation(
        "post",
        "/analyze-location",
        "See what is described at an address",
        {200: "Analysis"},
        body="Analyze",
        errors=(400,),
    ),
    Operation("get", "/locations", "List locations", {200: "Locations"}),
    Operation(
        "post",
        "/locations",
        "Add a location, or with dryRun see what it would bring",
        {201: "Added"},
        [DRY_RUN, ON_CONFLICT],
        "LocationSpec",
        (400, 409),
    ),
    Operation(
        "post",
        "/locations/by-query",
        "Search locations",
        {200: "LocationPage"},
        body="LocationQuery",
        errors=(400,),
    ),
    Operation("get", "/locations/{id}", "Get a location", {200: "Location"}, [ID], errors=(404,)),
    Operation(
        "put",
        "/locations/{id}",
        "Give a location another address",
        {200: "Location"},
        [ID],
        "LocationSpec",
        (400, 404, 409),
    ),
    Operation(
        "delete", "/locations/{id}", "Take a location away", {204: None}, [ID], errors=(404,)
    ),
    Operation(
        "get",
        f"/locations/by-entity/{BY_NAME}",
        "Get the location that an entity comes from",
        {200: "Location"},
        NAMED,
        errors=(404,),
    ),
    Operation("get", "/openapi.json", "This document", {200: {"type": "object"}}),
]
WORDS = {
    400: "Something in the call can't be read",
    401: "The token is missing, unknown, revoked or expired",
    403: "The token may not do this",
    404: "Nothing of that name",
    409: "It is there already",
    413: "The body is too large",
}


def document() -> Json:
    """OpenAPI 3.1."""
    paths: Json = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Stagedoor catalog",
            "version": "1",
            "description": "Backstage's catalog API. Make a token on your account page.",
        },
        "servers": [{"url": f"{settings.PORTAL_URL}/api/catalog"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **BODIES},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(operation: Operation) -> Json:
    parts = (part.strip("{}") for part in operation.path[1:].split("/"))
    found: Json = {
        "summary": operation.words,
        "operationId": "_".join([operation.method, *parts]),
        "parameters": list(operation.parameters),
        "responses": {str(status): _answer(one) for status, one in operation.answers.items()},
    }
    errors = {401, 403, *operation.errors}
    if operation.body:
        found["requestBody"] = {"required": True, "content": _content(operation.body)}
        errors.add(413)
    for status in sorted(errors):
        answer = {"description": WORDS[status], "content": _content("Error")}
        found["responses"][str(status)] = answer
    if operation.path == "/validate-entity":
        refused = {"oneOf": [_ref("Error"), _ref("Errors")]}
        found["responses"]["400"] = {"description": "It is not valid", "content": _content(refused)}
    return found


def _answer(schema: Any) -> Json:
    if schema is None:
        return {"description": "Done"}
    return {"description": "Found", "content": _content(schema)}


def _content(schema: Any) -> Json:
    return {"application/json": {"schema": _ref(schema) if isinstance(schema, str) else schema}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
