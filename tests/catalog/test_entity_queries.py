"""What an entity's page reads of the catalog."""

import pytest

from catalog.entity_queries import SHOWN_RELATIONS, relations_of, system_and_domain
from catalog.models import Entity, Relation
from tests.catalog.trees import component, document, read

pytestmark = pytest.mark.django_db


def entity(name):
    return Entity.objects.get(name=name)


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
