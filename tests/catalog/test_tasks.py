"""A tick hands out what is due, and a task does one run."""

from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from catalog import runs, tasks
from catalog.models import Entity, Source, SyncRun
from tests.catalog.trees import component, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("at_once")]

FILE = "catalog-info.yaml"


def test_a_tick_reads_an_edited_file_without_anyone_asking(tree):
    tree.write(FILE, component("pay"))
    source = tree.source()
    tasks.tick()
    tree.write(FILE, component("pay", {"title": "New"}))
    tasks.tick()  # not due
    assert Entity.objects.get().title == ""
    Source.objects.filter(pk=source.pk).update(next_due_at=timezone.now())
    tasks.tick()
    assert Entity.objects.get().title == "New"
    assert list(SyncRun.objects.values_list("state", "cause")) == [("succeeded", "schedule")] * 2


def test_a_tick_finishes_the_run_of_a_killed_worker(tree):
    tree.write(FILE, component("pay"))
    claim = runs.claim(runs.request(tree.source(), SyncRun.Cause.PERSON).pk)
    tasks.tick()
    assert states() == {}
    past = timezone.now() - timedelta(seconds=1)
    SyncRun.objects.filter(pk=claim.run.pk).update(claimed_until=past)
    tasks.tick()
    assert states() == {"pay": "active"}
    assert SyncRun.objects.get().attempts == 2


def test_a_tick_marks_the_entities_of_a_deleted_source(tree):
    tree.write(FILE, component("pay"))
    source = tree.source()
    tasks.tick()
    source.delete()
    tasks.tick()
    assert states() == {"pay": "missing"}


def test_a_message_that_comes_twice_does_its_run_once(tree):
    tree.write(FILE, component("pay"))
    run = runs.request(tree.source(), SyncRun.Cause.PERSON)
    tasks.sync_source(run.pk)
    first = SyncRun.objects.get()
    tasks.sync_source(run.pk)
    assert SyncRun.objects.get().finished_at == first.finished_at


def test_beat_knows_the_tick_by_its_name():
    scheduled = {entry["task"] for entry in django_settings.CELERY_BEAT_SCHEDULE.values()}
    assert tasks.tick.name in scheduled
