"""What an entity's page reads of the catalog."""

import pytest

from catalog.entity_queries import SHOWN_RELATIONS, issues_of, relations_of, system_and_domain
from catalog.models import Entity, Relation, SourceFile
from catalog.seen import EVERYTHING
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
    with django_assert_num_queries(4):
        groups = relations_of(pay, EVERYTHING, but=("ownedBy",)).groups
        targets = [str(edge.target) for edge in groups["dependencyOf"].edges]
    assert list(groups) == ["dependencyOf"]
    assert (len(targets), groups["dependencyOf"].hidden) == (SHOWN_RELATIONS, 5)


def test_relations_keep_ends_that_nobody_describes(tree):
    tree.write("all.yaml", component("pay", dependsOn=["resource:db"]))
    read(tree.source("all.yaml"))
    [edge] = relations_of(entity("pay"), EVERYTHING).groups["dependsOn"].edges
    assert (edge.target, edge.target_ref) == (None, "resource:default/db")


def test_a_few_relations_cost_two_queries(tree, django_assert_num_queries):
    tree.write("all.yaml", component("pay", dependsOn=["component:cart"]), component("cart"))
    read(tree.source("all.yaml"))
    pay = entity("pay")
    with django_assert_num_queries(2):
        groups = relations_of(pay, EVERYTHING, but=("ownedBy",)).groups
    [group] = groups.values()
    assert (group.type, group.total, group.hidden) == ("dependsOn", 1, 0)


def test_no_relations_cost_one_query(tree, django_assert_num_queries):
    tree.write("all.yaml", component("pay"))
    read(tree.source("all.yaml"))
    pay = entity("pay")
    Relation.objects.all().delete()
    with django_assert_num_queries(1):
        assert not relations_of(pay, EVERYTHING)


def test_the_component_that_it_is_part_of_is_its_parent(tree):
    tree.write(
        "all.yaml", component("shop"), component("cart", subcomponentOf="shop", system="checkout")
    )
    read(tree.source("all.yaml"))
    assert relations_of(entity("cart"), EVERYTHING).parent.target == entity("shop")
    assert relations_of(entity("shop"), EVERYTHING).parent is None


def test_issues_are_its_own_and_those_of_its_file_with_the_page_at_the_host(tree):
    tree.write("all.yaml", component("pay"))
    tree.write("other.yaml", component("far"))
    source = tree.source("*.yaml")
    read(source)
    tree.write("all.yaml", component("pay", owner=7), "- no mapping\n")
    tree.write("other.yaml", component("far", owner=7))
    read(source)
    pay = entity("pay")
    SourceFile.objects.filter(location=pay.location).update(url="https://host.example/blob/all")
    issues = issues_of(pay)
    assert {issue.location for issue in issues} == {pay.location}
    assert len(issues) >= 2
    assert {issue.file_url for issue in issues} == {"https://host.example/blob/all"}


def test_system_and_domain_are_found_upwards(tree):
    tree.write(
        "all.yaml",
        document("Domain", "money", owner="payments"),
        document("System", "checkout", owner="payments", domain="money"),
        component("pay", system="checkout"),
        component("lost", system="nowhere"),
    )
    read(tree.source("all.yaml"))
    system, domain = system_and_domain(entity("pay"), EVERYTHING)
    assert (system.name, domain.name) == ("checkout", "money")
    assert system_and_domain(entity("lost"), EVERYTHING) == (None, None)
    assert system_and_domain(system, EVERYTHING) == (None, domain)
