"""Whose turn it is to offer what is due.

Beat sends ticks whether or not a worker is there. When a busy worker comes to a row of old ticks,
one of them is enough: each offers the same rows, and the queue would only grow.
"""

from datetime import datetime, timedelta

from django.conf import settings

from portal.models import Heartbeat

NAME = "pipelines-tick"


def take_turn(now: datetime) -> bool:
    """True for the first tick in half a period; also notes that the schedule reaches a worker."""
    before = now - timedelta(seconds=settings.TICK_SECONDS / 2)
    if Heartbeat.objects.filter(name=NAME, seen_at__lte=before).update(seen_at=now):
        return True
    return Heartbeat.objects.get_or_create(name=NAME, defaults={"seen_at": now})[1]
