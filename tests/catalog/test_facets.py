"""Facets count what each value would leave, under the other filters."""

import pytest

from catalog.facets import SHOWN, kind_choices, value_facets
from catalog.forms import Filters
from catalog.mine import Mine
from catalog.seen import EVERYTHING
from tests.catalog.trees import component, document, group, read

pytestmark = pytest.mark.django_db
WHOLE = Mine(EVERYTHING)


@pytest.fixture
def catalog(tree):
    tree.write(
        "all.yaml",
        component("a", {"tags": ["go", "fast"]}),
        component("b", {"tags": ["go"]}, type="website"),
        component("c", {"tags": ["js"]}, owner="web"),
        group("web"),
        document("Widget", "odd"),
        {**component("future"), "apiVersion": "backstage.io/v9"},
    )
    read(tree.source("all.yaml"))


def facet(filters, name):
    [found] = [one for one in value_facets(filters, WHOLE) if one.name == name]
    return {choice.value: choice.count for choice in found.choices}


def test_one_of_facets_leave_their_own_choice_out(catalog):
    filters = Filters(owner=("group:default/web",))
    owners = {"group:default/web": 1, "group:default/payments": 2}
    assert facet(filters, "owner") == owners
    assert facet(filters, "type") == {"service": 1}


def test_tags_count_what_one_more_leaves(catalog):
    assert facet(Filters(), "tag") == {"go": 2, "fast": 1, "js": 1}
    assert facet(Filters(tag=("go",)), "tag") == {"go": 2, "fast": 1}


def test_a_chosen_value_without_entities_can_be_unchosen(catalog):
    assert facet(Filters(type=("gone",)), "type") == {"service": 2, "website": 1, "gone": 0}


def test_kinds_come_in_our_order_and_end_with_what_is_not_supported(catalog):
    choices = [(c.label, c.count, c.chosen) for c in kind_choices(Filters(), WHOLE)]
    assert choices == [
        ("components", 3, True),
        ("groups", 1, False),
        ("all kinds", 4, False),
        ("not supported", 2, False),
    ]


def test_long_facets_are_cut_until_asked_for(tree, django_assert_num_queries):
    tree.write("all.yaml", *(component(f"c{n}", {"tags": [f"t{n}"]}) for n in range(SHOWN + 4)))
    read(tree.source("all.yaml"))
    with django_assert_num_queries(8):
        [tags] = [one for one in value_facets(Filters(), WHOLE) if one.name == "tag"]
    assert (len(tags.choices), tags.more) == (SHOWN, "?expand=tag")
    [tags] = [one for one in value_facets(Filters(), WHOLE, expand="tag") if one.name == "tag"]
    assert (len(tags.choices), tags.more) == (SHOWN + 4, "")
