"""The YAML reader: values as Backstage's parser has them, places, and what hostile files get."""

import json
import time
from typing import Any

import pytest

from catalog import yaml12
from catalog.yaml12 import Document, YamlError, load


def only(text: str | bytes) -> Document:
    [document] = load(text if isinstance(text, bytes) else text.encode())
    return document


def value(text: str | bytes) -> Any:
    document = only(text)
    assert document.error is None, document.error
    return document.value


def error(text: str | bytes) -> YamlError:
    document = only(text)
    assert document.error is not None
    return document.error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", "no"),
        ("On", "On"),
        ("y", "y"),
        ("2026-11-22", "2026-11-22"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("tRue", "tRue"),
        ("1.2.3", "1.2.3"),
        ("+", "+"),
        ("=", "="),
        ("'7'", "7"),
        ("!!str 7", "7"),
        ("! 7", "7"),
        ("TRUE", True),
        ("", None),
        ("~", None),
        ("NULL", None),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e3", 1000.0),
        ("1.", 1.0),
        ("-.5", -0.5),
        ("!!int '7'", 7),
        ("!!float 7", "7"),
        ("12345678901234567890", 12345678901234567890.0),
        ("!!timestamp 2026-11-22 10:00:00 +2", "2026-11-22T08:00:00.000Z"),
        ("!!binary aGk=", {"type": "Buffer", "data": [104, 105]}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, expected: Any) -> None:
    found = value(f"v: {text}")["v"]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", True),
        ("off", False),
        ("0b101", 5),
        ("017", 15),
        ("1_000", 1000),
        ("0x_ff", 255),
        ("1:30", 90),
        ("1:30.5", 90.5),
        ("2026-11-22", "2026-11-22T00:00:00.000Z"),
        ("tRue", "tRue"),
    ],
)
def test_a_directive_asks_for_yaml_1_1(text: str, expected: Any) -> None:
    assert value(f"%YAML 1.1\n---\nv: {text}\n")["v"] == expected


def test_yaml_1_1_lasts_until_another_directive() -> None:
    stream = b"%YAML 1.1\n---\nv: yes\n---\nv: yes\n...\n%YAML 1.2\n---\nv: yes\n"
    assert [document.value["v"] for document in load(stream)] == [True, True, "yes"]


def test_merge_keys_merge_in_yaml_1_1_only() -> None:
    text = "base: &b {a: 1, c: 2}\nv:\n  <<: *b\n  a: 3\n"
    assert value(text)["v"] == {"<<": {"a": 1, "c": 2}, "a": 3}
    assert value(f"%YAML 1.1\n---\n{text}")["v"] == {"a": 3, "c": 2}
    assert "list of mappings" in error("%YAML 1.1\n---\n<<: text\n").message


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("8080", "8080"),
        ("1.10", "1.1"),
        ("1e21", "1e+21"),
        ("1e-7", "1e-7"),
        ("0.00001", "0.00001"),
        ("~", ""),
        ("true", "true"),
        (".inf", "Infinity"),
        ("? {a: 1, b: [x]}\n", "{ a: 1, b: [ x ] }"),
        ("? []\n", "[]"),
    ],
)
def test_keys_become_strings_as_javascript_writes_them(key: str, expected: str) -> None:
    assert list(value(f"{key}: x")) == [expected]


@pytest.mark.parametrize("text", ["a: 1\na: 2", "a: 1\n'a': 2", "1: x\n1.0: y", "{~: 1, null: 2}"])
def test_a_key_given_twice_is_an_error_at_the_second(text: str) -> None:
    found = error(text)
    assert "given twice" in found.message
    assert (found.line, found.column) != (1, 1)


def test_keys_that_only_look_alike_are_not_twice() -> None:
    assert value("1: a\n'1': b") == {"1": "b"}
    assert value("1: a\ntrue: b") == {"1": "a", "true": "b"}


def test_unknown_tags_are_ignored_with_a_warning() -> None:
    document = only("a: !!python/object/apply:os.system ['true']\nb: !shout hi\n")
    assert document.value == {"a": ["true"], "b": "hi"}
    assert [warning.line for warning in document.warnings] == [1, 2]
    assert "python/object" in document.warnings[0].message


def test_sets_and_ordered_maps_are_emptied_with_a_warning() -> None:
    document = only("a: !!set {x, y}\nb: !!omap [x: 1]\n")
    assert document.value == {"a": {}, "b": {}}
    assert len(document.warnings) == 2


def test_places_are_those_of_keys_and_values() -> None:
    root = value("# first\n\na: 1\nlist:\n  - x\n  - {y: 2}\n")
    assert root.keys_at["a"] == (3, 1)
    assert root.values_at["a"] == (3, 4)
    assert root["list"].items_at == [(5, 5), (6, 5)]
    assert yaml12.place_of(root, ("list", 1, "y")) == (6, 9)
    assert yaml12.place_of(root, ("list", 7)) == (4, 1)


def test_places_count_from_the_start_of_the_file() -> None:
    documents = list(load(b"a: 1\n---\n\nb: 1\n--- # c\nc: [\n---\nd: 1\n"))
    assert [document.line for document in documents] == [1, 4, 6, 8]
    assert documents[1].value.keys_at["b"] == (4, 1)
    assert documents[2].error is not None
    assert documents[3].value == {"d": 1}


