"""A process that has stopped is said, with what to do."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal import health, hooks
from portal.models import Heartbeat

pytestmark = pytest.mark.django_db


def test_a_process_that_never_ran_is_said():
    assert not health.beat_status().ok
    assert "has not run yet" in health.beat_status().message


def test_a_process_that_was_touched_lives_and_a_silent_one_does_not():
    health.touch("beat")
    assert health.beat_status().ok
    Heartbeat.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    assert "has not been seen since" in health.beat_status().message


def test_the_rooms_above_add_their_checks():
    def failing():
        return [health.Check("catalog", False, "A source is overdue.")]

    hooks.health_checks.register(failing)
    try:
        assert "catalog" in [check.name for check in health.checks()]
    finally:
        hooks.health_checks._functions.remove(failing)
