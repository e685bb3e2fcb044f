"""The queue of readings: one open run a source, held by a lease, offered again when lost."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from catalog import runs, sync
from catalog.models import Entity, Repository, Source, SyncRun
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"
PERSON = SyncRun.Cause.PERSON


@pytest.fixture
def source(tree):
    tree.write(FILE, component("pay"))
    return tree.source()


def expire(run):
    SyncRun.objects.filter(pk=run.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))


def test_a_second_request_gives_the_run_that_is_open(source, django_user_model):
    ana = django_user_model.objects.create_user("ana")
    first = runs.request(source, PERSON, ana)
    assert runs.request(source, SyncRun.Cause.SCHEDULE) == first
    assert (first.requested_by, first.cause) == (ana, "person")
    runs.claim(first.pk)
    assert runs.request(source, PERSON) == first
    sync.run(first.pk)  # not to be had
    assert SyncRun.objects.get().state == "running"


def test_two_runs_of_one_source_cannot_be_open_at_once(source):
    SyncRun.objects.create(source=source, cause=PERSON, state="running")
    with pytest.raises(IntegrityError), transaction.atomic():
        SyncRun.objects.create(source=source, cause=PERSON)


def test_a_run_is_claimed_once(source):
    run = runs.request(source, PERSON)
    claim = runs.claim(run.pk)
    assert claim.attempt == 1
    assert claim.run.state == "running"
    assert runs.claim(run.pk) is None


def test_a_finished_run_is_not_done_again(source):
    run = read(source)
    assert runs.claim(run.pk) is None
    assert sync.run(run.pk) is None


def test_a_worker_that_shows_itself_keeps_its_run(source):
    claim = runs.claim(runs.request(source, PERSON).pk)
    expire(claim.run)
    claim.extend()
    assert runs.claim(claim.run.pk) is None
    assert runs.offer() == []


def test_what_is_due_is_offered_once(source):
    [run_id] = runs.offer()
    assert SyncRun.objects.get(pk=run_id).cause == "schedule"
    assert runs.offer() == []


def test_a_source_that_is_not_due_or_switched_off_is_left_alone(tree, source):
    tree.source(slug="off", enabled=False)
    Source.objects.filter(pk=source.pk).update(next_due_at=timezone.now() + timedelta(hours=1))
    assert runs.offer() == []


def test_a_source_is_due_again_an_interval_after_it_was_read(source):
    Source.objects.filter(pk=source.pk).update(interval_seconds=600)
    before = timezone.now()
    read(source)
    wait = source.next_due_at - before
    assert timedelta(seconds=600) <= wait < timedelta(seconds=660)


def test_a_queued_run_whose_message_was_lost_is_offered_again(source):
    [run_id] = runs.offer()
    expire(SyncRun.objects.get())
    assert runs.offer() == [run_id]
    assert runs.offer() == []


def test_a_run_whose_worker_was_killed_is_offered_again_and_done(source):
    dead = runs.claim(runs.request(source, PERSON).pk)
    assert runs.offer() == []
    expire(dead.run)
    assert runs.offer() == [dead.run.pk]
    assert sync.run(dead.run.pk).state == "succeeded"
    assert Entity.objects.count() == 1
    with pytest.raises(runs.LeaseLost):
        dead.extend()


def test_a_source_that_kills_its_worker_each_time_is_given_up(source):
    run = runs.request(source, PERSON)
    for _ in range(runs.MAX_ATTEMPTS):
        assert runs.claim(run.pk)
        expire(run)
        runs.offer()
    source.refresh_from_db()
    run.refresh_from_db()
    assert run.state == "failed"
    assert source.last_error == "The worker died 3 times while it read this source."
    assert source.next_due_at > timezone.now()
    assert runs.offer() == []


# --- Partial and dry runs --------------------------------------------------------------------
def flagged(source):
    return Repository.objects.create(
        source=source, external_id="1", full_name="a/b", url="x", flagged_at=timezone.now()
    )


def test_a_flagged_repository_is_offered_as_a_partial_run(tree):
    source = tree.source(next_due_at=timezone.now() + timedelta(hours=1))
    assert runs.offer() == []
    flagged(source)
    (run_id,) = runs.offer()
    run = SyncRun.objects.get(pk=run_id)
    assert (run.partial, run.cause) == (True, "webhook")
    assert runs.offer() == []


def test_a_partial_run_that_waits_becomes_a_whole_one_when_that_is_asked_for(tree):
    source = tree.source()
    partial = runs.request(source, SyncRun.Cause.WEBHOOK, partial=True)
    whole = runs.request(source, SyncRun.Cause.PERSON)
    assert (whole.pk, whole.partial) == (partial.pk, False)


def test_a_dry_run_stands_beside_a_real_one_and_keeps_nobody_waiting(tree):
    source = tree.source(next_due_at=timezone.now() - timedelta(hours=1))
    dry = runs.request(source, SyncRun.Cause.PERSON, dry_run=True)
    assert runs.request(source, SyncRun.Cause.PERSON, dry_run=True) == dry
    (run_id,) = runs.offer()
    assert run_id != dry.pk
    assert not SyncRun.objects.get(pk=run_id).dry_run


def test_a_partial_run_that_fails_waits_for_the_schedule(tree):
    source = tree.source("nowhere", next_due_at=timezone.now() + timedelta(hours=1))
    repository = flagged(source)
    run = sync.run(runs.request(source, SyncRun.Cause.WEBHOOK, partial=True).pk)
    assert run.state == "failed"
    repository.refresh_from_db()
    assert repository.flagged_at is None
    assert runs.offer() == []
