"""Sends what was asked for, once.

A claim is one conditional UPDATE; the decision is made again with what holds now; the vendor is
called outside any transaction; a new one records the answer. What was sent and not answered is
`uncertain` and never sent again by itself (see reconcile.py).
"""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from pipelines import outbox
from pipelines.approvals import released_at
from pipelines.approvers import counting
from pipelines.askers import actor_now
from pipelines.builds import attach, record
from pipelines.calls import WITHOUT_BUILD, Answer, carry_out
from pipelines.effects import Effect, effect_again
from pipelines.facts import Facts, facts_of
from pipelines.fingerprints import ASK_AGAIN, change
from pipelines.models import Build, Environment, Pipeline, Server, Trigger
from pipelines.outbox import State
from pipelines.providers.base import Receipt
from pipelines.providers.errors import (
    BudgetSpent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    Unavailable,
)
from pipelines.servers import CircuitOpen, pause_after
from pipelines.targets import decide_effect
from pipelines.trigger_trail import note
from portal import audit
from portal.crashpoints import reached
from portal.policy import Decision
from portal.policy import Effect as Verdict

logger = logging.getLogger(__name__)

audit.register("trigger.sent", "sent a request to the CI server")
audit.register("trigger.refused", "refused a request when it was to be sent")
audit.register("trigger.failed", "could not carry out a request")
audit.register("trigger.uncertain", "does not know what became of a request")

# What could not be sent is tried again for so long: who asked for it has gone on by then. Not
# so many times, for while many wait their turn at a rate limit, most tries are refused.
GIVE_UP_AFTER = timedelta(hours=1)
LONGEST_PAUSE = 60  # seconds; somebody waits for it
# States in which an answer still counts. A trigger given up as not started is among them.
UNANSWERED = (State.DISPATCHING, State.UNCERTAIN)
IN_FLIGHT = (*UNANSWERED, State.FAILED)


def dispatch(trigger_id: int) -> None:
    """Sends a due trigger; does nothing when it is not due or another worker has it."""
    reached("before_claim", trigger_id)
    trigger = outbox.claim(trigger_id, timezone.now())
    if trigger is None:
        return
    reached("after_claim", trigger_id)
    if timezone.now() - _could_be_sent_at(trigger) > GIVE_UP_AFTER:
        # Else a deployment of last night would begin when somebody starts a worker again.
        why = trigger.message or "It could not be sent before."
        _finish(trigger, State.FAILED, "trigger.failed", f"Given up after an hour. {why}")
        return
    if trigger.approve_by and timezone.now() > trigger.approve_by + GIVE_UP_AFTER:
        why = f"It waited for its turn until its approvals were too old. {ASK_AGAIN}"
        _finish(trigger, State.DENIED, "trigger.refused", why)
        return
    try:
        if not _still_allowed(trigger):
            return
    except Exception:
        # Certainly not sent, which a lease that runs out could not tell.
        _record_not_sent(trigger, Unavailable("Stagedoor failed to decide; see its log."))
        raise
    reached("after_decision", trigger_id)
    asked_at = timezone.now()
    try:
        answer = carry_out(trigger)
    except OutcomeUnknown as error:
        _record_unknown(trigger, str(error))
    except (RateLimited, Unavailable) as error:
        _record_not_sent(trigger, error)
    except ProviderError as error:
        _finish(trigger, State.FAILED, "trigger.failed", str(error))
    except Exception:
        # Nobody knows how far it came, so it may not be sent again.
        logger.exception("trigger %s: an error in Stagedoor while sending", trigger.request_id)
        _record_unknown(trigger, "Stagedoor failed while it sent this; see its log.")
    else:
        reached("after_answer", trigger_id)
        _record_answer(trigger, answer, asked_at)


def _could_be_sent_at(trigger: Trigger) -> datetime:
    """Since when nothing but the vendor or a missing worker is in its way: not its turn."""
    released = released_at(trigger)
    return max(released, trigger.turn_at) if trigger.turn_at else released


def _still_allowed(trigger: Trigger) -> bool:
    """Decides again: the person, roles, link, rules or server may have changed since.

    The environment is computed anew too; labels and audit carry the new one. What was approved is
    sent as it was approved, by the word of people who may approve it now, or not at all.
    """
    pipeline, build = trigger.pipeline, trigger.build
    facts = facts_of(trigger.entity, [pipeline])
    effect = effect_again(trigger, facts.rules)
    actor, ended = actor_now(trigger)
    changed = ended or change(trigger, effect)
    if changed:
        _finish(trigger, State.DENIED, "trigger.refused", changed)
        return False
    if effect.environment != trigger.environment and _moves_on(trigger, effect.environment):
        return False
    approvals = counting(trigger, facts) if trigger.approvals_needed else []
    decision = decide_effect(
        actor, trigger.action, pipeline, effect, facts, build=build, approvals=approvals
    )
    if decision.allowed and effect.errors:
        # Its environment was computed without what the pipeline no longer takes.
        named = ", ".join(key.removeprefix("parameter:") for key in effect.errors)
        sentence = f"The pipeline no longer takes what was asked for: {named}."
        _finish(trigger, State.DENIED, "trigger.refused", sentence)
        return False
    if decision.allowed and len(approvals) < trigger.approvals_needed:
        sentence = f"Somebody who approved it may not do so any more. {ASK_AGAIN}"
        _finish(trigger, State.DENIED, "trigger.refused", sentence)
        return False
    if decision.allowed:
        _note_glass(trigger, facts, effect, decision)
        return True
    reason = decision.reason
    if decision.effect is Verdict.NEEDS_APPROVAL:
        reason = f"{reason} {ASK_AGAIN}"
    _finish(trigger, State.DENIED, "trigger.refused", reason, decision=decision)
    return False


