"""Background work of the ground floor."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from portal.celery import app
from portal.tasks import forget_sessions

pytestmark = pytest.mark.django_db


def test_sessions_that_have_expired_are_forgotten():
    now = timezone.now()
    for key, hours in {"over": -1, "open": 1}.items():
        expires = now + timedelta(hours=hours)
        Session.objects.create(session_key=key, session_data="x", expire_date=expires)
    forget_sessions()
    assert [session.session_key for session in Session.objects.all()] == ["open"]


def test_every_scheduled_task_exists():
    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert forget_sessions.name in scheduled
    assert scheduled <= set(app.tasks)
