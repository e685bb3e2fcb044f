"""A sync applies what a source certainly says, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog import runs, sync
from catalog.models import Entity, Relation, Source, SyncIssue, SyncRun, TeamClosure
from portal import hooks
from tests.catalog.trees import component, document, group, location, problems, read, states

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"
BROKEN = "kind: [unclosed\n"


def entity(name):
    return Entity.objects.get(name=name)


def aged(name, settings):
    """As if the entity had been marked longer ago than the grace lasts."""
    past = timezone.now() - timedelta(seconds=settings.CATALOG_REMOVE_AFTER_SECONDS + 1)
    Entity.objects.filter(name=name).update(gone_at=past)


@pytest.fixture
def told(monkeypatch):
    """The entity ids that the room above was told of, one set a sync."""
    calls = []
    functions = [*hooks.catalog_changed._functions, calls.append]
    monkeypatch.setattr(hooks.catalog_changed, "_functions", functions)
    return calls


# --- What is there ---------------------------------------------------------------------------
def test_a_first_sync_brings_every_entity_with_its_columns(tree):
    metadata = {"title": "Pay API", "description": "Takes Money", "tags": ["go", "tier-1"]}
    tree.write(FILE, component("pay", metadata, system="shop"), group("payments"))
    run = read(tree.source())
    pay = entity("pay")
    assert (run.state, run.files, run.added, run.problems) == ("succeeded", 1, 2, 0)
    assert run.message == "Read 1 file: 2 added."
    assert (pay.ref, pay.title, pay.type) == ("component:default/pay", "Pay API", "service")
    assert (pay.owner_ref, pay.system_ref) == ("group:default/payments", "system:default/shop")
    assert (pay.location, pay.document_index, pay.line) == (FILE, 0, 1)
    assert {tag.value for tag in pay.tags.all()} == {"go", "tier-1"}
    assert all(word in pay.search_text for word in ("pay api", "takes money", "tier-1"))


def test_an_edited_file_changes_what_it_describes_and_nothing_else(tree, told):
    tree.write(FILE, component("pay", {"tags": ["old"]}), component("ship"))
    source = tree.source()
    read(source)
    before = {e.name: e for e in Entity.objects.select_related("file")}
    tree.write(FILE, component("pay", {"title": "New", "tags": ["new"]}), component("ship"))
    run = read(source)
    assert (run.added, run.changed, run.unchanged) == (0, 1, 1)
    assert entity("pay").title == "New"
    assert [tag.value for tag in entity("pay").tags.all()] == ["new"]
    assert entity("pay").created_at == before["pay"].created_at
    assert entity("ship").changed_at == before["ship"].changed_at
    assert entity("ship").seen_at > before["ship"].seen_at


def test_the_room_above_hears_only_of_what_changed(tree, told):
    tree.write(FILE, component("pay"), component("ship"))
    source = tree.source()
    read(source)
    read(source)
    tree.write(FILE, component("pay"), component("ship", {"title": "New"}))
    read(source)
    assert told == [{entity("pay").pk, entity("ship").pk}, {entity("ship").pk}]


def test_an_entity_that_only_moved_down_its_file_is_unchanged_but_for_its_line(tree):
    tree.write(FILE, component("pay"))
    source = tree.source()
    read(source)
    before = entity("pay")
    tree.write(FILE, group("payments"), component("pay"))
    run = read(source)
    assert (run.added, run.unchanged) == (1, 1)
    assert entity("pay").line > before.line
    assert entity("pay").document_index == 1
    assert entity("pay").changed_at == before.changed_at


def test_an_unknown_kind_is_kept_as_unsupported(tree):
    tree.write(FILE, document("Spaceship", "rocinante", crew=4), component("pay"))
    read(tree.source())
    assert states() == {"rocinante": "unsupported", "pay": "active"}
    assert entity("rocinante").spec == {"crew": 4}


# --- What is gone ----------------------------------------------------------------------------
def test_a_removed_document_is_marked_then_removed_after_the_grace(tree, settings, told):
    tree.write(FILE, component("pay"), component("ship"))
    source = tree.source()
    read(source)
    tree.write(FILE, component("pay"))
    assert read(source).missing == 1
    gone = entity("ship")
    assert (gone.state, gone.reason) == ("missing", f"It is no longer described in {FILE}.")
    assert gone.gone_at is not None
    assert read(source).missing == 0  # within the grace: it stays marked
    assert states() == {"pay": "active", "ship": "missing"}
    aged("ship", settings)
    assert read(source).removed == 1
    assert states() == {"pay": "active"}
    assert told[-1] == {gone.pk}


def test_a_file_that_is_gone_from_its_folder_takes_its_entities_along(tree):
    tree.write(f"a/{FILE}", component("pay"))
    tree.write(f"b/{FILE}", component("ship"))
    source = tree.source()
    read(source)
    tree.remove(f"b/{FILE}")
    read(source)
    assert states() == {"pay": "active", "ship": "missing"}
    assert entity("ship").reason == f"The source no longer holds b/{FILE}."


def test_a_run_ends_after_all_that_it_wrote(tree):
    tree.write(FILE, component("pay"))
    source = tree.source()
    run = read(source)
    assert run.started_at < entity("pay").changed_at < run.finished_at
    source.refresh_from_db()
    assert source.last_success_at == source.last_attempt_at == run.finished_at


def test_a_returning_entity_is_active_again(tree):
    tree.write(FILE, component("pay"), component("ship"))
    source = tree.source()
    read(source)
    tree.write(FILE, component("pay"))
    read(source)
    tree.write(FILE, component("pay"), component("ship"))
    assert read(source).changed == 1
    ship = entity("ship")
    assert (ship.state, ship.gone_at, ship.reason) == ("active", None, "")


def test_another_kind_under_the_same_name_is_another_entity(tree):
    tree.write(FILE, component("pay"))
    source = tree.source()
    read(source)
    tree.write(FILE, document("Resource", "pay", type="database", owner="payments"))
    read(source)
    found = dict(Entity.objects.values_list("ref", "state"))
    assert found == {"component:default/pay": "missing", "resource:default/pay": "active"}


def test_entities_of_a_deleted_source_are_marked_and_go_after_the_grace(tree, settings, told):
    tree.write(FILE, component("pay"))
    source = tree.source()
    read(source)
    source.delete()
    sync.retire_orphans()
    assert entity("pay").state == "missing"
    assert entity("pay").reason == "Its source was deleted from Stagedoor."
    sync.retire_orphans()
    assert len(told) == 2  # added, marked; the second sweep had nothing to do
    aged("pay", settings)
    sync.retire_orphans()
    assert states() == {}


# --- What could not be read ------------------------------------------------------------------
@pytest.mark.parametrize("content", [None, "", "# only a comment\n", BROKEN, "<html>no</html>\n"])
def test_a_source_that_cant_be_read_changes_nothing_and_says_so(tree, settings, content):
    tree.write(FILE, component("pay"))
    source = tree.source(FILE)
    success = read(source) and source.last_success_at
    aged("pay", settings)
    before = Entity.objects.values().get()
    if content is None:
        tree.remove(FILE)
    else:
        tree.write(FILE, content)
    run = read(source)
    assert (run.state, run.removed, run.missing) == ("failed", 0, 0)
    assert run.message
    assert source.last_error == run.message
    assert source.last_success_at == success
    assert source.last_attempt_at > success
    assert list(source.issues.values_list("stage", flat=True)) == ["source"]
    assert Entity.objects.values().get() == before


def test_an_empty_folder_is_an_unmounted_disk_and_not_an_empty_catalog(tree):
    tree.write(FILE, component("pay"))
    source = tree.source()
    read(source)
    tree.remove(FILE)
    run = read(source)
    assert run.state == "failed"
    assert run.message == "The folder holds no catalog-info.yaml or catalog-info.yml."
    assert states() == {"pay": "active"}


def test_a_failure_is_forgotten_with_the_next_success(tree):
    source = tree.source()
    read(source)
    assert source.last_error
    tree.write(FILE, component("pay"))
    read(source)
    assert (source.last_error, problems(source)) == ("", [])


def test_a_failed_sync_keeps_the_problems_of_the_last_good_one(tree):
    tree.write(FILE, component("pay"), component("ship", owner=""))
    source = tree.source()
    read(source)
    known = problems(source)
    tree.remove(FILE)
    read(source)
    read(source)
    assert len(known) == 1
    assert len(problems(source)) == 2
    assert set(known) < set(problems(source))


def test_a_removal_never_follows_from_a_failed_sync(tree, settings):
    tree.write(FILE, component("pay"), component("ship"))
    source = tree.source()
    read(source)
    tree.write(FILE, component("pay"))
    read(source)
    aged("ship", settings)
    tree.write(FILE, BROKEN)
    read(source)
    assert states() == {"pay": "active", "ship": "missing"}


def test_a_broken_file_among_many_keeps_its_entities_and_lets_the_others_change(tree):
    for name in ("a", "b", "c"):
        tree.write(f"{name}/{FILE}", component(name), component(f"{name}2"))
    source = tree.source()
    read(source)
    tree.write(f"a/{FILE}", component("a", {"title": "New"}))
    tree.write(f"b/{FILE}", BROKEN)
    run = read(source)
    assert run.state == "succeeded"
    assert entity("a").title == "New"
    assert states() == {
        "a": "active", "a2": "missing", "b": "active", "b2": "active", "c": "active", "c2": "active"
    }  # fmt: skip
    assert [issue.location for issue in source.issues.all()] == [f"b/{FILE}"]


def test_a_file_that_only_an_unread_location_could_name_keeps_its_entities(tree):
    tree.write(FILE, location("all", targets=["./more.yaml", "./other.yaml"]))
    tree.write("more.yaml", location("more", target="./deep.yaml"))
    tree.write("other.yaml", component("ship"))
    tree.write("deep.yaml", component("pay"))
    source = tree.source(FILE)
    read(source)
    tree.write("more.yaml", BROKEN)
    read(source)
    assert states() == {"all": "active", "more": "active", "pay": "active", "ship": "active"}
    tree.write("more.yaml", location("more", targets=[]))
    read(source)
    assert states()["pay"] == "missing"


def test_an_invalid_document_keeps_its_last_good_data_and_gets_a_problem(tree):
    tree.write(FILE, component("pay", {"title": "Good"}), component("ship"))
    source = tree.source()
    read(source)
    seen = entity("pay").seen_at
    tree.write(FILE, component("pay", {"title": "Bad"}, lifecycle=7), component("ship"))
    run = read(source)
    pay = entity("pay")
    assert (run.state, pay.state, pay.title, pay.seen_at) == ("succeeded", "active", "Good", seen)
    issue = SyncIssue.objects.get()
    assert (issue.entity_ref, issue.stage, issue.location) == (pay.ref, "kind", FILE)
    assert issue.line
    assert issue.column


# --- Runs ------------------------------------------------------------------------------------
def test_our_own_error_is_a_failed_run_that_names_the_log(tree, caplog):
    tree.write(FILE, component("pay"))
    source = tree.source()

    def fault(phase, done, total):
        if phase == "entities":  # rows are written, the transaction is open
            raise ZeroDivisionError

    run = sync.run(runs.request(source, SyncRun.Cause.COMMAND).pk, fault)
    source.refresh_from_db()
    assert run.state == "failed"
    assert source.last_error == run.message
    assert run.message == f"Stagedoor itself failed; its log says why (sync run {run.pk})."
    assert states() == {}
    assert "Traceback" in caplog.text


def test_a_source_edited_while_it_is_read_is_not_applied(tree):
    tree.write(FILE, component("pay"))
    tree.write("other.yaml", component("ship"))
    source = tree.source(FILE)

    def edit(phase, done, total):
        Source.objects.filter(pk=source.pk).update(target="other.yaml")

    run = sync.run(runs.request(source, SyncRun.Cause.COMMAND).pk, edit)
    assert run.state == "failed"
    assert "edited while it was read" in run.message
    assert states() == {}


def test_a_worker_that_lost_its_run_writes_nothing(tree):
    tree.write(FILE, component("pay"))
    source = tree.source()
    run = runs.request(source, SyncRun.Cause.COMMAND)

    def taken_over(phase, done, total):
        SyncRun.objects.filter(pk=run.pk).update(attempts=2)

    assert sync.run(run.pk, taken_over) is None
    run.refresh_from_db()
    assert run.state == "running"
    assert states() == {}


def test_runs_of_long_ago_are_deleted(tree):
    tree.write(FILE, component("pay"))
    source = tree.source()
    old = read(source)
    SyncRun.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(days=15))
    new = read(source)
    assert list(SyncRun.objects.all()) == [new]


@pytest.mark.django_db(transaction=True)
def test_sources_that_name_one_another_are_applied_in_turn(tree):
    """Eight at once, each adding ways back to the others' entities and teams above them."""
    names = [f"t{number}" for number in range(8)]
    for name, following in zip(names, names[1:] + names[:1], strict=True):
        tree.write(f"{name}.yaml", group(name, parent=following), component(name, owner=following))
    sources = [tree.source(f"{name}.yaml", name, trusted_for_org=True) for name in names]

    def in_a_thread(source):
        try:
            return sync.run(runs.request(source, SyncRun.Cause.COMMAND).pk).state
        finally:
            connection.close()

    with ThreadPoolExecutor(len(sources)) as pool:
        assert set(pool.map(in_a_thread, sources)) == {"succeeded"}
    assert Entity.objects.count() == 16
    assert Relation.objects.filter(target=None).count() == 0
    assert Relation.objects.count() == 32
    assert TeamClosure.objects.count() == 64  # a circle: everyone is above everyone


# --- Measure ---------------------------------------------------------------------------------
def queries_of_a_sync(source):
    with CaptureQueriesContext(connection) as queries:
        run = read(source)
    assert run.state == "succeeded"
    return len(queries)


def test_the_number_of_queries_grows_by_batches_and_not_by_rows(tree):
    def fill(count):
        rows = [component(f"c{i}", dependsOn=[f"component:c{i + 1}"]) for i in range(count)]
        tree.write(FILE, *rows)

    source = tree.source()
    fill(20)
    read(source)
    few_again = queries_of_a_sync(source)
    fill(2000)
    many_first = queries_of_a_sync(source)
    many_again = queries_of_a_sync(source)
    assert Entity.objects.count() == 2000
    # SQLite takes 999 values in one statement, which is 41 of our rows.
    assert many_first < 200
    assert many_again == few_again < 40
