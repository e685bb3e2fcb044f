"""An entity says that it has problems exactly while the latest reading found some."""

import pytest

from catalog.models import Entity, SyncIssue
from tests.catalog.trees import component, read

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