def test_empty_documents_are_counted() -> None:
    stream = b"---\n---\n# only a comment\n---\na: 1\n...\n# tail\n"
    assert [(d.index, d.value) for d in load(stream)] == [(0, None), (1, None), (2, {"a": 1})]
    assert list(load(b"")) == []
    assert list(load(b"# nothing\n")) == []


def test_markers_inside_a_block_text_end_the_document() -> None:
    documents = list(load(b"a: |\n  text\n  ---\n  more\n---\nb: 1\n"))
    assert documents[0].value == {"a": "text\n---\nmore\n"}
    assert documents[1].value == {"b": 1}


def test_windows_line_ends_and_a_byte_order_mark_are_fine() -> None:
    assert value("\ufeffa: 1\r\nb: |\r\n  x\r\n  y\r\n") == {"a": 1, "b": "x\ny\n"}


def test_json_is_yaml() -> None:
    text = json.dumps({"a": {"b": [1, "😀", None]}})  # written as two escaped halves
    assert value(text) == {"a": {"b": [1, "😀", None]}}
    assert value("a: '\\ud83d\\ude00'") == {"a": "\\ud83d\\ude00"}


def test_characters_that_yaml_1_1_took_for_line_breaks_stay() -> None:
    assert value("a: x\u2028y\x85z\x07") == {"a": "x\u2028y\x85z\x07"}


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("a: b: c", "quotes", (1, 5)),
        ("a:\n\tb: 1", "tab", (2, 1)),
        ("a: @acme/x", "can't start", (1, 4)),
        ("a: %x", "can't start", (1, 4)),
        ('a: "x\nb: 1', "never closed", (1, 4)),
        ('a: "x\nb: 1"', "indent", (2, 1)),
        ("a: [x,\ny]", "indent", (2, 1)),
        ("a: *nobody", "needs an anchor", (1, 4)),
        ("a: []#c", "comment", (1, 6)),
        ("a: [#c\n  ]", "comment", (1, 5)),
        ("a: *.yaml", "quotes", (1, 5)),
        ("a:\n  b: 1\n c: 2", "indentation", (3, 2)),
        ("a: 'x' y", "closing quote", (1, 8)),
        ("a: !q!x 1", "prefix", (1, 4)),
        ("%YAML 1.2\na: 1", '"---"', (1, 1)),
        ("%YAML one\n---\na: 1", "no version", (1, 1)),
        ("...\n---\na: 1", "no document", (1, 1)),
        ("a: {?b: 1}", '"?"', (1, 6)),
        ("a: !!timestamp soon", "2024-01-31", (1, 4)),
    ],
)
def test_broken_syntax_is_told_in_plain_words(text: str, words: str, place: yaml12.Place) -> None:
    found = error(text)
    assert words in found.message
    assert (found.line, found.column) == place


def test_continued_lines_may_close_a_list_at_its_keys_column() -> None:
    assert value('a: [\n  x,\n# c\n  y\n]\nb: "p\n\n  q"\n') == {"a": ["x", "y"], "b": "p\nq"}


@pytest.mark.parametrize("uses", [99, 100])
def test_an_anchor_may_be_used_99_times(uses: int) -> None:
    document = only(f"base: &b x\nuses: [{', '.join(['*b'] * uses)}]\n")
    assert (document.error is None) == (uses == 99)


def test_a_billion_laughs_are_stopped_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 12):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    assert "too often" in error("\n".join(lines)).message


def test_aliases_are_limited_in_all() -> None:
    text = "".join(f"- &a{number} x\n- *a{number}\n" for number in range(10_001))
    assert "10,000" in error(text).message


def test_an_alias_inside_its_own_anchor_is_pointed_at() -> None:
    document = only("a: &a\n  b: [*a]\n")
    assert document.cycle == (2, 7)


def test_an_anchor_may_be_set_again() -> None:
    assert value("a: &x 1\nb: *x\nc: &x 2\nd: *x\n") == {"a": 1, "b": 1, "c": 2, "d": 2}


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? "])
def test_deep_nesting_is_refused_quickly(opening: str) -> None:
    started = time.monotonic()
    assert "deeper" in error(opening * 10_000).message
    assert time.monotonic() - started < 5


def test_a_large_file_is_refused_with_its_size() -> None:
    with pytest.raises(YamlError, match="10,000,000 bytes"):
        list(load(b"#" * 10_000_000))


def test_a_file_of_nothing_but_markers_is_stopped() -> None:
    documents = list(load(b"---\n" * 60_000))
    assert len(documents) == yaml12.MAX_DOCUMENTS + 1
    assert "more than" in documents[-1].error.message


def test_a_document_that_is_not_utf_8_does_not_spoil_the_others() -> None:
    documents = list(load("a: 1\n---\n\nb: Café\n---\nc: 1\n".encode("latin-1")))
    assert documents[0].value == {"a": 1}
    assert documents[2].value == {"c": 1}
    assert (documents[1].error.line, documents[1].error.column) == (4, 7)
    assert "0xE9" in documents[1].error.message


def test_utf_16_is_named() -> None:
    with pytest.raises(YamlError, match="UTF-16"):
        list(load("a: 1".encode("utf-16")))


def test_an_alias_as_key_does_not_write_its_collection_out() -> None:
    assert value("a: &a [x, y]\nb: {? *a : 1}\n")["b"] == {"*a": 1}
    assert "too large" in error(f"? [{'x,' * 20_000}]\n: 1\n").message
