"""Finds out what became of a trigger that was sent: follows its queue reference, or looks it up.

Never a second write. An uncertain start that the vendor can look up is asked for several times
over minutes, because a new build takes a moment to be findable. When the vendor then still says
there is none, the trigger is `failed` as not started: its sender is known to have ended (its lease
is longer than its requests may take), so nothing is on its way any more. Should the build appear
all the same, builds.record() ties it to the trigger and the state follows. Where the vendor can't
look up, the trigger stays `uncertain` and a person has to look (see settling.py).

What gives no build of its own shows in what it changed: the build that ended, the gate that waits
no longer, the pipeline that is switched on.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from pipelines import outbox
from pipelines.budget import Purpose
from pipelines.builds import record
from pipelines.calls import find_gate
from pipelines.dispatch import IN_FLIGHT, kept, read_soon, settle
from pipelines.models import Trigger
from pipelines.outbox import MAX_LOOKUPS, State
from pipelines.providers.base import Capability, Receipt
from pipelines.providers.base import State as BuildState
from pipelines.providers.errors import (
    Forbidden,
    InvalidResponse,
    NotFound,
    ProviderError,
    Rejected,
    Unsupported,
)
from pipelines.providers.provider import Provider
from pipelines.servers import admit, client_for
from pipelines.trigger_trail import note
from portal import audit

audit.register("trigger.found", "found out what became of a request")

# A server's clock may be behind ours.
CLOCKS_DIFFER = timedelta(minutes=2)
ASK_AGAIN = timedelta(seconds=2)
ASK_AGAIN_LATER = timedelta(seconds=30)
# A queue reference is followed for as long as this.
FOLLOW_FOR = timedelta(hours=24)
NOT_STARTED = "It was not started: the server has no build with this request id."
STILL_RUNS = "The build has not ended. Cancel it again if that is still wanted."
PASSED = "The build came to its end before: it is passed."
STILL_WAITS = "The build still waits there, so it was not unblocked."
STILL_OFF = "It is still switched off on the server."
# The same answer would come to the same question for ever; an outage or a limit passes, and an
# administrator mends a credential.
LASTING = (Forbidden, InvalidResponse, NotFound, Rejected, Unsupported)


def reconcile(trigger_id: int) -> None:
    """Asks the vendor once about a sent or uncertain trigger that is due."""
    now = timezone.now()
    trigger = outbox.claim_question(trigger_id, now)
    if trigger is None:
        return
    try:
        admit(trigger.pipeline.server)
        _ask(trigger, client_for(trigger.pipeline.server, Purpose.ACT), now)
    except LASTING as error:
        _count(trigger, f"Nobody can tell what became of it. {error}")
    except ProviderError as error:
        # Tells nothing about the trigger, so it does not count as a look-up.
        _put_off(trigger, ASK_AGAIN_LATER, message=str(error)[:500])


def _ask(trigger: Trigger, client: Provider, now: datetime) -> None:
    action = Trigger.Action
    if trigger.state == State.DISPATCHED:
        _follow(trigger, client, now)
    elif trigger.action == action.CANCEL:
        _look_at_build(trigger, client, now)
    elif trigger.action == action.UNBLOCK:
        _judge(trigger, find_gate(client, trigger) is None, STILL_WAITS)
    elif trigger.action == action.ACTIVATE:
        _judge(trigger, client.get_pipeline(trigger.pipeline.external_id).active, STILL_OFF)
    else:
        _look_up(trigger, client, now)


def _follow(trigger: Trigger, client: Provider, now: datetime) -> None:
    """Sent, and its build is not known yet."""
    reference = str(trigger.receipt.get("queue_ref") or "")
    age = now - (trigger.sent_at or trigger.created_at)
    if age > FOLLOW_FOR:
        _give_up(trigger, "The server took it, but its build was never seen.")
        return
    try:
        found = client.resolve(trigger.pipeline.external_id, reference) if reference else None
    except NotFound:
        found = None
    if found is None:
        found = _find_if_possible(trigger, client)
    if found is None and reference:
        # Forgotten by the vendor without a build; a look-up may still find it.
        outbox.move(
            trigger.pk,
            [State.DISPATCHED],
            State.UNCERTAIN,
            not_before=now + outbox.pause_before_lookup(0),
            message="The server took it and no longer knows it.",
        )
    elif found is None or found.build is None:
        _put_off(trigger, ASK_AGAIN if age < timedelta(minutes=2) else ASK_AGAIN_LATER)
    else:
        _found(trigger, found, now)


def _look_up(trigger: Trigger, client: Provider, now: datetime) -> None:
    """Sent or not, nobody knows."""
    try:
        found = _find(trigger, client)
    except Unsupported:
        _give_up(trigger)
        return
    if found is not None:
        _found(trigger, found, now)
    elif trigger.lookups + 1 < MAX_LOOKUPS:
        _count(trigger)
    else:
        _not_done(trigger, NOT_STARTED)


def _judge(trigger: Trigger, done: bool, still: str) -> None:
    """By what the write would have changed; `still` says that it has not, after several looks."""
    if done:
        _done(trigger)
    elif trigger.lookups + 1 < MAX_LOOKUPS:
        _count(trigger)
    else:
        _not_done(trigger, still)


def _look_at_build(trigger: Trigger, client: Provider, now: datetime) -> None:
    """A cancel whose answer was lost shows in the build itself."""
    build = trigger.build
    if build is None:
        _give_up(trigger)
        return
    pipeline = trigger.pipeline
    seen = record(pipeline, client.get_build(pipeline.external_id, build.external_id), now)
    if seen.state == BuildState.PASSED:
        _not_done(trigger, PASSED)
    elif seen.is_final:
        _done(trigger)
    else:
        _count(trigger, STILL_RUNS)


def _find(trigger: Trigger, client: Provider) -> Receipt | None:
    if Capability.FIND_BY_REQUEST_ID not in client.capabilities:
        raise Unsupported(f"{client.label} can't look a request up.")
    return client.find_by_request_id(
        trigger.pipeline.external_id,
        str(trigger.request_id),
        branch=trigger.branch,
        since=_sent_after(trigger),
    )


def _sent_after(trigger: Trigger) -> datetime:
    """A moment before it was sent; it may have waited for long, and the more builds were started
    since, the less a vendor can tell."""
    if trigger.claimed_until is None:
        return trigger.created_at
    claimed_at = trigger.claimed_until - timedelta(seconds=settings.DISPATCH_LEASE_SECONDS)
    return max(trigger.created_at, claimed_at - CLOCKS_DIFFER)


def _find_if_possible(trigger: Trigger, client: Provider) -> Receipt | None:
    try:
        return _find(trigger, client)
    except Unsupported:
        return None


def _found(trigger: Trigger, receipt: Receipt, now: datetime) -> None:
    """A build, or a place in the queue that becomes one."""
    with transaction.atomic():
        if settle(trigger, receipt, now, from_states=[State.DISPATCHED, *IN_FLIGHT]):
            note(trigger, "trigger.found", data=kept(receipt))


def _done(trigger: Trigger) -> None:
    with transaction.atomic():
        if outbox.move(trigger.pk, [State.UNCERTAIN], State.LINKED, message=""):
            note(trigger, "trigger.found")
    read_soon(trigger)


def _not_done(trigger: Trigger, message: str) -> None:
    with transaction.atomic():
        if outbox.move(trigger.pk, [State.UNCERTAIN], State.FAILED, message=message):
            note(trigger, "trigger.failed", "failed", message)


def _count(trigger: Trigger, message: str = "") -> None:
    """One look-up more that did not tell; after so many nothing is left to ask."""
    tries = trigger.lookups + 1
    if tries < MAX_LOOKUPS:
        _put_off(trigger, outbox.pause_before_lookup(tries), lookups=tries)
    else:
        _give_up(trigger, message[:500])


def _give_up(trigger: Trigger, message: str = "") -> None:
    """No question is left to ask: a person has to look at the server."""
    values = {"message": message} if message else {}
    with transaction.atomic():
        if outbox.move(
            trigger.pk,
            [State.DISPATCHED, State.UNCERTAIN],
            State.UNCERTAIN,
            lookups=MAX_LOOKUPS,
            **values,
        ):
            note(trigger, "trigger.uncertain", "failed", message or trigger.message)


def _put_off(trigger: Trigger, pause: timedelta, **values: object) -> None:
    at = timezone.now() + pause
    outbox.move(trigger.pk, [trigger.state], trigger.state, not_before=at, **values)
