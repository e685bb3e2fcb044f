"""Breaking the glass: a way past freezes and approvals in an emergency, for an hour at most.

It is for one service in one environment, with a reason and an incident that others can read. A
second person says within a day whether it was justified. Until somebody has, the same person does
not break it there again, and after that day nobody does for this service. What it lets through is
decided where all else is (targets.py), and again when it is sent.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from catalog.models import Entity
from pipelines.approvers import role_of
from pipelines.facts import Facts, facts_of
from pipelines.freezes import in_force, utc
from pipelines.models import BrokenGlass, Environment, PipelineLink
from pipelines.targets import decide_about
from portal import audit
from portal.access import display_name, fresh_actor
from portal.policy import Actor, Decision, Effect, Target, decide

audit.register("glass.break", "broke the glass")
audit.register("glass.close", "closed the glass that was broken")
audit.register("glass.review", "reviewed broken glass")

BREAK, REVIEW = "glass.break", "trigger.approve"
MIN_REASON = 20
MAX_REASON = 2000
MAX_MINUTES = 60
REVIEW_WITHIN = timedelta(hours=24)
REMIND_BEFORE = timedelta(hours=4)
STILL_OPEN = "It is still open. It is reviewed once it is closed."
REVIEWED = "It was reviewed already."
CLOSED = "It is closed already."
NOTHING_TO_RUN = (
    "No pipeline is confirmed to be this service's, so there is nothing to let through."
)


@dataclass(frozen=True)
class Asked:
    """What a person gives for it; the form has checked it."""

    reason: str
    incident_url: str
    minutes: int


@dataclass(frozen=True)
class Broken:
    """What became of it: the glass, or a decision that denies. `created` is False for a form that
    was sent twice."""

    glass: BrokenGlass | None
    decision: Decision
    created: bool = False


def may_break(actor: Actor, environment: Environment, facts: Facts) -> Decision:
    """Whether the person may break the glass for the facts' service there. One query."""
    blocked = _blocked(actor, environment, facts)
    helped_by = REVIEW if blocked else ""
    if not blocked and not _runnable(facts.entity).exists():
        blocked, helped_by = NOTHING_TO_RUN, "link.confirm"
    return decide_about(
        facts, actor, BREAK, environment=environment, blocked=blocked, helped_by=helped_by
    )


def _runnable(entity: Entity | None) -> QuerySet[PipelineLink]:
    """The links by which the service's pipelines can be run: what it lets through, and what the
    lock follows to another name of the service."""
    return PipelineLink.objects.filter(entity=entity, status=PipelineLink.Status.CONFIRMED)


def _blocked(actor: Actor, environment: Environment, facts: Facts) -> str:
    """Which review comes first, as a sentence: one that is overdue, or that of the person's own
    glass there, for else an hour at most could follow another."""
    now = timezone.now()
    overdue = overdue_of((*facts.glass, *facts.earlier_glass), now)
    if overdue is not None:
        return _locked(overdue)
    # Under another name of the service nobody opens it for another hour while it is open.
    past = [*(one for one in facts.glass if one.ends_at <= now), *facts.earlier_glass]
    for one in past:
        own = one.by_id == actor.user_id and one.environment_id == environment.pk
        if own and one.reviewed_at is None:
            return (
                f"You broke it here on {utc(one.starts_at)}. Somebody else who may approve for "
                f"{environment} reviews that first."
            )
    return ""


def overdue_of(glass: tuple[BrokenGlass, ...], now: datetime) -> BrokenGlass | None:
    """What nobody reviewed in time, the oldest first: it locks its service."""
    late = [one for one in glass if is_overdue(one, now)]
    return min(late, key=lambda one: one.review_by, default=None)


def is_overdue(glass: BrokenGlass, now: datetime) -> bool:
    return glass.reviewed_at is None and glass.review_by <= now


def is_open(glass: BrokenGlass, now: datetime) -> bool:
    return glass.starts_at <= now < glass.ends_at


def _locked(glass: BrokenGlass) -> str:
    return (
        f"Break-glass is locked for this service: nobody has reviewed yet why "
        f"{display_name(glass.by)} broke it on {utc(glass.starts_at)}, and a day has passed."
    )


def way_out(actor: Actor, decision: Decision, environment: Environment | None, facts: Facts) -> str:
    """The page that breaks the glass, for whom it would help past this decision; else "". No
    queries. Where it is locked, that page says so."""
    stopped = decision.rule == "freeze" or decision.effect is Effect.NEEDS_APPROVAL
    if not stopped or environment is None or facts.entity is None:
        return ""
    if decision.rule == "freeze" and not _is_frozen(decision, environment, facts):
        return ""
    if facts.open_glass(actor.user_id, [environment.slug], timezone.now()) is not None:
        return ""  # it was linked after that, and no second one helps
    if not decide_about(facts, actor, BREAK, environment=environment).allowed:
        return ""
    return reverse("pipelines:glass_break", args=[facts.entity.pk, environment.slug])


def _is_frozen(decision: Decision, environment: Environment, facts: Facts) -> bool:
    """Whether the freeze is there, and not in another place that the run may take effect in."""
    if decision.question is None:
        return False
    target = replace(decision.question.target, environment=environment.slug)
    return in_force(facts.freezes, target, decision.question.now) is not None


