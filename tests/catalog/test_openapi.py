"""The operations of an OpenAPI document."""

import json

from catalog.openapi import MAX_OPERATIONS, operations_of, version_of
from catalog.spec_tree import read_tree

THREE = """
openapi: 3.0.3
paths:
  /orders/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string, format: uuid}}
    get:
      summary: One order
      tags: [orders]
      deprecated: true
      parameters:
        - $ref: '#/components/parameters/Page'
        - {name: id, in: path, required: true, description: Its own, schema: {type: integer}}
      responses:
        '200': {description: Found}
        '404': {$ref: '#/components/responses/Missing'}
    x-internal: true
    put:
      requestBody: {required: true, content: {application/json: {schema: {}}}}
components:
  parameters:
    Page: {name: page, in: query, schema: {type: array, items: {$ref: '#/components/schemas/P'}}}
  responses:
    Missing: {description: There is none}
"""
TWO = {
    "swagger": "2.0",
    "paths": {"/a": {"post": {"parameters": [{"name": "n", "in": "formData", "type": "integer"}]}}},
}


def test_version_3_with_references_shared_parameters_and_a_body():
    root = read_tree(THREE)
    get, put = operations_of(root)
    assert version_of(root) == "OpenAPI 3.0.3"
    assert (get.method, get.path, get.line, get.tags) == ("GET", "/orders/{id}", 7, ("orders",))
    assert get.deprecated
    assert [(p.name, p.place, p.type, p.required) for p in get.parameters] == [
        ("id", "path", "integer", True),
        ("page", "query", "list of P", False),
    ]
    assert [(r.code, r.description) for r in get.responses] == [
        ("200", "Found"),
        ("404", "There is none"),
    ]
    assert [(p.place, p.type) for p in put.parameters][-1] == ("body", "application/json")


def test_version_2_as_json():
    root = read_tree(json.dumps(TWO))
    [operation] = operations_of(root)
    assert version_of(root) == "Swagger 2.0"
    assert [(p.place, p.type) for p in operation.parameters] == [("formData", "integer")]


def test_references_that_lead_nowhere_or_in_circles_end():
    text = """
paths:
  /a: {$ref: '#/paths/~1a'}
  /b: {get: {parameters: [{$ref: '#/no/where'}, {$ref: 'http://x'}], responses: []}}
  /c: nonsense
  /d: {get: text}
"""
    assert [o.path for o in operations_of(read_tree(text))] == ["/b", "/d"]


def test_there_are_never_too_many():
    paths = "".join(f"  /p{n}: {{get: {{}}}}\n" for n in range(MAX_OPERATIONS + 10))
    assert len(operations_of(read_tree(f"paths:\n{paths}"))) == MAX_OPERATIONS


def test_a_list_that_is_a_list_of_itself_ends():
    text = """
paths:
  /a: {get: {parameters: [{name: x, schema: &self {type: array, items: *self}}]}}
"""
    (operation,) = operations_of(read_tree(text))
    assert operation.parameters[0].type.startswith("list of list of ")
