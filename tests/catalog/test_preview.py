"""A source can be tried before there is one, and nothing stays of the try."""

import pytest

from catalog.models import Entity, Source, SourceFile, SyncIssue, SyncRun
from catalog.preview import preview
from catalog.sources import SourceFailed, SourceSpec
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db


def spec(tree, path):
    return SourceSpec("path", str(tree.folder / path))


def test_a_preview_says_what_a_source_would_bring_and_leaves_nothing(tree):
    tree.write("a.yaml", component("pay"))
    read(tree.source("a.yaml"))
    tree.write("b.yaml", component("pay"), component("ship"), component("bad", owner=7))
    tables = (Entity, Source, SourceFile, SyncIssue, SyncRun)
    before = [list(table.objects.order_by("pk").values()) for table in tables]
    plan = preview(spec(tree, "b.yaml"), "New one")
    assert (plan.added, plan.changed, plan.removed) == (["component:default/ship"], [], [])
    assert [ref for ref, _ in plan.conflicts] == ["component:default/pay"]
    assert [place for place, _, _ in plan.issues] == ["b.yaml"]
    assert (plan.files, plan.counts["added"], plan.held) == (1, 1, {})
    assert [list(table.objects.order_by("pk").values()) for table in tables] == before


def test_a_preview_lists_the_first_and_counts_all(tree):
    tree.write("all.yaml", *(component(f"c{number}") for number in range(600)))
    plan = preview(spec(tree, "all.yaml"), "Many")
    assert (len(plan.added), plan.counts["added"]) == (500, 600)


def test_what_cant_be_read_is_said_with_its_problems(tree):
    tree.write("a.yaml", "kind: [unclosed\n")
    with pytest.raises(SourceFailed) as failure:
        preview(spec(tree, "a.yaml"), "Broken")
    assert failure.value.issues
    assert not Source.objects.exists()
