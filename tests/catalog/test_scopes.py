"""Which scopes cover an entity, and which entities a role mapping may name."""

import pytest

from catalog.models import Entity, Source
from catalog.scopes import scope_choices, scopes_of
from portal import hooks
from tests.catalog.trees import component, document, group, read

pytestmark = pytest.mark.django_db


def test_scopes_are_the_active_entities_of_the_scopes_kind(tree):
    tree.write(
        "catalog-info.yaml",
        component("pay", {"title": "Pay API", "tags": ["java"], "labels": {"tier": "gold"}}),
        group("payments"),
        document("System", "shop", owner="payments"),
        document("Domain", "money", owner="payments"),
    )
    read(tree.source())
    assert scope_choices("service") == [("component:default/pay", "Pay API")]
    assert scope_choices("team") == [("group:default/payments", "payments")]
    assert scope_choices("system") == [("system:default/shop", "shop")]
    assert scope_choices("tag") == [("java", "")]
    assert scope_choices("label") == [("tier=gold", "")]
    assert scope_choices("environment") == []


def test_scopes_reach_the_role_mapping_form_by_the_hook():
    assert scope_choices in hooks.scope_choices._functions


def entity(name):
    return Entity.objects.get(name=name)


ORG = (
    group("engineering", children=["money"]),
    group("money"),
    group("payments", parent="money"),
    document("System", "checkout", owner="payments"),
)


@pytest.fixture
def org(tree):
    """pay is owned by payments, which is below money, which is below engineering."""
    tree.write("org.yaml", *ORG)
    tree.write("services.yaml", component("pay", system="checkout"))
    source = tree.source("org.yaml", trusted_for_org=True)
    read(source)
    read(tree.source("services.yaml", slug="services"))
    return source


def test_scopes_hold_the_service_its_system_its_team_and_the_teams_above(
    org, django_assert_num_queries
):
    pay = entity("pay")
    with django_assert_num_queries(1):
        scopes = scopes_of(pay)
    assert scopes == {
        ("everything", ""),
        ("service", "component:default/pay"),
        ("system", "system:default/checkout"),
        ("team", "group:default/payments"),
        ("team", "group:default/money"),
        ("team", "group:default/engineering"),
    }


def test_tags_and_labels_are_scopes_and_cost_no_query(org, tree, django_assert_num_queries):
    labels = {"tier": "gold", "acme.example/Zone": "EU"}
    tree.write("services.yaml", component("pay", {"tags": ["java"], "labels": labels}))
    read(Source.objects.get(slug="services"))
    pay = entity("pay")
    with django_assert_num_queries(1):
        scopes = scopes_of(pay)
    assert {scope for scope in scopes if scope[0] in {"tag", "label"}} == {
        ("tag", "java"),
        ("label", "tier=gold"),
        ("label", "acme.example/Zone=EU"),
    }


@pytest.mark.parametrize("metadata", [{}, {"tags": "java", "labels": ["x"]}, {"tags": [1, None]}])
def test_tags_and_labels_that_are_none_cover_nothing(metadata):
    odd = Entity(ref="component:default/x", document={"metadata": metadata})
    assert {kind for kind, _ in scopes_of(odd)} == {"everything", "service"}


def test_a_team_is_in_its_own_scope_and_in_those_above(org):
    assert scopes_of(entity("payments")) == {
        ("everything", ""),
        ("service", "group:default/payments"),
        ("team", "group:default/payments"),
        ("team", "group:default/money"),
        ("team", "group:default/engineering"),
    }


def test_a_group_of_an_untrusted_source_is_above_nobody(org, tree):
    tree.write("wild.yaml", group("raiders", children=["payments"]))
    read(tree.source("wild.yaml", slug="wild"))
    assert ("team", "group:default/raiders") not in scopes_of(entity("pay"))


def test_an_untrusted_group_between_trusted_ones_joins_nothing(org, tree):
    tree.write("org.yaml", *ORG, group("board"))
    read(org)
    tree.write("wild.yaml", group("raiders", parent="board", children=["payments"]))
    read(tree.source("wild.yaml", slug="wild"))
    assert ("team", "group:default/board") not in scopes_of(entity("pay"))


def test_trust_that_was_withdrawn_counts_at_once(org):
    # As an update that goes past the admin would leave it: the closure still stands.
    Source.objects.filter(pk=org.pk).update(trusted_for_org=False)
    teams = {ref for kind, ref in scopes_of(entity("pay")) if kind == "team"}
    assert teams == {"group:default/payments"}


def test_a_person_who_owns_is_no_team(tree):
    tree.write("all.yaml", component("solo", owner="user:ana"))
    read(tree.source("all.yaml"))
    assert {kind for kind, _ in scopes_of(entity("solo"))} == {"everything", "service"}
