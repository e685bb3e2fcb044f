"""What people say of a trigger: withdrawn before it was sent, or what became of an uncertain one.

A person who looked at the vendor's own page knows more than any look-up. Their word goes to the
audit trail with their name, and a build that they name is read from the server before it counts.
"""

import uuid
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from pipelines import outbox
from pipelines.askers import Asker, actor_of
from pipelines.bounds import usable_id
from pipelines.budget import Purpose
from pipelines.builds import attach, record
from pipelines.calls import WITHOUT_BUILD
from pipelines.dispatch import read_soon
from pipelines.effects import BY_WORD
from pipelines.facts import Facts, facts_of
from pipelines.models import Build, Trigger
from pipelines.outbox import State
from pipelines.providers.errors import ProviderError
from pipelines.servers import admit, client_for
from pipelines.targets import PERMISSIONS, decide_about
from pipelines.trigger_trail import about
from portal import audit
from portal.access import actor_for
from portal.policy import PERMISSIONS as WORDS
from portal.policy import Actor, Decision, Effect

audit.register("trigger.withdrawn", "withdrew a request before it was sent")
audit.register("trigger.settled", "said what became of a request")

# A vendor's clock may go behind ours.
CLOCKS_DIFFER = timedelta(minutes=5)
WAITING = (State.AWAITING, State.QUEUED)
NOT_WAITING = "It was sent or settled in the meantime."
NOT_UNCERTAIN = "What became of it is known by now."


def may_settle(actor: Actor, trigger: Trigger, facts: Facts | None = None) -> Decision:
    """Whether the person's word on an uncertain trigger counts."""
    blocked = "" if trigger.state == State.UNCERTAIN else NOT_UNCERTAIN
    return _decide(actor, trigger, blocked, facts)


def may_withdraw(actor: Actor, trigger: Trigger) -> Decision:
    """Whoever asked for it, and whoever may settle requests, while it waits to be sent.

    A token takes back only what it could ask for; an agent nothing that somebody else asked for.
    """
    if trigger.state not in WAITING:
        return Decision(Effect.DENY, "blocked", NOT_WAITING)
    permission = PERMISSIONS[trigger.action]
    if actor.ceiling is not None and permission not in actor.ceiling:
        words = WORDS[permission]
        reason = f"This token was not made to {words}. Make a token that may {words}."
        return Decision(Effect.DENY, "token", reason)
    if actor.agent and actor.agent != trigger.agent:
        return Decision(Effect.DENY, "agent", "An agent takes back only what it asked for.")
    if actor.active and actor.user_id is not None and actor.user_id == trigger.actor_id:
        return Decision(Effect.ALLOW, "own-request", "You asked for it.")
    return _decide(actor, trigger)


def _decide(
    actor: Actor, trigger: Trigger, blocked: str = "", facts: Facts | None = None
) -> Decision:
    return decide_about(
        facts or facts_of(trigger.entity, [trigger.pipeline]),
        actor,
        "trigger.settle",
        environment=trigger.environment,
        blocked=blocked,
        label=str(trigger.pipeline),
        pipeline=trigger.pipeline,
    )


def withdraw(asker: Asker, trigger: Trigger, request: HttpRequest | None = None) -> str:
    """Takes back what was not sent yet; why not, or "". Refusals are audited too."""
    actor = actor_of(asker)
    decision = may_withdraw(actor, trigger)
    with transaction.atomic():
        refusal = "" if decision.allowed else decision.reason
        if not refusal and not outbox.move(trigger.pk, WAITING, State.WITHDRAWN, message=""):
            refusal = NOT_WAITING
        _audit("trigger.withdrawn", actor, trigger, decision, refusal=refusal, request=request)
    return refusal


def did_not_run(user: User, trigger: Trigger, request: HttpRequest | None = None) -> str:
    """A person found nothing on the server: failed. Why not, or ""."""
    actor = actor_for(user)
    decision = may_settle(actor, trigger)
    refusal = "" if decision.allowed else decision.reason
    message = f"{actor.name} looked: it was not carried out."
    with transaction.atomic():
        if not refusal and not outbox.move(
            trigger.pk, [State.UNCERTAIN], State.FAILED, message=message[:500]
        ):
            refusal = NOT_UNCERTAIN
        _audit(
            "trigger.settled",
            actor,
            trigger,
            decision,
            refusal=refusal,
            request=request,
            says="did not run",
        )
    return refusal


