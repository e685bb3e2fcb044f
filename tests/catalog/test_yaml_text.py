"""Data as YAML for people."""

import pytest
import yaml

from catalog.yaml_text import yaml_text

TWICE = ["same"]


@pytest.mark.parametrize(
    "value",
    [
        {"a": "one\ntwo\n", "b": ["x", 1, 1.5, None, True]},
        {"a": " leading\nand trailing \n\n", "b": "tab\tand \x85 next\nline", "c": "\nfirst"},
        {"yes": "no", "1": "2024-01-01", "n": "null", "é": "💥", "": ""},
        {"a": TWICE, "b": TWICE},
        {"r": "carriage\r\nreturn", "nul": "a\x00b\n"},
    ],
)
def test_reading_it_gives_the_same_again(value):
    assert yaml.safe_load(yaml_text(value)) == value


def test_several_lines_stand_as_they_were_written():
    assert yaml_text({"a": "one\n  two\n"}) == "a: |\n  one\n    two\n"


def test_what_is_equal_has_no_anchor():
    assert "&" not in yaml_text([TWICE, TWICE])
