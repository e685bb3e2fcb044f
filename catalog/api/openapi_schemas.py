"""What the API's calls take and give, as JSON Schema; part of its OpenAPI document."""

from typing import Any

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
TEXTS: Json = {"type": "array", "items": TEXT}
NUMBER: Json = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
ANY: Json = {"type": "object"}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _object(required: str = "", **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": required.split()}


def _body(required: str = "", **properties: Json) -> Json:
    return {**_object(required, **properties), "additionalProperties": False}


_PREDICATE: Json = {
    **ANY,
    "description": "$all, $any, $not; per key a value, $exists, $in, $contains or $hasPrefix.",
}
_PAGE = _object(nextCursor=TEXT, prevCursor=TEXT)
_NAMED_ERROR = _object("name message", name=TEXT, message=TEXT)

SCHEMAS: Json = {
    # With `fields`, only what was asked for is there.
    "Entity": _object(
        apiVersion=TEXT,
        kind=TEXT,
        metadata=_object(
            name=TEXT, namespace=TEXT, uid=TEXT, etag=TEXT, annotations=ANY, labels=ANY, tags=TEXTS
        ),
        spec={},
        relations=_list(_object("type targetRef", type=TEXT, targetRef=TEXT)),
        status=_object(items=_list(_object("type level message", type=TEXT))),
    ),
    "EntityPage": _object(
        "items totalItems pageInfo",
        items=_list(_ref("Entity")),
        totalItems=NUMBER,
        pageInfo=_PAGE,
    ),
    "EntityList": _object("items", items=_list({"oneOf": [_ref("Entity"), {"type": "null"}]})),
    "Ancestry": _object(
        "rootEntityRef items",
        rootEntityRef=TEXT,
        items=_list(
            _object("entity parentEntityRefs", entity=_ref("Entity"), parentEntityRefs=TEXTS)
        ),
    ),
    "Facets": _object(
        "facets",
        facets={
            "type": "object",
            "additionalProperties": _list(_object("value count", value=TEXT, count=NUMBER)),
        },
    ),
    "Location": _object(
        "id type target entityRef", id=TEXT, type=TEXT, target=TEXT, entityRef=TEXT
    ),
    "Locations": _list(_object("data", data=_ref("Location"))),
    "LocationPage": _object(
        "items totalItems pageInfo",
        items=_list(_ref("Location")),
        totalItems=NUMBER,
        pageInfo=_PAGE,
    ),
    "Added": _object(
        "location entities exists",
        location=_ref("Location"),
        entities=_list(_ref("Entity")),
        exists={"type": "boolean"},
    ),
    "Analysis": _object(
        "existingEntityFiles generateEntities",
        existingEntityFiles=_list(
            _object(
                "location isRegistered entity",
                location=ANY,
                isRegistered={"type": "boolean"},
                entity=_ref("Entity"),
            )
        ),
        generateEntities=_list(_object("entity fields", entity=_ref("Entity"), fields=_list(ANY))),
    ),
    "Error": _object(
        "error request response",
        error=_NAMED_ERROR,
        request=_object("method url", method=TEXT, url=TEXT),
        response=_object("statusCode", statusCode=NUMBER),
    ),
    "Errors": _object("errors", errors=_list(_NAMED_ERROR)),
}

BODIES: Json = {
    "ByQuery": _body(
        query=_PREDICATE,
        orderBy=_list(
            _object("field", field=TEXT, order={"type": "string", "enum": ["asc", "desc"]})
        ),
        fullTextFilter=_object(term=TEXT, fields=TEXTS),
        fields=TEXTS,
        limit=NUMBER,
        offset=NUMBER,
        cursor=TEXT,
        totalItems={"type": "string", "enum": ["include", "exclude"]},
    ),
    "ByRefs": _body("entityRefs", entityRefs=TEXTS, fields=TEXTS, query=_PREDICATE),
    "FacetQuery": _body("facets", facets={**TEXTS, "minItems": 1}, query=_PREDICATE),
    "Refresh": _object("entityRef", entityRef=TEXT),
    "Validate": _body("entity location", entity=ANY, location=TEXT),
    "Analyze": _object("location", location=_ref("LocationSpec"), catalogFilename=TEXT),
    "LocationSpec": _object("type target", type={"type": "string", "enum": ["url"]}, target=TEXT),
    "LocationQuery": _body(query=_PREDICATE, limit=NUMBER, cursor=TEXT),
}