def did_run(user: User, trigger: Trigger, number: str, request: HttpRequest | None = None) -> str:
    """A person found it on the server, as the build of that number. Why not, or "".

    What gives no build of its own needs no number.
    """
    actor = actor_for(user)
    decision = may_settle(actor, trigger)
    refusal, build = "" if decision.allowed else decision.reason, None
    if not refusal and trigger.action not in WITHOUT_BUILD:
        build, refusal = _look_up(trigger, number.strip().removeprefix("#"))
    with transaction.atomic():
        if not refusal:
            refusal = _tie(trigger, build)
        said = f"ran as {build.external_id}" if build else "was carried out"
        _audit(
            "trigger.settled", actor, trigger, decision, refusal=refusal, request=request, says=said
        )
    if not refusal:
        read_soon(trigger)
    return refusal


def _look_up(trigger: Trigger, number: str) -> tuple[Build | None, str]:
    """The build of that number on the server as it is now, and why it can't be this trigger's."""
    pipeline = trigger.pipeline
    known = Q(external_id=number)
    if number.isascii() and number.isdigit() and len(number) < 10:
        known |= Q(number=int(number))
    found = list(Build.objects.filter(known, pipeline=pipeline)[:2])
    if len(found) > 1:
        return None, f"There is more than one #{number}. Give the build's id as the server has it."
    external_id = found[0].external_id if found else number
    if not usable_id(external_id, 200):
        return None, "Give the number of the build."
    now = timezone.now()
    try:
        admit(pipeline.server)
        client = client_for(pipeline.server, Purpose.ACT)
        remote = client.get_build(pipeline.external_id, external_id)
        build = record(pipeline, remote, now)
    except (ProviderError, ValueError) as error:
        return None, f"Build #{number} can't be read. {error}"
    if _is_anothers(remote.request_id, trigger):
        return None, f"Build #{number} carries the id of another request."
    if build.queued_at < trigger.created_at - CLOCKS_DIFFER and not _reopened(trigger, build):
        return None, f"Build #{number} began before this was asked for."
    return build, ""


def _tie(trigger: Trigger, build: Build | None) -> str:
    """One build, one trigger: the database holds it too."""
    if not Trigger.objects.filter(pk=trigger.pk, state=State.UNCERTAIN).exists():
        # Reading the build may have tied it: it carried the request's id.
        tied = build is not None and Build.objects.filter(pk=build.pk, trigger=trigger).exists()
        return "" if tied else NOT_UNCERTAIN
    if build is None or _reopened(trigger, build):
        moved = outbox.move(trigger.pk, [State.UNCERTAIN], State.LINKED, message="")
        return "" if moved else NOT_UNCERTAIN
    if not attach(build, trigger):
        return "That build belongs to another request."
    # So that nobody takes this for the vendor's word: see effects.py.
    Trigger.objects.filter(pk=trigger.pk).update(receipt={**trigger.receipt, BY_WORD: "yes"})
    return ""


def _is_anothers(request_id: str, trigger: Trigger) -> bool:
    """Whether a build names a request, and not this one."""
    try:
        return uuid.UUID(request_id) != trigger.request_id
    except ValueError:
        return False


def _reopened(trigger: Trigger, build: Build) -> bool:
    """Some vendors run the same build again, which stays that of its first trigger."""
    return trigger.action == Trigger.Action.RETRY and build.pk == trigger.build_id


def _audit(
    action: str,
    actor: Actor,
    trigger: Trigger,
    decision: Decision,
    *,
    refusal: str,
    request: HttpRequest | None,
    **data: str,
) -> None:
    pipeline = trigger.pipeline
    audit.record(
        action,
        actor=actor,
        on_behalf_of=trigger.asked_by,
        target=f"{pipeline.server.slug}:{pipeline.external_id}",
        outcome="ok" if not refusal else "failed" if decision.allowed else "denied",
        decision=decision,
        reason=refusal,
        request=request,
        request_id=str(trigger.request_id),
        data={**about(trigger), **data},
    )
