"""Green is only what was read lately and wholly; the health check says the rest."""

from datetime import timedelta

import pytest
from django.utils import timezone

from catalog.models import Source, SyncRun
from catalog.source_status import health_checks, status_of
from portal import health

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def source(slug="org", due_in=60, **fields):
    values = {"last_success_at": NOW, "interval_seconds": 100, **fields}
    due = NOW + timedelta(seconds=due_in)
    return Source.objects.create(slug=slug, kind="path", target=".", next_due_at=due, **values)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "passed"),
        ({"due_in": -299}, "passed"),
        ({"due_in": -301}, "unknown"),
        ({"last_success_at": None}, "unknown"),
        ({"last_error": "No."}, "failed"),
        ({"last_error": "No.", "due_in": -301}, "failed"),
        ({"enabled": False}, "skipped"),
    ],
)
def test_a_source_is_green_only_when_its_data_are_fresh(fields, state):
    assert status_of(source(**fields), None, NOW).state == state


def test_a_reading_under_way_shows_before_all_else():
    run = SyncRun(state="running")
    assert status_of(source(last_error="No."), run, NOW).state == "running"


def test_health_counts_failed_and_overdue_sources_without_naming_them():
    source("secret-a", last_error="No.", due_in=-301)
    source("secret-b", due_in=-301)
    source("good")
    source("off", enabled=False, last_error="No.", due_in=-301)
    [check] = health_checks()
    assert not check.ok
    assert check.message == (
        "Of 3 catalog sources, 1 could not be read and 1 not read when due. "
        "The sources page says why."
    )


def test_health_is_good_when_every_source_is_read():
    source("good")
    source("off", enabled=False, last_error="No.")
    assert [check.ok for check in health_checks()] == [True]


def test_health_shows_on_healthz(client):
    source(last_error="No.")
    for process in ("worker", "beat", "tick"):
        health.touch(process)
    response = client.get("/healthz")
    assert response.status_code == 200, "a source that fails takes nothing out of service"
    answer = response.json()
    assert not answer["ok"]
    assert {"catalog": False}.items() <= {c["name"]: c["ok"] for c in answer["checks"]}.items()
