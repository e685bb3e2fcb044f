"""`manage.py catalog_sync` reads now, shows how far it is, and fails when a source does."""

import io

import pytest
from django.core.management import CommandError, call_command

from catalog import runs
from catalog.models import SyncRun
from tests.catalog.trees import component, states

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def sync(*slugs, stdout=None):
    out, err = stdout or io.StringIO(), io.StringIO()
    call_command("catalog_sync", *slugs, stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


def test_catalog_sync_reads_every_source_that_is_on(tree):
    tree.write("a.yaml", component("pay"))
    tree.write("b.yaml", component("ship"))
    tree.source("a.yaml", "a")
    tree.source("b.yaml", "b", enabled=False)
    assert sync() == "a: Read 1 file: 1 added.\n"
    assert states() == {"pay": "active"}
    assert SyncRun.objects.get().cause == "command"


def test_catalog_sync_reads_the_source_that_is_named(tree):
    tree.write("a.yaml", component("pay"))
    tree.write("b.yaml", component("ship"), component("bad", owner=7))
    tree.source("a.yaml", "a")
    tree.source("b.yaml", "b", enabled=False)
    said = sync("b")
    assert states() == {"ship": "active"}
    assert "b: Read 1 file: 1 added. 1 problem.\n  b.yaml:" in said


def test_catalog_sync_fails_when_a_source_does_and_reads_the_others(tree):
    tree.write("b.yaml", component("ship"))
    tree.source(slug="a")
    tree.source("b.yaml", "b")
    with pytest.raises(CommandError, match="Not read: a"):
        sync()
    assert states() == {"ship": "active"}


def test_catalog_sync_of_an_unknown_source_names_those_there_are(tree):
    tree.source(slug="a")
    with pytest.raises(CommandError, match=r"No such source: nope\. There are: a"):
        sync("nope")


def test_catalog_sync_leaves_a_source_to_the_worker_that_reads_it(tree):
    tree.write(FILE, component("pay"))
    runs.claim(runs.request(tree.source(), SyncRun.Cause.SCHEDULE).pk)
    with pytest.raises(CommandError, match="Not read: org"):
        sync()
    assert states() == {}


def test_catalog_sync_draws_a_bar_on_a_terminal_only(tree):
    tree.write(FILE, component("pay"))
    tree.source()
    screen = Terminal()
    sync(stdout=screen)
    bar = "#" * 30
    assert f"org [{bar}] 1 of 1 files" in screen.getvalue()
    assert f"org [{bar}] 1 of 1 entities" in screen.getvalue()
    assert "\r" not in sync()


def test_catalog_sync_without_sources_says_so(db):
    assert "There is no source to read." in sync()
