"""The filters' way from the address and back."""

import pytest
from django.http import QueryDict

from catalog.forms import Filters, read_filters


@pytest.mark.parametrize(
    "query",
    [
        "?",
        "?q=pay",
        "?kind=API",
        "?kind=any&tag=a&tag=b",
        "?q=x&show=owned&kind=Widget&type=a&owner=b&lifecycle=c&tag=d&system=system%3Adefault%2Fe"
        "&namespace=f&state=missing&state=problems",
    ],
)
def test_filters_survive_the_address(query):
    filters, problems = read_filters(QueryDict(query[1:]))
    assert problems == []
    assert filters.query() == query
    assert filters.is_default == (query == "?")


def test_kinds_are_read_in_any_case():
    assert read_filters(QueryDict("kind=component"))[0] == Filters()
    assert read_filters(QueryDict("kind=api"))[0].kind == "API"


def test_values_are_cleaned_and_counted_once():
    filters, _ = read_filters(QueryDict("tag=go&tag=go&tag=+&tag=a%00b"))
    assert filters.tag == ("go",)


def test_a_filter_is_taken_away_alone():
    filters = Filters(q="x", kind="API", tag=("a", "b"))
    assert filters.without("tag", "a").tag == ("b",)
    assert filters.without("kind").kind == "Component"
    assert filters.without("q") == Filters(kind="API", tag=("a", "b"))


def test_another_kind_drops_what_only_this_kind_has():
    filters = Filters(
        q="x", type=("service",), lifecycle=("old",), owner=("me",), state=("missing",)
    )
    assert filters.with_kind("API") == Filters(q="x", kind="API", owner=("me",))
