"""YAML and JSON as a tree with lines, whatever their authors had in mind."""

import pytest

from catalog.spec_tree import MAX_CHARACTERS, MAX_NODES, Unreadable, read_tree


def test_values_know_their_lines():
    root = read_tree("a:\n  b: 1\n  c: [x, y]\n")
    assert (root.words("a", "b"), root.get("a").lines["c"]) == ("1", 3)
    assert [item.text for item in root.get("a", "c").items] == ["x", "y"]
    assert root.get("a", "nope", "deeper").text is None


def test_json_is_read_the_same_way():
    root = read_tree('{"a":\n {"b": [1]}}')
    assert (root.get("a").lines["b"], root.get("a", "b").items[0].text) == (2, "1")


def test_aliases_are_shared_not_copied():
    bomb = "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join(f'*{old}' for _ in range(9))}]\n"
        for old, new in zip("abcdefghij", "bcdefghijk", strict=True)
    )
    assert len(read_tree(bomb).get("k").items) == 9


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 200_000, "nested more than"),
        ("- " * 200_000, "nested more than"),
        ("{a: " * 200_000, "nested more than"),
        ("? " * 200_000, "nested more than"),
        ("x" * (MAX_CHARACTERS + 1), "too large"),
        ("- a\n" * (MAX_NODES + 1), "too many values"),
        ("a: [", "neither valid YAML nor valid JSON at line"),
        ("a: \x00", "neither valid YAML nor valid JSON"),
        ("\ud800", ""),
        ("", "is empty"),
        ("# nothing", "is empty"),
    ],
)
def test_what_can_not_be_read_is_said(text, words):
    with pytest.raises(Unreadable, match=words):
        read_tree(text)


def test_odd_keys_and_aliases_to_nothing_do_no_harm():
    root = read_tree("? [a, b]\n: 1\n? {c: d}\n: 2\ne: 3\n")
    assert root.words("e") == "3"
