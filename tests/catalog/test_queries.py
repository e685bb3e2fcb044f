"""What lists read of the catalog."""

import pytest

from catalog.queries import names_of
from catalog.seen import EVERYTHING
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db


def test_names_are_titles_and_an_unknown_ref_is_called_by_its_short_form(tree):
    tree.write("all.yaml", component("pay", {"title": "Pay API"}), component("cart"))
    read(tree.source("all.yaml"))
    names = names_of(["component:default/pay", "component:default/cart", ""], EVERYTHING)
    assert [names["component:default/pay"], names["component:default/cart"]] == ["Pay API", "cart"]
    assert names["group:default/ghost"] == "ghost"
    assert names["group:other/ghost"] == "other/ghost"
