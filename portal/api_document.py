"""OpenAPI 3.1 documents of our APIs, each made of one table of operations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

Json = dict[str, Any]


def query(name: str, words: str, schema: Json | None = None, many: bool = False) -> Json:
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


def path(name: str, words: str) -> Json:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": words, "schema": schema}


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


WORDS = {
    400: "Something in the call can't be read",
    401: "The token is missing, unknown, revoked or expired",
    403: "The token may not do this",
    404: "Nothing of that name",
    409: "It is there already",
    413: "The body is too large",
    422: "Some of the values can't be taken",
    503: "Another server does not answer",
}


def document(
    title: str, words: str, base: str, operations: Sequence[Operation], schemas: Json
) -> Json:
    """`base` is the path that those of the operations begin with."""
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1", "description": words},
        "servers": [{"url": f"{settings.PORTAL_URL}{base}"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
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
        found["requestBody"] = {"required": True, "content": content(operation.body)}
        errors.add(413)
    for status in sorted(errors):
        answer = {"description": WORDS[status], "content": content("Error")}
        found["responses"][str(status)] = answer
    return found


def _answer(schema: Any) -> Json:
    if schema is None:
        return {"description": "Done"}
    return {"description": "Found", "content": content(schema)}


def content(schema: Any) -> Json:
    return {"application/json": {"schema": ref(schema) if isinstance(schema, str) else schema}}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
