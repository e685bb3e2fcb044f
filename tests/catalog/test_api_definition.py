"""API definitions made readable: outline, lines, and one sentence where nothing is understood."""

import pytest

from catalog.api_definition import SHOWN_LINES, read_definition

ASYNC = "asyncapi: 2.6.0\nchannels:\n  orders/new:\n    publish: {}\n"
GRAPHQL = '''"""
type Hidden { a: Int }
"""
type Query {
  # order(id: ID): no
  order(
    id: ID!
    page: Int
  ): Order
  orders: [Order]
}
type Order { id: ID! }
enum State { OPEN }
extend type Mutation { pay(id: ID!): Order }
'''
PROTO = """syntax = "proto3";
/* message Hidden {
*/
service Orders {
  rpc Get (Ref) returns (Order);  // rpc Not (A)
}
message Order { string id = 1; }
enum State { OPEN = 0; }
"""


def outline(text, kind):
    return {
        g.title: [(i.label, i.line) for i in g.items] for g in read_definition(text, kind).outline
    }


def test_openapi_has_paths_and_schemas_with_lines():
    text = "openapi: 3.1.0\npaths:\n  /a:\n    get: {}\ncomponents:\n  schemas:\n    A: {}\n"
    definition = read_definition(text, "openapi")
    assert (definition.label, definition.language, definition.sentence) == (
        "OpenAPI 3.1.0",
        "yaml",
        "",
    )
    assert outline(text, "openapi") == {"Paths": [("/a", 3)], "Schemas": [("A", 7)]}
    assert [operation.line for operation in definition.operations] == [4]


def test_asyncapi_has_channels():
    assert outline(ASYNC, "asyncapi") == {"Channels": [("orders/new", 3)]}


def test_graphql_has_queries_and_types():
    assert outline(GRAPHQL, "graphql") == {
        "Queries": [("order", 6), ("orders", 10)],
        "Types": [("Order", 12)],
        "Enums": [("State", 13)],
    }


def test_protobuf_has_services_with_methods_and_messages():
    assert outline(PROTO, "grpc") == {
        "Services": [("Orders", 4)],
        "Methods of Orders": [("Get", 5)],
        "Messages": [("Order", 7)],
        "Enums": [("State", 8)],
    }


def test_what_a_placeholder_made_of_a_file_is_read_too():
    definition = read_definition({"openapi": "3.0.0", "paths": {"/a": {"get": {}}}}, "openapi")
    assert [operation.path for operation in definition.operations] == ["/a"]


def test_another_type_is_text_as_it_is():
    definition = read_definition("interface A {}\r\nx", "wsdl")
    assert (definition.shown, definition.outline, definition.language) == (
        "interface A {}\nx",
        (),
        "",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested"),
        ("a: [", "neither valid YAML nor valid JSON"),
        ("just words", "describes nothing that Stagedoor understands"),
        ("x" * 5_000_000, "too large"),
    ],
)
def test_what_can_not_be_understood_is_shown_with_one_sentence(text, words):
    definition = read_definition(text, "openapi")
    assert words in definition.sentence
    assert definition.text == text
    assert definition.outline == ()


def test_a_page_shows_a_part_and_the_outline_leads_only_there():
    definition = read_definition("message A {}\n" * 100_000, "grpc")
    assert definition.is_cut
    assert definition.shown.count("\n") < SHOWN_LINES
    long = "openapi: 3.0.0\n" + "#\n" * 10_000 + "paths:\n  /late: {get: {}}\n"
    [paths] = read_definition(long, "openapi").outline
    assert (paths.items, paths.hidden) == ((), 1)
