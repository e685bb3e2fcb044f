"""A settled file costs nothing while it is the same, and nobody can tell the difference."""

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog import locations, sync, version
from catalog.models import (
    Entity,
    Membership,
    Relation,
    Source,
    SourceFile,
    SyncIssue,
    SyncRun,
    TeamClosure,
)
from tests.catalog.trees import component, document, group, location, read, states, user

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"
BROKEN = "kind: [unclosed\n"
NAMES = ["ant", "bee", "cat", "dog"]


@pytest.fixture
def parsed(monkeypatch):
    """How many files were parsed since."""
    calls = []

    def counting(data, **keywords):
        calls.append(data)
        return parse(data, **keywords)

    parse = locations.parse
    monkeypatch.setattr(locations, "parse", counting)
    return calls


def reads(source, parsed):
    """(files parsed, what the run says) of one more reading."""
    parsed.clear()
    run = read(source)
    return len(parsed), run.message


# --- What costs nothing ----------------------------------------------------------------------
def test_an_unchanged_file_is_not_parsed_again(tree, parsed):
    tree.write(f"a/{FILE}", component("pay"), component("ship"))
    tree.write(f"b/{FILE}", component("web"))
    source = tree.source()
    assert reads(source, parsed) == (2, "Read 2 files: 3 added.")
    before = version.current()
    seen = SourceFile.objects.get(location=f"a/{FILE}").seen_at
    assert reads(source, parsed) == (0, "Read 2 files: 3 unchanged.")
    assert version.current() == before
    assert SourceFile.objects.get(location=f"a/{FILE}").seen_at > seen
    tree.write(f"b/{FILE}", component("web", {"title": "New"}))
    assert reads(source, parsed) == (1, "Read 2 files: 1 changed, 2 unchanged.")
    assert version.current() > before


def test_an_unchanged_reading_asks_the_same_few_queries_of_one_and_of_many(tree):
    def queries(count):
        tree.write(FILE, *(component(f"c{number}") for number in range(count)))
        read(source)
        with CaptureQueriesContext(connection) as captured:
            read(source)
        return len(captured)

    source = tree.source()
    # The rooms and docs look through the entities in batches.
    assert queries(300) <= queries(3) + 2 < 60


@pytest.mark.parametrize(
    "documents",
    [
        [location("root", target="./other.yaml"), component("own")],
        [component("own"), component("bad", owner=7)],
        [component("own"), BROKEN],
        [component("own", {"description": {"$text": "./other.yaml"}})],
        [component("own"), component("taken")],
    ],
)
def test_what_does_not_follow_from_its_bytes_alone_is_parsed_again(tree, parsed, documents):
    tree.write("rival.yaml", component("taken"))
    tree.write("other.yaml", component("other"))
    tree.write(FILE, *documents)
    read(tree.source("rival.yaml", "rival"))
    source = tree.source(FILE)
    assert reads(source, parsed)[0] >= 1
    assert reads(source, parsed)[0] >= 1


def test_an_edit_of_the_source_parses_everything_again(tree, parsed):
    tree.write(FILE, component("pay"), group("payments"))
    source = tree.source()
    read(source)
    source.allowed_kinds = ["Component"]
    source.save()
    assert reads(source, parsed)[0] == 1
    assert "not allowed here" in SyncIssue.objects.get().message


@pytest.mark.parametrize("how", ["deleted", "missing", "taken"])
def test_a_file_whose_entity_was_taken_away_is_read_again(tree, parsed, how):
    tree.write(FILE, component("pay"), component("ship"))
    source = tree.source()
    read(source)
    pay = Entity.objects.filter(name="pay")
    if how == "deleted":
        pay.delete()
    elif how == "missing":
        pay.update(state="missing", gone_at=timezone.now(), reason="?")
    else:
        pay.update(source=tree.source("x.yaml", "x"), file=None)
    assert reads(source, parsed)[0] == 1
    assert states() == {"pay": "active", "ship": "active"}


def test_the_problems_of_a_settled_file_stay(tree, parsed):
    tree.write(FILE, component("pay", {"title": "t" * 300}))
    tree.write(f"b/{FILE}", component("web", owner=7))
    source = tree.source()
    read(source)
    known = sorted(SyncIssue.objects.values_list("location", "message"))
    assert len(known) == 2
    assert reads(source, parsed)[0] == 1  # that with the broken document
    assert sorted(SyncIssue.objects.values_list("location", "message")) == known
    assert source.runs.first().problems == 2
    assert Entity.objects.get(name="pay").has_issues


def test_the_row_of_a_file_goes_with_its_last_entity(tree, settings):
    settings.CATALOG_REMOVE_AFTER_SECONDS = 0
    tree.write(f"a/{FILE}", component("pay"))
    tree.write(f"b/{FILE}", component("web"))
    source = tree.source()
    read(source)
    tree.remove(f"b/{FILE}")
    read(source)
    assert SourceFile.objects.count() == 2
    read(source)
    assert states() == {"pay": "active"}
    assert list(SourceFile.objects.values_list("location", flat=True)) == [f"a/{FILE}"]


