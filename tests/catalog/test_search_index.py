"""The indexes are made after migrations and kept by the database itself."""

import pytest
from django.db import connection, transaction

from catalog import search_index
from catalog.models import Entity, Source
from catalog.search import matching
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db


def found(text):
    return set(matching(Entity.objects.all(), text).values_list("name", flat=True))


@pytest.fixture
def catalog(tree):
    tree.write("all.yaml", component("pay", {"title": "Checkout"}), component("cart"))
    read(tree.source("all.yaml"))


def test_whoever_writes_search_text_can_not_forget_the_index(catalog):
    Entity.objects.filter(name="cart").update(search_text="basket")
    assert (found("cart"), found("basket")) == (set(), {"cart"})
    Entity.objects.filter(name="cart").update(description="x", search_text="basket")
    assert found("basket") == {"cart"}
    Entity.objects.filter(name="cart").delete()
    assert found("basket") == set()


@pytest.mark.django_db(transaction=True)
def test_what_a_migration_has_dropped_comes_back_filled(catalog):
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER catalog_entity_trigrams_update")
        else:
            cursor.execute("DROP INDEX entity_search_trigrams")
    Entity.objects.filter(name="cart").update(search_text="basket")
    search_index.ensure(connection)
    assert found("basket") == {"cart"}
    Entity.objects.filter(name="cart").update(search_text="trolley")
    assert (found("basket"), found("trolley")) == (set(), {"cart"})


def test_entities_that_come_all_at_once_are_found_and_so_are_those_that_follow(catalog, tree):
    tree.write("more.yaml", component("basket"))
    source = tree.source("more.yaml", "more")
    with transaction.atomic(), search_index.entities_at_once(connection):
        read(source)
    tree.write("more.yaml", component("basket"), component("trolley"))
    read(source)
    assert (found("basket"), found("trolley"), found("cart")) == ({"basket"}, {"trolley"}, {"cart"})


def test_entities_that_came_in_vain_leave_the_index_as_it_was(catalog, tree):
    tree.write("more.yaml", component("basket"))
    source = tree.source("more.yaml", "more")
    with transaction.atomic():
        with search_index.entities_at_once(connection):
            read(source)
        transaction.set_rollback(True)
    assert found("basket") == set()
    tree.write("all.yaml", component("pay"), component("trolley"))
    read(Source.objects.get(slug="org"))
    assert found("trolley") == {"trolley"}


@pytest.mark.django_db(transaction=True)
def test_once_made_it_is_only_looked_at(catalog, django_assert_max_num_queries):
    with django_assert_max_num_queries(6):
        search_index.ensure(connection)


def test_health_says_when_search_has_to_read_everything():
    assert search_index.health_checks() == []
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DROP EXTENSION pg_trgm CASCADE")
        [check] = search_index.health_checks()
        assert (check.ok, "CREATE EXTENSION pg_trgm" in check.message) == (True, True)
