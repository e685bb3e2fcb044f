"""What pages and policy read of the catalog."""

import pytest

from catalog.models import Entity, Relation, Source
from catalog.queries import (
    SHOWN_RELATIONS,
    members_of,
    names_of,
    relations_of,
    scopes_of,
    system_and_domain,
)
from tests.catalog.trees import component, document, group, read, user

pytestmark = pytest.mark.django_db


def entity(name):
    return Entity.objects.get(name=name)


# --- Scopes ----------------------------------------------------------------------------------
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


# --- Relations -------------------------------------------------------------------------------
def test_relations_are_grouped_counted_and_cut(tree, django_assert_num_queries):
    tree.write(
        "all.yaml",
        component("pay"),
        *(component(f"c{n}", dependsOn=["component:pay"]) for n in range(SHOWN_RELATIONS + 5)),
    )
    read(tree.source("all.yaml"))
    pay = entity("pay")
    with django_assert_num_queries(2):
        groups = relations_of(pay, but=("ownedBy",))
        targets = [str(edge.target) for edge in groups["dependencyOf"].edges]
    assert list(groups) == ["dependencyOf"]
    assert (len(targets), groups["dependencyOf"].hidden) == (SHOWN_RELATIONS, 5)


def test_relations_keep_ends_that_nobody_describes(tree):
    tree.write("all.yaml", component("pay", dependsOn=["resource:db"]))
    read(tree.source("all.yaml"))
    [edge] = relations_of(entity("pay"))["dependsOn"].edges
    assert (edge.target, edge.target_ref) == (None, "resource:default/db")


def test_no_relations_cost_one_query(tree, django_assert_num_queries):
    tree.write("all.yaml", component("pay"))
    read(tree.source("all.yaml"))
    pay = entity("pay")
    Relation.objects.all().delete()
    with django_assert_num_queries(1):
        assert relations_of(pay) == {}


def test_system_and_domain_are_found_upwards(tree):
    tree.write(
        "all.yaml",
        document("Domain", "money", owner="payments"),
        document("System", "checkout", owner="payments", domain="money"),
        component("pay", system="checkout"),
        component("lost", system="nowhere"),
    )
    read(tree.source("all.yaml"))
    system, domain = system_and_domain(entity("pay"))
    assert (system.name, domain.name) == ("checkout", "money")
    assert system_and_domain(entity("lost")) == (None, None)
    assert system_and_domain(system) == (None, domain)


# --- Names and members -----------------------------------------------------------------------
def test_names_are_titles_and_an_unknown_ref_is_called_by_its_short_form(tree):
    tree.write("all.yaml", component("pay", {"title": "Pay API"}), component("cart"))
    read(tree.source("all.yaml"))
    names = names_of(["component:default/pay", "component:default/cart", ""])
    assert [names["component:default/pay"], names["component:default/cart"]] == ["Pay API", "cart"]
    assert names["group:default/ghost"] == "ghost"
    assert names["group:other/ghost"] == "other/ghost"


def test_members_come_by_name_with_their_source(tree, django_assert_num_queries):
    tree.write("org.yaml", group("payments"), user("zoe", "payments"), user("ana", "payments"))
    tree.write("wild.yaml", user("eve", "payments"))
    read(tree.source("org.yaml", trusted_for_org=True))
    read(tree.source("wild.yaml", slug="wild"))
    team = entity("payments")
    with django_assert_num_queries(2):
        members = members_of(team)
    assert [(m.name, m.source, m.trusted) for m in members] == [
        ("ana", "Org", True),
        ("eve", "Wild", False),
        ("zoe", "Org", True),
    ]
