"""Whose turn it is to offer what is due.

Beat sends ticks whether or not a worker is there. When a busy worker comes to a row of old ticks,
one of them is enough: each offers the same rows, and the queue would only grow.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from portal.models import Heartbeat

NAME = "pipelines-tick"


def take_turn(now: datetime) -> bool:
    """True for the first tick in half a period; also notes that the schedule reaches a worker."""
    period = timedelta(seconds=settings.TICK_SECONDS)
    # One in the future is from before the clock was set back.
    over = Q(seen_at__lte=now - period / 2) | Q(seen_at__gt=now + period)
    if Heartbeat.objects.filter(over, name=NAME).update(seen_at=now):
        return True
    return Heartbeat.objects.get_or_create(name=NAME, defaults={"seen_at": now})[1]
