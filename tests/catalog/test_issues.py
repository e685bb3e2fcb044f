"""An entity says that it has problems exactly while the latest reading found some."""

import pytest

from catalog import sync, version
from catalog.models import Entity, SyncIssue
from tests.catalog.trees import component, location, read

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"


def troubled():
    return set(Entity.objects.filter(has_issues=True).values_list("name", flat=True))


def test_a_problem_is_marked_and_unmarked_with_the_reading_that_finds_it(tree):
    tree.write(FILE, component("pay"), component("ship"))
    source = tree.source()
    read(source)
    assert troubled() == set()
    tree.write(FILE, component("pay", lifecycle=7), component("ship", {"title": "t" * 300}))
    read(source)
    assert troubled() == {"pay", "ship"}
    tree.write(FILE, component("pay"), component("ship", {"title": "t" * 300}))
    read(source)
    assert troubled() == {"ship"}


def test_a_problem_of_another_source_keeps_the_mark(tree):
    tree.write("a.yaml", component("pay", {"title": "t" * 300}))
    tree.write("b.yaml", component("pay"), component("ship"))
    first, second = tree.source("a.yaml", "first"), tree.source("b.yaml", "second")
    read(first)
    read(second)
    assert troubled() == {"pay"}
    tree.write("b.yaml", component("ship"))
    read(second)
    assert troubled() == {"pay"}
    tree.write("a.yaml", component("pay"))
    read(first)
    assert troubled() == set()


def test_a_reading_that_fails_keeps_what_the_last_good_one_marked(tree):
    tree.write(FILE, component("pay", {"title": "t" * 300}), component("ship"))
    source = tree.source()
    read(source)
    tree.write(FILE, "kind: [unclosed\n")
    read(source)
    assert troubled() == {"pay"}


def test_a_problem_belongs_to_its_file_and_goes_with_it(tree):
    tree.write(f"a/{FILE}", component("pay", owner=7))
    tree.write(f"b/{FILE}", component("ship", owner=7), component("own"))
    source = tree.source()
    read(source)
    assert SyncIssue.objects.count() == 2
    tree.remove(f"a/{FILE}")
    run = read(source)
    assert run.problems == SyncIssue.objects.count() == 1


def test_what_is_kept_of_the_catalog_is_over_when_a_problem_goes(tree):
    tree.write("a.yaml", component("pay"))
    tree.write("b.yaml", component("pay"), component("ship"))
    read(tree.source("a.yaml", "first"))
    second = tree.source("b.yaml", "second")
    read(second)
    assert troubled() == {"pay"}
    before = version.current()
    tree.write("b.yaml", component("ship"))
    assert read(second).changed == 0
    assert troubled() == set()
    assert version.current() > before


def test_what_is_kept_of_the_catalog_outlives_readings_that_find_the_same_problems(tree):
    tree.write(FILE, component("pay", owner=7), component("ship", {"title": "t" * 300}))
    source = tree.source()
    read(source)
    before = version.current()
    run = read(source)
    assert (run.problems, set(source.issues.values_list("run", flat=True))) == (2, {run.pk})
    assert version.current() == before
    tree.write(FILE, component("pay", owner=8), component("ship", {"title": "t" * 300}))
    read(source)
    assert version.current() > before


def test_what_is_kept_of_the_catalog_outlives_a_source_that_goes_on_failing(tree):
    source = tree.source("nowhere.yaml")
    read(source)
    before = version.current()
    assert read(source).state == "failed"
    assert version.current() == before


def test_the_problems_of_a_deleted_source_go_with_it(tree):
    tree.write("a.yaml", component("pay"))
    tree.write("b.yaml", component("pay"), component("ship"))
    read(tree.source("a.yaml", "first"))
    second = tree.source("b.yaml", "second")
    read(second)
    before = version.current()
    second.delete()
    sync.retire_orphans()
    assert troubled() == set()
    assert version.current() > before


def test_a_name_that_another_source_has_a_problem_with_begins_with_it(tree):
    tree.write("a.yaml", component("pay", owner=7), component("ship"))
    tree.write("b.yaml", component("pay"))
    read(tree.source("a.yaml", "first"))
    read(tree.source("b.yaml", "second"))
    assert troubled() == {"pay"}


def test_an_invalid_copy_does_not_age_what_is_valid_elsewhere(tree):
    tree.write(f"a/{FILE}", component("pay"))
    tree.write(f"b/{FILE}", component("pay", owner=7))
    source = tree.source()
    for _ in range(3):
        read(source)
        assert Entity.objects.get().last_good_at is None
    tree.write(f"a/{FILE}", component("pay"), component("ship"))
    read(source)
    assert Entity.objects.get(name="pay").last_good_at is None


def test_a_target_that_one_location_may_miss_is_still_a_problem_of_the_other(tree):
    may = location("may", target="./gone.yaml", presence="optional")
    must = location("must", target="./gone.yaml")
    tree.write("all.yaml", may, must)
    source = tree.source("all.yaml")
    read(source)
    assert list(source.issues.values_list("entity_ref", flat=True)) == ["location:default/must"]
