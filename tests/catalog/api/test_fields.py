"""`fields`: which parts of an entity are given."""

import pytest

from catalog.api.fields import Fields, read_fields
from catalog.api.filters import FilterError

ENTITY = {
    "kind": "API",
    "metadata": {"name": "a", "annotations": {"a.b/c": "x", "other": "y"}, "tags": ["t"]},
    "relations": [],
}


def of(*texts):
    return read_fields(texts).of(ENTITY)


def test_parts_are_picked_and_what_is_missing_is_left_out():
    assert of("kind, metadata.name", "spec.type,,kind") == {
        "kind": "API",
        "metadata": {"name": "a"},
    }
    assert of("metadata.tags,relations") == {"metadata": {"tags": ["t"]}, "relations": []}
    assert of("metadata.name.first,metadata.tags.t") == {}


def test_a_key_may_have_dots():
    found = of("metadata.annotations.a.b/c", "metadata.name")
    assert found == {"metadata": {"annotations": {"a.b/c": "x"}, "name": "a"}}


def test_a_part_may_be_asked_for_inside_another():
    assert of("metadata", "metadata.name")["metadata"] == ENTITY["metadata"]
    assert ENTITY["metadata"]["annotations"] == {"a.b/c": "x", "other": "y"}


def test_nothing_is_everything():
    assert of() is ENTITY
    assert Fields().want("status")
    assert read_fields(["metadata"]).want("metadata.etag")
    assert read_fields(["metadata.etag.x"]).want("metadata.etag")
    assert not read_fields(["metadata.name"]).want("metadata.etag", "relations")


@pytest.mark.parametrize(
    "text", ["a." * 21, "a" * 301, ",".join(f"metadata.f{number}" for number in range(101))]
)
def test_what_would_take_long_to_pick_is_refused(text):
    with pytest.raises(FilterError):
        read_fields([text])
