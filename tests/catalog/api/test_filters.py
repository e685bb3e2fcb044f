"""Filters and predicates as conditions."""

import pytest

from catalog.api.filters import (
    ANYTHING,
    Every,
    FilterError,
    Has,
    HasPrefix,
    Non,
    Some,
    read_filters,
    read_predicate,
)


def test_other_keys_and_the_same_key_or():
    found = read_filters([" Kind = Component ,spec.type=a,spec.type=B,metadata.title, x="])
    assert found == Every(
        (
            Has("kind", ("component",)),
            Has("spec.type", ("a", "b")),
            Has("metadata.title"),
            Has("x", ("",)),
        )
    )


def test_several_parameters_are_alternatives_and_empty_ones_nothing():
    assert read_filters(["kind=a", "", ",", "kind=b"]) == Some(
        (Every((Has("kind", ("a",)),)), Every((Has("kind", ("b",)),)))
    )
    assert read_filters([]) == read_filters([""]) == ANYTHING


@pytest.mark.parametrize(
    "text",
    [
        "=a",
        "kind=a,=",
        "a=\x00",
        ",".join(f"k{i}" for i in range(201)),
        ",".join(f"k=v{i}" for i in range(201)),
    ],
)
def test_what_is_no_filter_says_so(text):
    with pytest.raises(FilterError):
        read_filters([text])


def test_predicates():
    found = read_predicate(
        {
            "$all": [
                {"kind": "Component", "spec.replicas": 3, "spec.x": True},
                {"$any": [{"a": {"$in": ["X", 1]}}, {"$not": {"b": {"$exists": False}}}]},
                {"c": {"$hasPrefix": "Pay"}, "metadata.tags": {"$contains": "Go"}},
                {"relations": {"$contains": {"type": "ownedBy", "targetRef": "group:default/A"}}},
            ]
        }
    )
    first, second, third, fourth = found.parts
    assert first.parts == (
        Has("kind", ("component",)),
        Has("spec.replicas", ("3",)),
        Has("spec.x", ("true",)),
    )
    assert second == Some((Every((Has("a", ("x", "1")),)), Non(Every((Non(Has("b")),)))))
    assert third.parts == (HasPrefix("c", "pay"), Has("metadata.tags", ("go",)))
    assert fourth.parts == (Has("relations.ownedby", ("group:default/a",)),)
    assert read_predicate({}) == ANYTHING


def deep(levels):
    found = {"a": "b"}
    for _ in range(levels):
        found = {"$not": found}
    return found


@pytest.mark.parametrize(
    "query",
    [
        [],
        "kind",
        {"$all": {"a": "b"}},
        {"$all": [], "a": "b"},
        {"$nor": []},
        {"a": {"$gt": 1}},
        {"a": {"$in": "b"}},
        {"a": {"$exists": "yes"}},
        {"a": {"$in": [], "$exists": True}},
        {"a": None},
        {"a": ["b"]},
        {"a": {"$contains": {"x": "y"}}},
        {"relations": {"$contains": {"targetRef": "x"}}},
        {"a": {"$in": ["x"] * 300}},
        deep(40),
    ],
)
def test_what_is_no_predicate_says_so(query):
    with pytest.raises(FilterError):
        read_predicate(query)


@pytest.mark.parametrize(
    "query",
    [
        {"$all": [{}] * 201},
        {"$any": [{"$not": {"$any": []}}] * 101},
        {"$all": [{f"k{number}": {"$hasPrefix": "a"}} for number in range(21)]},
        {
            "relations": {
                "$contains": {
                    "type": "ownedBy",
                    "targetRef": {"$in": [f"g{i}" for i in range(201)]},
                }
            }
        },
    ],
)
def test_a_wide_predicate_is_refused_whatever_it_is_wide_with(query):
    with pytest.raises(FilterError, match="at most"):
        read_predicate(query)
