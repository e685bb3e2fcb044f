"""A role mapping may name the teams, systems and services that the catalog knows."""

import pytest

from catalog.scopes import scope_choices
from portal import hooks
from tests.catalog.trees import component, document, group, read

pytestmark = pytest.mark.django_db


def test_scopes_are_the_active_entities_of_the_scopes_kind(tree):
    tree.write(
        "catalog-info.yaml",
        component("pay", {"title": "Pay API"}),
        group("payments"),
        document("System", "shop", owner="payments"),
        document("Domain", "money", owner="payments"),
    )
    read(tree.source())
    assert scope_choices("service") == [("component:default/pay", "Pay API")]
    assert scope_choices("team") == [("group:default/payments", "payments")]
    assert scope_choices("system") == [("system:default/shop", "shop")]
    assert scope_choices("environment") == []


def test_scopes_reach_the_role_mapping_form_by_the_hook():
    assert scope_choices in hooks.scope_choices._functions
