"""Who gets a name that two claim, and what becomes of values that do not fit."""

import pytest

from catalog.models import Entity, SyncIssue
from tests.catalog.trees import component, problems, read, states

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"


def entity(name):
    return Entity.objects.get(name=name)


# --- Names that two claim --------------------------------------------------------------------
def test_the_first_source_keeps_a_name_that_a_second_claims(tree):
    tree.write("a.yaml", component("pay", {"title": "First"}))
    tree.write("b.yaml", component("pay", {"title": "Second"}), component("ship"))
    first, second = tree.source("a.yaml", "first"), tree.source("b.yaml", "second")
    read(first)
    run = read(second)
    assert (run.state, run.added) == ("succeeded", 1)
    assert entity("pay").title == "First"
    assert entity("pay").source == first
    issue = SyncIssue.objects.get()
    assert (issue.entity_ref, issue.source) == ("component:default/pay", second)
    assert 'the source "First" already, in a.yaml at line 1' in issue.message


def test_an_entity_that_left_one_source_may_move_to_another(tree):
    tree.write("a.yaml", component("pay"), component("ship"))
    tree.write("b.yaml", component("pay"))
    first, second = tree.source("a.yaml", "first"), tree.source("b.yaml", "second")
    read(first)
    tree.write("a.yaml", component("ship"))
    read(first)
    read(second)
    assert entity("pay").source == second
    assert entity("pay").state == "active"
    read(first)
    assert states() == {"pay": "active", "ship": "active"}


def test_within_a_source_the_file_that_has_a_name_keeps_it(tree):
    tree.write(f"b/{FILE}", component("pay", {"title": "Had it"}))
    source = tree.source()
    read(source)
    tree.write(f"a/{FILE}", component("pay", {"title": "Comes first"}))
    read(source)
    assert entity("pay").title == "Had it"
    assert problems(source) == [
        f"component:default/pay is described by this source already, in b/{FILE} at line 1. "
        "That one keeps the name; this document is ignored."
    ]


# --- What does not fit -----------------------------------------------------------------------
def test_values_too_long_for_their_column_become_problems_and_no_error(tree):
    long = component("pay", {"title": "t" * 300}, type="x" * 150, owner="o" * 300)
    tree.write(FILE, long, component("ship"))
    source = tree.source()
    run = read(source)
    pay = entity("pay")
    assert (run.state, run.added) == ("succeeded", 2)
    assert (len(pay.title), len(pay.type), pay.owner_ref) == (200, 100, "")
    assert pay.relations.count() == 0
    assert {issue.entity_ref for issue in source.issues.all()} == {pay.ref}
    assert len(problems(source)) == 3


def test_characters_that_a_database_refuses_are_problems_of_their_document(tree):
    bad = 'apiVersion: a/v1\nkind: Component\nmetadata: {name: x, title: "a\\0b"}\nspec: {}\n'
    tree.write(FILE, bad, component("pay"))
    source = tree.source()
    assert read(source).state == "succeeded"
    assert states() == {"pay": "active"}
    assert problems(source)
