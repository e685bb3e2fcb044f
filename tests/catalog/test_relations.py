"""Edges stand in both directions as long as one end declares them."""

import pytest

from catalog.models import Entity, Relation
from tests.catalog.trees import component, document, group, read

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"


def edges():
    """{(source name, type, target ref, whether the target is known)}"""
    rows = Relation.objects.values_list("source__name", "type", "target_ref", "target")
    return {(name, kind, ref, target is not None) for name, kind, ref, target in rows}


def test_a_relation_stands_on_both_entities(tree):
    tree.write(FILE, component("pay", providesApis=["pay-api"]), group("payments"))
    tree.write(f"api/{FILE}", document("API", "pay-api", type="openapi", lifecycle="production",
                                       owner="payments", definition="x"))  # fmt: skip
    read(tree.source())
    assert edges() == {
        ("pay", "ownedBy", "group:default/payments", True),
        ("payments", "ownerOf", "component:default/pay", True),
        ("pay-api", "ownedBy", "group:default/payments", True),
        ("payments", "ownerOf", "api:default/pay-api", True),
        ("pay", "providesApi", "api:default/pay-api", True),
        ("pay-api", "apiProvidedBy", "component:default/pay", True),
    }


def test_a_dangling_relation_is_completed_by_another_source(tree):
    tree.write("a.yaml", component("pay"))
    tree.write("b.yaml", group("payments"))
    read(tree.source("a.yaml", "a"))
    assert edges() == {("pay", "ownedBy", "group:default/payments", False)}
    read(tree.source("b.yaml", "b"))
    assert edges() == {
        ("pay", "ownedBy", "group:default/payments", True),
        ("payments", "ownerOf", "component:default/pay", True),
    }


def test_a_relation_that_is_no_longer_declared_goes_in_both_directions(tree):
    tree.write(FILE, component("a", dependsOn=["component:b"]), component("b"))
    source = tree.source()
    read(source)
    tree.write(FILE, component("a"), component("b"))
    read(source)
    assert {kind for _, kind, _, _ in edges()} == {"ownedBy"}


def test_a_relation_that_both_declare_stays_until_both_have_dropped_it(tree):
    pair = {
        ("child", "childOf", "group:default/top", True),
        ("top", "parentOf", "group:default/child", True),
    }
    tree.write(FILE, group("top", children=["child"]), group("child", parent="top"))
    source = tree.source()
    read(source)
    assert edges() == pair
    tree.write(FILE, group("top", children=["child"]), group("child"))
    read(source)
    assert edges() == pair
    tree.write(FILE, group("top"), group("child", parent="top"))
    read(source)
    assert edges() == pair
    tree.write(FILE, group("top"), group("child"))
    read(source)
    assert edges() == set()


def test_a_changed_owner_moves_the_way_back(tree):
    tree.write("team.yaml", group("payments"), group("shipping"))
    tree.write("pay.yaml", component("pay"))
    read(tree.source("team.yaml", "teams"))
    source = tree.source("pay.yaml", "pay")
    read(source)
    tree.write("pay.yaml", component("pay", owner="shipping"))
    read(source)
    assert edges() == {
        ("pay", "ownedBy", "group:default/shipping", True),
        ("shipping", "ownerOf", "component:default/pay", True),
    }


def test_a_removed_entity_leaves_what_others_declare_dangling(tree, settings):
    settings.CATALOG_REMOVE_AFTER_SECONDS = 0
    tree.write(FILE, component("a", dependsOn=["component:b"]), component("b"))
    source = tree.source()
    read(source)
    tree.write(FILE, component("a", dependsOn=["component:b"]))
    read(source)
    assert Entity.objects.get(name="b").state == "missing"
    assert ("a", "dependsOn", "component:default/b", True) in edges()  # still shown, as missing
    read(source)
    assert not Entity.objects.filter(name="b").exists()
    assert edges() == {
        ("a", "ownedBy", "group:default/payments", False),
        ("a", "dependsOn", "component:default/b", False),
    }


def test_a_removed_entity_takes_the_ways_back_to_it_along(tree, settings):
    settings.CATALOG_REMOVE_AFTER_SECONDS = 0
    tree.write(FILE, component("a", dependsOn=["component:b"]), component("b"))
    source = tree.source()
    read(source)
    tree.write(FILE, component("b"))
    read(source)
    read(source)
    assert edges() == {("b", "ownedBy", "group:default/payments", False)}


def test_an_entity_may_depend_on_itself_and_in_a_circle(tree):
    tree.write(
        FILE,
        component("a", dependsOn=["component:a", "component:b"]),
        component("b", dependsOn=["component:a"]),
    )
    source = tree.source()
    assert read(source).state == "succeeded"
    named = {(name, kind, ref) for name, kind, ref, _ in edges() if kind != "ownedBy"}
    a, b = "component:default/a", "component:default/b"
    assert named == {
        (one, kind, other)
        for one, other in [("a", a), ("a", b), ("b", a)]
        for kind in ("dependsOn", "dependencyOf")
    }
    tree.write(FILE, component("a"), component("b"))
    read(source)
    assert {kind for _, kind, _, _ in edges()} == {"ownedBy"}


def test_two_parts_of_kinds_are_told_apart_by_the_target(tree):
    tree.write(FILE, component("pay", system="shop", subcomponentOf="big"))
    read(tree.source())
    assert Entity.objects.get(name="pay").system_ref == "system:default/shop"
    assert {ref for _, kind, ref, _ in edges() if kind == "partOf"} == {
        "system:default/shop",
        "component:default/big",
    }
