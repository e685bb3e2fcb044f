"""Who may approve a request: nobody their own, no program, and only whoever the rules name now."""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.utils import timezone

from pipelines.effects import Effect, effect_again
from pipelines.facts import Facts
from pipelines.models import Approval, Environment, Pipeline, Trigger
from portal.access import fresh_actor
from portal.policy import Actor, Decision, Target, decide
from portal.policy import Effect as Verdict

PERMISSION = "trigger.approve"


def decide_approval(actor: Actor, trigger: Trigger, facts: Facts) -> Decision:
    """May `actor` approve or refuse this request? Conditions are judged as for who asked, and their
    role where approvals are asked for: a run may take effect in several environments."""
    return decide_about(actor, trigger, effect_again(trigger, facts.rules), facts)


def decide_about(actor: Actor, trigger: Trigger, effect: Effect, facts: Facts) -> Decision:
    """The same of a request that would take effect there."""
    if trigger.actor_id is None:
        return Decision(Verdict.DENY, "blocked", "Who asked for this is not known any more.")
    target = Target(
        label=str(facts.entity or trigger.pipeline),
        scopes=facts.scopes_with(trigger.pipeline),
        environment=effect.asking.slug if effect.asking else "",
        requester=trigger.actor_id,
        role=role_of(effect.asking),
        branch=trigger.branch or None,
        parameters=effect.judged,
        carried=effect.judged_besides,
        helpers=groups(facts, effect.asking, trigger.pipeline),
    )
    return decide(actor, PERMISSION, target, now=timezone.now())


def role_of(environment: Environment | None) -> str:
    """The role that approvers hold there; "" is any that lets approve."""
    return str(environment.approver_role) if environment and environment.approver_role else ""


def groups(facts: Facts, asking: Environment | None, pipeline: Pipeline) -> tuple[str, ...]:
    """Whose members may approve for the environment that asks, as people know them; a few."""
    slug = asking.slug if asking else ""
    return facts.holders(PERMISSION, slug, role_of(asking), pipeline)


def who(trigger: Trigger, facts: Facts) -> tuple[str, ...]:
    """The same for this request."""
    return groups(facts, effect_again(trigger, facts.rules).asking, trigger.pipeline)


def given(trigger: Trigger) -> list[Approval]:
    """The approvals of what the request is now, the first one first."""
    rows = Approval.objects.filter(
        trigger=trigger, fingerprint=trigger.fingerprint, verdict=Approval.Verdict.APPROVE
    )
    return list(rows.exclude(approver=trigger.actor_id).select_related("approver"))


def counting(trigger: Trigger, facts: Facts) -> list[int]:
    """The ids of those whose approval still counts: they might give it at this moment."""
    return [
        approval.approver_id
        for approval in given(trigger)
        if decide_approval(fresh_actor(approval.approver_id), trigger, facts).allowed
    ]


def people(trigger: Trigger, facts: Facts, candidates: Iterable[User]) -> Iterable[User]:
    """Those of the candidates who may approve it, one by one."""
    for user in candidates:
        if decide_approval(fresh_actor(user.pk), trigger, facts).allowed:
            yield user