def break_glass(
    user: User,
    entity: Entity,
    environment: Environment,
    asked: Asked,
    request: HttpRequest | None = None,
) -> Broken:
    """Opens it from now on. Whoever has it open already gets that one. Refusals are audited too."""
    with transaction.atomic():
        # Two forms at once are one: the second waits here and finds the first.
        Environment.objects.select_for_update(no_key=True).get(pk=environment.pk)
        now = timezone.now()
        facts, actor = facts_of(entity, []), fresh_actor(user.pk)
        decision = may_break(actor, environment, facts)
        known = facts.open_glass(actor.user_id, [environment.slug], now)
        if decision.allowed and known is not None:
            return Broken(known, decision)
        glass = _create(actor, entity, environment, asked, now) if decision.allowed else None
        audit.record(
            "glass.break",
            actor=actor,
            target=f"{entity.ref} in {environment.slug}",
            outcome="ok" if decision.allowed else "denied",
            decision=decision,
            reason=asked.reason if decision.allowed else "",
            request=request,
            data={
                **_about(entity.ref, environment),
                "reason": asked.reason,
                "incident": asked.incident_url,
                "minutes": asked.minutes,
                "glass": glass.pk if glass else None,
            },
        )
    return Broken(glass, decision, created=glass is not None)


def _create(
    actor: Actor, entity: Entity, environment: Environment, asked: Asked, now: datetime
) -> BrokenGlass:
    review_by = now + REVIEW_WITHIN
    glass = BrokenGlass.objects.create(
        entity=entity,
        entity_ref=entity.ref,
        environment=environment,
        by_id=actor.user_id,
        reason=asked.reason,
        incident_url=asked.incident_url,
        starts_at=now,
        ends_at=now + timedelta(minutes=min(asked.minutes, MAX_MINUTES)),
        review_by=review_by,
        tell_at=now,
        remind_at=review_by - REMIND_BEFORE,
    )
    glass.pipelines.set(_runnable(entity).values_list("pipeline", flat=True))
    return glass


def may_close(actor: Actor, glass: BrokenGlass, facts: Facts) -> Decision:
    """Whoever broke it, and whoever may break or review it."""
    if actor.active and not actor.agent and actor.user_id == glass.by_id:
        return Decision(Effect.ALLOW, "own-glass", "You broke it.")
    decision = decide_about(facts, actor, BREAK, environment=glass.environment)
    return decision if decision.allowed else may_review(actor, glass, facts)


def close(user: User, glass: BrokenGlass, request: HttpRequest | None = None) -> str:
    """Ends it before its time; why not, or ""."""
    with transaction.atomic():
        now = timezone.now()
        actor = fresh_actor(user.pk)
        decision = may_close(actor, glass, facts_of(glass.entity, []))
        refusal = "" if decision.allowed else decision.reason
        rows = BrokenGlass.objects.filter(pk=glass.pk, ends_at__gt=now)
        if not refusal and not rows.update(ends_at=now):
            refusal = CLOSED
        _audit("glass.close", actor, glass, decision, refusal=refusal, request=request)
    return refusal


def may_review(actor: Actor, glass: BrokenGlass, facts: Facts) -> Decision:
    """Whoever may approve there, and did not break it."""
    slug, role = glass.environment.slug, role_of(glass.environment)
    target = Target(
        label=glass.entity_ref,
        scopes=facts.scopes,
        environment=slug,
        requester=glass.by_id,
        role=role,
        helpers=facts.holders(REVIEW, slug, role),
    )
    decision = decide(actor, REVIEW, target, now=timezone.now())
    own = decision.rule == "own-request"
    return replace(decision, reason="Nobody reviews what they did themselves.") if own else decision


def review(
    user: User,
    glass: BrokenGlass,
    *,
    justified: bool,
    comment: str,
    request: HttpRequest | None = None,
) -> str:
    """A second person's word on it, once it is closed; why it is not taken, or ""."""
    with transaction.atomic():
        now = timezone.now()
        actor = fresh_actor(user.pk)
        decision = may_review(actor, glass, facts_of(glass.entity, []))
        refusal = "" if decision.allowed else decision.reason
        if not refusal:
            refusal = _keep_review(glass, actor, justified, comment, now)
        data = {"justified": justified, "comment": comment}
        _audit("glass.review", actor, glass, decision, refusal=refusal, request=request, **data)
    return refusal


def _keep_review(
    glass: BrokenGlass, actor: Actor, justified: bool, comment: str, now: datetime
) -> str:
    rows = BrokenGlass.objects.filter(~Q(by=actor.user_id), pk=glass.pk, reviewed_at=None)
    if rows.filter(ends_at__lte=now).update(
        reviewer_id=actor.user_id,
        reviewed_at=now,
        justified=justified,
        comment=comment,
        remind_at=None,
    ):
        return ""
    return STILL_OPEN if rows.exists() else REVIEWED


def _about(ref: str, environment: Environment) -> dict[str, str]:
    return {"entity": ref, "environment": environment.slug}


def _audit(
    action: str,
    actor: Actor,
    glass: BrokenGlass,
    decision: Decision,
    *,
    refusal: str,
    request: HttpRequest | None,
    **data: object,
) -> None:
    audit.record(
        action,
        actor=actor,
        on_behalf_of="" if actor.user_id == glass.by_id else display_name(glass.by),
        target=f"{glass.entity_ref} in {glass.environment.slug}",
        outcome="ok" if not refusal else "failed" if decision.allowed else "denied",
        decision=decision,
        reason=refusal,
        request=request,
        data={**_about(glass.entity_ref, glass.environment), "glass": glass.pk, **data},
    )