def _moves_on(trigger: Trigger, environment: Environment | None) -> bool:
    """Notes where it takes effect by now; whether it waits for its turn there first."""
    if environment is None or environment.concurrency is None:
        Trigger.objects.filter(pk=trigger.pk).update(environment=environment)
        trigger.environment = environment
        return False
    back = {"attempt": trigger.attempt - 1, "message": f"It takes effect in {environment} now."}
    outbox.move(trigger.pk, [State.DISPATCHING], State.QUEUED, environment=environment, **back)
    return True


def _note_glass(trigger: Trigger, facts: Facts, effect: Effect, decision: Decision) -> None:
    """Broken after it was asked for, it is this request's all the same."""
    if decision.rule != "break-glass":
        return
    slugs = [environment.slug for environment in effect.environments]
    glass = facts.open_glass(trigger.actor_id, slugs, timezone.now(), trigger.pipeline)
    if glass is not None and glass.pk != trigger.glass_id:
        Trigger.objects.filter(pk=trigger.pk).update(glass=glass)


def _record_answer(trigger: Trigger, answer: Answer, asked_at: datetime) -> None:
    """Notes the answer, also a late one: what the vendor said outweighs an expired lease."""
    data = {**kept(answer.receipt), **({"done": list(answer.done)} if answer.done else {})}
    with transaction.atomic():
        settle(trigger, answer.receipt, asked_at, from_states=IN_FLIGHT, sent_at=asked_at)
        if answer.done:
            Trigger.objects.filter(pk=trigger.pk).update(receipt=data)
        note(trigger, "trigger.sent", data=data)
        reached("before_record", trigger.pk)
    read_soon(trigger)


def read_soon(trigger: Trigger) -> None:
    """After a write, what it changed is due to be read, whether or not somebody looks."""
    now = timezone.now()
    pipelines = Pipeline.objects.filter(pk=trigger.pipeline_id)
    pipelines.update(builds_tried_at=None, refresh_wanted_at=now)
    if trigger.action == Trigger.Action.ACTIVATE:
        Server.objects.filter(pk=trigger.pipeline.server_id).update(pipelines_due_at=now)


def settle(
    trigger: Trigger,
    receipt: Receipt,
    observed_at: datetime,
    *,
    from_states: Collection[str],
    **values: object,
) -> bool:
    """Keeps what a receipt says, in the caller's transaction; whether the state was one of these.

    The build's row is touched before the trigger's, as builds.record() does: two transactions
    that took them in different order could wait for each other.
    """
    build = _record_build(trigger, receipt, observed_at)
    # A retry may reopen its build, which is an earlier trigger's.
    known = build is not None or trigger.action in WITHOUT_BUILD
    return outbox.move(
        trigger.pk,
        [*from_states, State.LINKED] if build else from_states,
        State.LINKED if known else State.DISPATCHED,
        receipt=kept(receipt),
        message="",
        not_before=timezone.now(),
        **values,
    )


def _record_build(trigger: Trigger, receipt: Receipt, observed_at: datetime) -> Build | None:
    if receipt.build is None:
        return None
    try:
        build = record(trigger.pipeline, receipt.build, observed_at)
    except ValueError:
        logger.warning("trigger %s: a build with an unusable id", trigger.request_id)
        return None
    attach(build, trigger)
    return build


def kept(receipt: Receipt) -> dict[str, str]:
    """What of a receipt is stored: enough to follow it, nothing that a vendor could bloat."""
    build = receipt.build.external_id if receipt.build else ""
    return {"queue_ref": receipt.queue_ref[:200], "build": build[:200]}


def _record_unknown(trigger: Trigger, message: str) -> None:
    with transaction.atomic():
        if outbox.move(
            trigger.pk,
            [State.DISPATCHING],
            State.UNCERTAIN,
            message=message[:500],
            sent_at=timezone.now(),
            not_before=timezone.now() + outbox.pause_before_lookup(0),
        ):
            note(trigger, "trigger.uncertain", "failed", message)
    read_soon(trigger)


def _record_not_sent(trigger: Trigger, error: ProviderError) -> None:
    """Certainly not carried out: back into the queue, later and later."""
    seconds = min(pause_after(trigger.attempt - 1), LONGEST_PAUSE)
    if isinstance(error, RateLimited) and error.retry_after:
        seconds = max(seconds, error.retry_after)
    outbox.move(
        trigger.pk,
        UNANSWERED,
        State.QUEUED,
        message=str(error)[:500],
        not_before=timezone.now() + timedelta(seconds=seconds),
        # What was never tried is no attempt.
        attempt=trigger.attempt - isinstance(error, BudgetSpent | CircuitOpen),
    )


def _finish(trigger: Trigger, state: str, action: str, reason: str, **more: Any) -> None:
    with transaction.atomic():
        if outbox.move(trigger.pk, UNANSWERED, state, message=reason[:500]):
            outcome = "denied" if state == State.DENIED else "failed"
            note(trigger, action, outcome, reason, **more)
