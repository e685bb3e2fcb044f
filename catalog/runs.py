"""The queue of readings: SyncRun rows that are requested, claimed, kept alive and offered again.

A row is the job; a message to a worker only says "look at row n". A worker holds a row by a lease
that it extends while it reads. Whoever comes back after losing its lease finds that its attempt is
not the current one, and can't write any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from catalog.models import Repository, Source, SyncRun

# A worker that has not shown itself for so long is taken for dead.
LEASE = timedelta(minutes=3)
# Between two offers of a row that no worker has taken.
OFFER_AGAIN = timedelta(minutes=1)
# A source that kills its worker each time must not do so for ever.
MAX_ATTEMPTS = 3
# How many rows one sweep looks at.
SWEEP = 100

State = SyncRun.State
OPEN = (State.QUEUED, State.RUNNING)


class LeaseLost(Exception):
    """Another worker has the run, or it was ended; nothing may be written for it."""


@dataclass(frozen=True)
class Claim:
    """One worker's hold on a run."""

    run: SyncRun
    attempt: int

    def extend(self, lease: timedelta = LEASE) -> None:
        """Shows that the worker lives. Raises LeaseLost."""
        self.update(claimed_until=timezone.now() + lease)

    def update(self, **values: object) -> None:
        """Writes to the run while it is this worker's. Raises LeaseLost."""
        mine = SyncRun.objects.filter(
            pk=self.run.pk, state=State.RUNNING, attempts=self.attempt
        ).update(**values)
        if not mine:
            raise LeaseLost(f"run {self.run.pk}, attempt {self.attempt}")


def request(
    source: Source,
    cause: str,
    user: User | None = None,
    *,
    dry_run: bool = False,
    partial: bool = False,
) -> SyncRun:
    """A queued run of the source, or the one that is already queued or running.

    A dry run stands beside a real one. `partial` reads only what is flagged as changed; a run of
    that kind which has not begun becomes a whole one when that is asked for.
    """
    run = _open_run(source, dry_run, partial)
    while run is None:
        try:
            with transaction.atomic():
                return SyncRun.objects.create(
                    source=source,
                    cause=cause,
                    requested_by=user,
                    dry_run=dry_run,
                    partial=partial,
                    claimed_until=timezone.now() + OFFER_AGAIN,
                )
        except IntegrityError:
            # Someone else was quicker; that run may even have ended by now.
            run = _open_run(source, dry_run, partial)
    return run


def claim(run_id: int) -> Claim | None:
    """Takes a queued run, or one whose worker has died. None: it is not to be had."""
    now = timezone.now()
    taken = (
        SyncRun.objects.filter(pk=run_id, attempts__lt=MAX_ATTEMPTS)
        .filter(Q(state=State.QUEUED) | Q(state=State.RUNNING, claimed_until__lt=now))
        .update(
            state=State.RUNNING,
            started_at=now,
            claimed_until=now + LEASE,
            attempts=F("attempts") + 1,
        )
    )
    if not taken:
        return None
    run = SyncRun.objects.select_related("source").get(pk=run_id)
    return Claim(run, run.attempts)


def offer() -> list[int]:
    """What the sweep finds: the ids of runs that a worker should look at now.

    Requests a run for each source that is due, a partial one where a repository is flagged as
    changed, and offers again what was lost on its way and what a
    dead worker has left. Each id is handed out once in OFFER_AGAIN, however many sweep at a time.
    """
    now = timezone.now()
    _give_up(now)
    being_read = SyncRun.objects.filter(source=OuterRef("pk"), state__in=OPEN, dry_run=False)
    idle = Source.objects.filter(~Exists(being_read), enabled=True)
    due = idle.filter(next_due_at__lte=now).order_by("next_due_at")
    fresh = [request(source, SyncRun.Cause.SCHEDULE).pk for source in due[:SWEEP]]
    flagged = Repository.objects.filter(source=OuterRef("pk"), flagged_at__isnull=False)
    hinted = idle.filter(Exists(flagged)).order_by("pk")
    fresh += [request(s, SyncRun.Cause.WEBHOOK, partial=True).pk for s in hinted[:SWEEP]]
    lost = Q(claimed_until__lt=now) | Q(claimed_until=None)
    stale = SyncRun.objects.filter(lost, state__in=OPEN).order_by("pk")
    return fresh + list(_offer_again(stale[:SWEEP], now))


def _open_run(source: Source, dry_run: bool, partial: bool) -> SyncRun | None:
    found = SyncRun.objects.filter(source=source, state__in=OPEN, dry_run=dry_run)
    if not partial:
        found.filter(state=State.QUEUED, partial=True).update(partial=False)
    return found.first()


def _offer_again(runs: models.QuerySet[SyncRun], now: datetime) -> Iterator[int]:
    """Queues what is stale; whoever else sweeps at this moment finds it changed and leaves it."""
    for run in runs:
        still = SyncRun.objects.filter(pk=run.pk, state=run.state, claimed_until=run.claimed_until)
        if still.update(state=State.QUEUED, claimed_until=now + OFFER_AGAIN):
            yield run.pk


def _give_up(now: datetime) -> None:
    """Ends the runs whose worker has died too often."""
    sentence = f"The worker died {MAX_ATTEMPTS} times while it read this source."
    dead = SyncRun.objects.filter(
        state=State.RUNNING, claimed_until__lt=now, attempts__gte=MAX_ATTEMPTS
    ).select_related("source")
    for run in dead[:SWEEP]:
        ended = SyncRun.objects.filter(
            pk=run.pk, state=State.RUNNING, claimed_until=run.claimed_until
        ).update(state=State.FAILED, finished_at=now, message=sentence)
        if ended and not run.dry_run:
            Source.objects.filter(pk=run.source_id).update(
                last_error=sentence,
                last_attempt_at=now,
                next_due_at=now + timedelta(seconds=run.source.interval_seconds),
            )