# --- Nobody can tell -------------------------------------------------------------------------
def edits(seed):
    """A few rounds of what people do to two sources' files: [(path, documents or None)]."""
    dice = random.Random(seed)

    def some():
        pool = [component(n, {"title": dice.choice("AB")}) for n in dice.sample(NAMES, 2)]
        pool += [
            group("team", parent=dice.choice(["team", "all"])),
            user("ana", dice.choice(["team", "all"])),
            component("ant", owner=7),
            document("Widget", "odd"),
            component("elk", dependsOn=["component:ant", "component:nobody"]),
            component("fox", {"title": "t" * 300}),
            BROKEN,
        ]
        return dice.sample(pool, dice.randint(1, 3))

    paths = [f"{source}/{folder}/{FILE}" for source in ("one", "two") for folder in "xyz"]
    start = [(path, some()) for path in paths]
    rounds = [
        [(path, some() if dice.random() > 0.3 else None) for path in dice.sample(paths, 2)]
        for _ in range(6)
    ]
    return [start, *rounds]


def catalog():
    """All that is known, but for keys and dates."""
    return {
        "entities": set(
            Entity.objects.annotate(old=Q(last_good_at__isnull=False)).values_list(
                "ref", "title", "state", "reason", "location", "line", "source__slug",
                "file__location", "has_issues", "old",
            )
        ),
        "relations": set(
            Relation.objects.values_list(
                "source__ref", "type", "target_ref", "declared", "target__ref"
            )
        ),
        "issues": sorted(SyncIssue.objects.values_list("location", "stage", "message")),
        "members": set(Membership.objects.values_list("team__ref", "user_ref", "origin__slug")),
        "teams": set(TeamClosure.objects.values_list("ancestor__ref", "descendant__ref", "depth")),
    }  # fmt: skip


def history(tree, rounds, *, shortcut):
    """What the catalog is after each round."""
    Entity.objects.all().delete()
    Source.objects.all().delete()
    sources = [tree.source(slug, slug, trusted_for_org=True) for slug in ("one", "two")]
    found = []
    for number, edited in enumerate(rounds):
        for path, documents in edited:
            if documents is not None:
                tree.write(path, *documents)
            elif (tree.folder / path).exists():
                tree.remove(path)
        for source in sources:
            if not shortcut:
                SourceFile.objects.update(settled=False)
            read(source)
        found.append(catalog())
        if number % 3 == 2:
            past = timezone.now() - timedelta(days=2)
            Entity.objects.filter(state="missing").update(gone_at=past)
    for path in tree.folder.rglob(FILE):
        path.unlink()
    return found


@pytest.mark.parametrize("seed", range(8))
def test_any_edits_give_the_same_catalog_with_and_without_the_shortcut(tree, parsed, seed):
    rounds = edits(seed)
    plain = history(tree, rounds, shortcut=False)
    every = len(parsed)
    parsed.clear()
    quick = history(tree, rounds, shortcut=True)
    assert quick == plain
    assert len(parsed) < every


# --- A dry run is a real one -----------------------------------------------------------------
@pytest.mark.parametrize("seed", range(8))
def test_a_dry_run_says_exactly_what_the_real_one_then_does(tree, seed):
    sources = [tree.source(slug, slug) for slug in ("one", "two")]
    for edited in edits(seed):
        for path, documents in edited:
            if documents is not None:
                tree.write(path, *documents)
            elif (tree.folder / path).exists():
                tree.remove(path)
        for source in sources:
            before, counted = catalog(), version.current()
            kept = Source.objects.values().get(pk=source.pk)
            tried = sync.run(sync.runs.request(source, SyncRun.Cause.PERSON, dry_run=True).pk)
            assert (catalog(), version.current()) == (before, counted)
            assert Source.objects.values().get(pk=source.pk) == kept
            refs = {entity[0]: entity for entity in before["entities"]}
            done = read(source)
            now = {entity[0]: entity for entity in catalog()["entities"]}
            assert (tried.state, tried.message) == (done.state, done.message)
            if done.state == "failed":
                continue
            assert tried.plan["added"] == sorted(set(now) - set(refs))
            gone = {ref for ref in refs if ref not in now}
            gone |= {ref for ref in now if now[ref][2] == "missing" != refs.get(ref, ("",) * 3)[2]}
            assert [ref for ref, why in tried.plan["removed"]] == sorted(gone)
            assert tried.plan["counts"]["changed"] == done.changed
            found = len(tried.plan["issues"]) + len(tried.plan["conflicts"])
            assert found <= done.problems
