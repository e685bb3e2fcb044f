"""Four eyes: what other people say of a request before it is sent.

An approval is bound to the request's fingerprint. It is given while the request's row is held, by
somebody who may at that moment; the row goes on to the queue by an UPDATE that counts approvals,
and dispatch counts again: in its claim, and by asking whether each approver still may.
"""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from pipelines import outbox
from pipelines.approvers import counting, decide_approval
from pipelines.bounds import text
from pipelines.effects import effect_again
from pipelines.facts import facts_of
from pipelines.fingerprints import change
from pipelines.models import Approval, Trigger
from pipelines.outbox import State
from pipelines.trigger_trail import about, note, target_of
from portal import audit
from portal.access import fresh_actor
from portal.crashpoints import reached
from portal.policy import Actor, Decision

audit.register("approval.approve", "approved a request")
audit.register("approval.refuse", "refused a request")
audit.register("trigger.expired", "let a request expire that nobody approved")
audit.register("trigger.approved", "has all approvals of a request")
audit.register("trigger.void", "ended a request that changed before it was approved")

Verdict = Approval.Verdict
NOT_WAITING = "It no longer waits for an approval."
OTHER_PAGE = "What you saw is not what would be sent. Look at it again."
SAID_ALREADY = "You have decided on it already."
SAY_WHY = "Say why, so that they know what to change."
TOO_LATE = "It has expired."


def give(
    user: User,
    trigger: Trigger,
    verdict: str,
    *,
    comment: str = "",
    seen: str = "",
    request: HttpRequest | None = None,
) -> str:
    """Takes a person's word on a request; why not, or "". Refusals are audited too.

    `seen` is the fingerprint on the page that they had before them. Raises ValueError for a verdict
    that no form of ours sends.
    """
    verdict, comment = str(Verdict(verdict)), text(comment.strip(), 500)
    with transaction.atomic():
        reached("before_hold", trigger.pk)
        held = outbox.hold(trigger.pk)
        facts = facts_of(held.entity, [held.pipeline])
        actor = fresh_actor(user.pk)
        decision = decide_approval(actor, held, facts)
        refusal = "" if decision.allowed else decision.reason
        refusal = refusal or _problem(held, actor, verdict, comment, seen)
        changed = "" if refusal else change(held, effect_again(held, facts.rules))
        if changed:
            _void(held, changed)
        elif not refusal:
            _keep(held, actor, verdict, comment)
        _audit(held, actor, decision, verdict, comment, refusal or changed, request)
        if not refusal and not changed and verdict == Verdict.APPROVE:
            release(held)
        reached("before_commit", trigger.pk)
    return refusal or changed


def _problem(trigger: Trigger, actor: Actor, verdict: str, comment: str, seen: str) -> str:
    """Why their word is not taken although they may give it."""
    problem = ""
    if trigger.state != State.AWAITING:
        problem = NOT_WAITING
    elif trigger.approve_by is None or trigger.approve_by <= timezone.now():
        problem = TOO_LATE
    elif not seen or seen != trigger.fingerprint:
        problem = OTHER_PAGE
    elif Approval.objects.filter(trigger=trigger, approver=actor.user_id).exists():
        problem = SAID_ALREADY
    elif verdict == Verdict.REFUSE and not comment:
        problem = SAY_WHY
    return problem


def _keep(trigger: Trigger, actor: Actor, verdict: str, comment: str) -> None:
    Approval.objects.create(
        trigger=trigger,
        fingerprint=trigger.fingerprint,
        approver_id=actor.user_id,
        requester_id=trigger.actor_id,
        verdict=verdict,
        comment=comment,
    )
    if verdict == Verdict.REFUSE:
        message = f"{actor.name} refused it: {comment}"
        outbox.move(trigger.pk, [State.AWAITING], State.REFUSED, message=message[:500])


def release(trigger: Trigger) -> bool:
    """Into the queue, when enough people have approved; whether it went."""
    with transaction.atomic():
        gone = outbox.release(trigger.pk, timezone.now())
        if gone:
            note(trigger, "trigger.approved", data={"fingerprint": trigger.fingerprint})
    return gone


def release_all(now: datetime) -> None:
    """What has all its approvals, and nobody let go: nothing hangs on who counted last."""
    waiting = Trigger.objects.filter(outbox.approved(), state=State.AWAITING, approve_by__gt=now)
    for trigger in waiting.select_related("pipeline__server", "entity", "environment")[:500]:
        release(trigger)


def _void(trigger: Trigger, why: str) -> None:
    if outbox.move(trigger.pk, [State.AWAITING], State.DENIED, message=why[:500]):
        note(trigger, "trigger.void", "denied", why)


def expire(now: datetime) -> list[int]:
    """Ends what nobody approved in time; the ids of those requests."""
    late = Trigger.objects.filter(state=State.AWAITING, approve_by__lte=now)
    ended = []
    for trigger in late.select_related("pipeline__server", "entity", "environment")[:500]:
        message = "Not approved in time."
        with transaction.atomic():
            if outbox.move(trigger.pk, [State.AWAITING], State.EXPIRED, message=message):
                note(trigger, "trigger.expired", "failed", message)
                ended.append(trigger.pk)
    return ended


def lacking(trigger: Trigger) -> int:
    """How many approvals it still needs."""
    facts = facts_of(trigger.entity, [trigger.pipeline])
    return max(0, trigger.approvals_needed - len(counting(trigger, facts)))


def released_at(trigger: Trigger) -> datetime:
    """Since when it may be sent: since it was asked for, or since the last approval."""
    if not trigger.approvals_needed:
        return trigger.created_at
    last = Approval.objects.filter(trigger=trigger).order_by("-created_at").first()
    return last.created_at if last else trigger.created_at


def _audit(  # noqa: PLR0917  what one event tells
    trigger: Trigger,
    actor: Actor,
    decision: Decision,
    verdict: str,
    comment: str,
    refusal: str,
    request: HttpRequest | None,
) -> None:
    audit.record(
        f"approval.{verdict}",
        actor=actor,
        on_behalf_of=trigger.asked_by,
        target=target_of(trigger),
        outcome="ok" if not refusal else "failed" if decision.allowed else "denied",
        decision=decision,
        reason=refusal,
        request=request,
        request_id=str(trigger.request_id),
        data={**about(trigger), "fingerprint": trigger.fingerprint, "comment": comment},
    )
