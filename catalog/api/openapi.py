"""The API's OpenAPI document, made of one table of operations.

tests/catalog/api/test_openapi.py holds it against the addresses, and asks the API everything that
the document says can be asked.
"""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from catalog.api.openapi_schemas import BODIES, SCHEMAS
from portal import api_document
from portal.api_document import Json, Operation, content, path, query, ref
from portal.api_errors import json_response
from portal.api_tokens import Caller


def openapi(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """GET /openapi.json: for whoever has a token, whatever the token may do."""
    return json_response(document())


_NUMBER: Json = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
FILTER = query(
    "filter",
    "key=value or key (it exists), comma-joined; other keys AND, the same key OR, more than one "
    "parameter OR.",
    many=True,
)
FIELDS = query("fields", "Only these parts, for example kind,metadata.name.", many=True)
LIMIT, OFFSET = (
    query("limit", "How many.", _NUMBER),
    query("offset", "How many to skip.", _NUMBER),
)
NAMED = [
    path("kind", "Of any case, for example component."),
    path("namespace", "For example default."),
    path("name", "The entity's metadata.name."),
]
UID, ID = path("uid", "The entity's metadata.uid."), path("id", "The location's id.")
QUERY = [
    FILTER,
    FIELDS,
    LIMIT,
    OFFSET,
    query(
        "orderField",
        "field,asc or field,desc; entities that lack the field are left out.",
        many=True,
    ),
    query("cursor", "Of pageInfo; all that was asked for is in it."),
    query("fullTextFilterTerm", "Text that one of the fields holds, in any case."),
    query(
        "fullTextFilterFields", "Where to look; without it in name, title, description.", many=True
    ),
    query(
        "totalItems", "exclude: don't count.", {"type": "string", "enum": ["include", "exclude"]}
    ),
]
AFTER = query("after", "As the Link header has it.")
ORDER = query("order", "asc:field or desc:field.", many=True)
_FIELD: Json = {"type": "string", "minLength": 1}
FACET = {**query("facet", "A field, for example spec.type.", _FIELD, many=True), "required": True}
DRY_RUN = query("dryRun", "Change nothing.", {"type": "boolean"})
ON_CONFLICT = query(
    "onConflict",
    "refresh: read again what is registered already.",
    {"type": "string", "enum": ["reject", "refresh"]},
)
ENTITIES: Json = {"type": "array", "items": {"$ref": "#/components/schemas/Entity"}}


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


def document() -> Json:
    """OpenAPI 3.1."""
    found = api_document.document(
        "Stagedoor catalog",
        "Backstage's catalog API. Make a token on your account page.",
        "/api/catalog",
        OPERATIONS,
        {**SCHEMAS, **BODIES},
    )
    refused = {"oneOf": [ref("Error"), ref("Errors")]}
    answer = {"description": "It is not valid", "content": content(refused)}
    found["paths"]["/validate-entity"]["post"]["responses"]["400"] = answer
    return found
