"""What /healthz and the sources page report: is everything that should run running?"""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.utils import DatabaseError
from django.utils import timezone

from portal import hooks
from portal.models import Heartbeat

# A process that has missed this many beats is said to be down.
MISSED_BEATS = 4


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `message` is a sentence for the person who runs Stagedoor."""

    name: str
    ok: bool
    message: str
    # Whether Stagedoor itself is down without it: a foreign server that fails is said and no more.
    vital: bool = True


def touch(name: str) -> None:
    """Notes that a background process lives."""
    Heartbeat.objects.update_or_create(name=name, defaults={"seen_at": timezone.now()})


def checks() -> list[Check]:
    """Every room's checks; the database first, since the others need it."""
    database = _database()
    if not database.ok:
        return [database]
    found = [database, worker_status(), beat_status(), schedule_status()]
    for answer in hooks.health_checks.call():
        found.extend(answer)
    return found


def beat_status() -> Check:
    """Whether Celery beat runs: without it nothing happens on schedule."""
    return _process(
        "beat", "Celery beat", "Nothing is read on schedule. Start it: celery -A portal beat"
    )


def worker_status() -> Check:
    """Whether a Celery worker runs: without it builds are neither read nor started."""
    return _process(
        "worker",
        "The Celery worker",
        "Nothing is read or started. Start it: celery -A portal worker",
    )


def schedule_status() -> Check:
    """Whether what beat sends reaches a worker, so that a lost broker is noticed too."""
    return _process(
        "tick", "The schedule", "Beat's messages do not reach a worker. Look at CELERY_BROKER_URL"
    )


def _process(name: str, label: str, advice: str) -> Check:
    seen_at = Heartbeat.objects.filter(pk=name).values_list("seen_at", flat=True).first()
    if seen_at is None:
        return Check(name, False, f"{label} has not run yet. {advice}.")
    limit = timedelta(seconds=MISSED_BEATS * settings.TICK_SECONDS)
    if timezone.now() - seen_at > limit:
        return Check(
            name,
            False,
            f"{label} has not been seen since {seen_at:%Y-%m-%d %H:%M:%S} UTC. {advice}.",
        )
    return Check(name, True, f"{label} runs.")


def _database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Check("database", False, "The database does not answer. Look at DATABASE_URL.")
    return Check("database", True, "The database answers.")
