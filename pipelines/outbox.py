"""The states of a trigger and the one way to change them: a conditional UPDATE.

Two workers, a late answer and a sweep may meet at one row. Whoever changes it names the states
that it may be in; the loser's UPDATE matches no row and it stops.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual
from django.utils import timezone

from pipelines import turns
from pipelines.models import Approval, Trigger

State = Trigger.State
SETTLED = (
    State.LINKED,
    State.DENIED,
    State.FAILED,
    State.WITHDRAWN,
    State.REFUSED,
    State.EXPIRED,
)
# How often a look-up is repeated before the vendor's "none" is believed.
MAX_LOOKUPS = 5


def move(trigger_id: int, from_states: Collection[str], to: str, **values: object) -> bool:
    """Changes the state if it is one of `from_states`; whether it was."""
    values.setdefault("finished_at", timezone.now() if to in SETTLED else None)
    rows = Trigger.objects.filter(pk=trigger_id, state__in=list(from_states))
    return bool(rows.update(state=to, **values))


def claim(trigger_id: int, now: datetime) -> Trigger | None:
    """Takes a due trigger for sending; None when it is not due, another worker has it, or others of
    its service come first: then its message says which."""
    due = Q(pk=trigger_id, state=State.QUEUED, not_before__lte=now)
    rows = Trigger.objects.filter(due, approved())
    lease = now + timedelta(seconds=settings.DISPATCH_LEASE_SECONDS)
    with transaction.atomic():
        wait = turns.hold(trigger_id, now)
        if wait:
            again = now + turns.PAUSE
            rows.update(message=wait[:500], not_before=again, turn_at=again)
            return None
        if not rows.update(state=State.DISPATCHING, claimed_until=lease, attempt=F("attempt") + 1):
            return None
    return load(trigger_id)


def release(trigger_id: int, now: datetime) -> bool:
    """Lets a request be sent that waited for approvals and has them; whether it did."""
    waiting = Q(pk=trigger_id, state=State.AWAITING, approve_by__gt=now)
    rows = Trigger.objects.filter(waiting, approved())
    return bool(rows.update(state=State.QUEUED, not_before=now))


def approved() -> Q:
    """Enough approvals of what would be sent, of people other than who asked, and no refusal.

    No annotation: with one, the UPDATE would look its rows up first, and believe them later.
    """
    words = Approval.objects.filter(trigger=OuterRef("pk"))
    yes = words.filter(verdict=Approval.Verdict.APPROVE, fingerprint=OuterRef("fingerprint"))
    others = yes.exclude(approver=OuterRef("actor")).exclude(fingerprint="")
    count = others.order_by().values("trigger").annotate(given=Count("pk")).values("given")
    enough = GreaterThanOrEqual(Coalesce(Subquery(count), 0), F("approvals_needed"))
    return Q(enough) & ~Q(Exists(words.filter(verdict=Approval.Verdict.REFUSE)))


def hold(trigger_id: int) -> Trigger:
    """The row as it is now, and nobody else changes it until the caller's transaction ends."""
    Trigger.objects.select_for_update().values_list("pk").get(pk=trigger_id)
    return load(trigger_id)


def claim_question(trigger_id: int, now: datetime) -> Trigger | None:
    """Takes a sent or uncertain trigger for one question to the vendor; None when not due.

    The next question is put off first, so that a worker that dies here leaves a later try, and
    two workers do not ask at once.
    """
    rows = Trigger.objects.filter(_open_question(now), pk=trigger_id)
    pause = timedelta(seconds=settings.DISPATCH_LEASE_SECONDS)
    return load(trigger_id) if rows.update(not_before=now + pause) else None


def expire_leases(now: datetime) -> list[int]:
    """Triggers whose worker died while sending become uncertain; their ids."""
    dead = Trigger.objects.filter(state=State.DISPATCHING, claimed_until__lt=now)
    ids = []
    for pk in dead.values_list("pk", flat=True)[:500]:
        rows = Trigger.objects.filter(pk=pk, state=State.DISPATCHING, claimed_until__lt=now)
        if rows.update(
            state=State.UNCERTAIN,
            not_before=now,
            message="The worker that sent it ended before it noted the answer.",
        ):
            ids.append(pk)
    return ids


def pause_before_lookup(lookups: int) -> timedelta:
    """10, 20, 40, 80 and 160 seconds unless RECONCILE_SECONDS is set: five minutes in all."""
    return timedelta(seconds=settings.RECONCILE_SECONDS * 2**lookups)


def due_to_send(now: datetime, limit: int) -> list[int]:
    """Ids of what waits to be sent, the longest waiting first."""
    rows = Trigger.objects.filter(state=State.QUEUED, not_before__lte=now)
    return list(rows.order_by("not_before", "pk").values_list("pk", flat=True)[:limit])


def due_to_ask(now: datetime, limit: int) -> list[int]:
    """Ids of what was sent and whose build is not known, the longest waiting first."""
    rows = Trigger.objects.filter(_open_question(now)).order_by("not_before", "pk")
    return list(rows.values_list("pk", flat=True)[:limit])


def _open_question(now: datetime) -> Q:
    """Sent without a build so far, or uncertain and not looked up often enough."""
    waiting = Q(state=State.DISPATCHED) | Q(state=State.UNCERTAIN, lookups__lt=MAX_LOOKUPS)
    return waiting & Q(not_before__lte=now)


def load(trigger_id: int) -> Trigger:
    """With all that sending and asking read."""
    related = (
        "pipeline__server",
        "entity",
        "environment__approver_role",
        "build__trigger",
    )
    return Trigger.objects.select_related(*related).get(pk=trigger_id)
