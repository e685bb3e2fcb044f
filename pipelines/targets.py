"""What a write acts on, as policy sees it: scopes, environment, and what rules it out for all.

Page, request and dispatch ask `decide_effect()` with the same facts, read anew each time.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.utils import timezone

from catalog.models import Entity
from pipelines import freezes
from pipelines.approvers import groups
from pipelines.effects import Effect, effect_of
from pipelines.environments import branch_problem
from pipelines.facts import Facts, facts_of
from pipelines.inputs import takes
from pipelines.models import Build, Environment, Pipeline, PipelineLink, Trigger
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability, State
from portal.policy import RUNNING, Actor, Decision, Target, decide
from portal.policy import Effect as Verdict

Action = Trigger.Action
PERMISSIONS = {
    "start": "build.start",
    "cancel": "build.cancel",
    "retry": "build.retry",
    "unblock": "build.unblock",
    "promote": "build.promote",
    "activate": "pipeline.activate",
}
# As in "Jenkins can't ...".
WORDS = {
    "start": "start builds",
    "cancel": "cancel builds",
    "retry": "retry builds",
    "unblock": "let waiting builds go on",
    "promote": "promote builds",
    "activate": "switch pipelines on",
}
# What gives a new build, and so needs a pipeline that builds.
STARTING = frozenset({Action.START, Action.RETRY, Action.PROMOTE})
_NOT_RUNNABLE = "{} can't be run: it is disabled, or it only holds other pipelines."


def decide_for(
    actor: Actor,
    action: str,
    entity: Entity | None,
    pipeline: Pipeline,
    *,
    build: Build | None = None,
    facts: Facts | None = None,
) -> Decision:
    """May `actor` do `action` with this pipeline, as this entity's, as long as nothing is chosen?

    `build` is what anything but a start or an activation acts on. A page that asks often reads the
    facts once and gives them; without them they are read anew.
    """
    facts = facts or facts_of(entity, [pipeline])
    effect = effect_of(action, pipeline, "", {}, build=build, rules=facts.rules)
    return decide_effect(actor, action, pipeline, effect, facts, build=build)


def decide_effect(
    actor: Actor,
    action: str,
    pipeline: Pipeline,
    effect: Effect,
    facts: Facts,
    *,
    build: Build | None = None,
    unchosen: bool = False,
    approvals: Sequence[int] = (),
) -> Decision:
    """May `actor` do `action` where it would take effect? No queries.

    `unchosen`: the person has still to choose branch and parameters. `approvals` are the ids of
    those who approved just this, and still may.
    """
    if action not in PERMISSIONS:
        return decide(actor, action, Target(label=pipeline.name), now=timezone.now())
    blocked, needed = _blocked(action, facts, pipeline, build)
    # A cancel ends a run, and switching a pipeline on runs nothing yet.
    if not blocked and not unchosen and action not in {Action.CANCEL, Action.ACTIVATE}:
        blocked = branch_problem(effect.environment, effect.branch)
    decision = decide_about(
        facts,
        actor,
        PERMISSIONS[action],
        environment=effect.environment,
        blocked=blocked,
        helped_by=needed,
        label=str(pipeline),
        pipeline=pipeline,
        effect=effect,
        unchosen=unchosen,
        approvals=approvals,
    )
    if decision.effect is Verdict.NEEDS_APPROVAL:
        decision = replace(decision, helpers=groups(facts, effect.environment, pipeline))
    return decision


def decide_about(
    facts: Facts,
    actor: Actor,
    permission: str,
    *,
    environment: Environment | None = None,
    blocked: str = "",
    helped_by: str = "",
    label: str = "this request",
    pipeline: Pipeline | None = None,
    effect: Effect | None = None,
    unchosen: bool = False,
    approvals: Sequence[int] = (),
) -> Decision:
    """Whether the person holds the permission for the service that the facts are about.

    `helped_by` is the permission of those who can help, where it is another one; `label` names
    what belongs to no service any more; `effect` is what would run, for conditions.
    """
    now = timezone.now()
    slug = environment.slug if environment else ""
    target = Target(
        label=str(facts.entity or label),
        scopes=facts.scopes_with(pipeline),
        environment=slug,
        approvals_needed=environment.approvals if environment else 0,
        blocked=blocked,
        branch=(effect.branch or None) if effect else None,
        parameters=effect.judged if effect else None,
        carried=effect.judged_besides if effect else None,
        unchosen=unchosen,
        helpers=facts.helpers(helped_by or permission, slug, pipeline),
    )
    if permission in RUNNING:
        target = _as_of_now(facts, actor, target, now, pipeline)
    return decide(actor, permission, target, now=now, approvals=approvals)


def _as_of_now(
    facts: Facts, actor: Actor, target: Target, now: datetime, pipeline: Pipeline | None
) -> Target:
    """The target with the freeze that is in force, and the actor among those whose broken glass
    still counts: it ends with their time, and with their right to break it."""
    frozen = freezes.in_force(facts.freezes, target, now)
    if frozen is not None and not target.blocked:
        who = facts.holders("glass.break", target.environment, pipeline=pipeline)
        target = replace(target, frozen=freezes.sentence(frozen), helpers=who)
    broken = facts.open_glass(actor.user_id, target.environment, now) is not None
    if broken and decide(actor, "glass.break", target, now=now).allowed:
        target = replace(target, glass=frozenset({actor.user_id}))
    return target


def lacks(action: str, pipeline: Pipeline) -> str:
    """What the provider can't do, as a sentence; "" when it can."""
    if takes(pipeline, Capability(action)):
        return ""
    adapter = PROVIDERS.get(pipeline.server.provider)
    label = adapter.label if adapter else pipeline.server.provider
    return f"{label} can't {WORDS[action]} from here."


def _blocked(action: str, facts: Facts, pipeline: Pipeline, build: Build | None) -> tuple[str, str]:
    """What refuses everybody, as a sentence, and the permission of those who can change it."""
    server = pipeline.server
    if not server.enabled:
        return f"{server.name} is switched off in Stagedoor.", ""
    cannot = lacks(action, pipeline)
    if cannot:
        return cannot, ""
    unlinked = _unlinked(facts, pipeline)
    if unlinked:
        return unlinked, "link.confirm"
    if pipeline.gone_at is not None:
        return f"{pipeline.name} is no longer on {server.name}.", ""
    if not pipeline.active and action in STARTING:
        return f"{pipeline.name} is not switched on at {server.name}.", "pipeline.activate"
    return _problem(action, pipeline, build), ""


def _problem(action: str, pipeline: Pipeline, build: Build | None) -> str:
    """What the pipeline's or the build's own state rules out."""
    if action == Action.ACTIVATE:
        return f"{pipeline.name} is switched on already." if pipeline.active else ""
    if action == Action.START:
        return "" if pipeline.runnable else _NOT_RUNNABLE.format(pipeline.name)
    return _build_problem(action, pipeline, build)


def _unlinked(facts: Facts, pipeline: Pipeline) -> str:
    """Why the link between the two does not let anybody trigger."""
    if facts.entity is None:
        return "The service that this belongs to is no longer in the catalog."
    status, reason = facts.standings.get(pipeline.pk, (None, ""))
    if status == PipelineLink.Status.CONFIRMED:
        return ""
    if status == PipelineLink.Status.CONFLICT:
        return f"{pipeline.name}: {reason} An administrator has to decide."
    if status == PipelineLink.Status.READ:
        return f"{pipeline.name} can only be read from here. {reason}"
    return f"{pipeline.name} is not linked to {facts.entity}."


def _build_problem(action: str, pipeline: Pipeline, build: Build | None) -> str:
    if build is None or build.pipeline_id != pipeline.pk:
        return f"Say which build of {pipeline.name} is meant."
    if action in {Action.CANCEL, Action.UNBLOCK} and build.is_final:
        return f"This build has ended already: it is {build.state}."
    if action == Action.RETRY and not build.is_final:
        return f"This build has not ended yet: it is {build.state}."
    if action == Action.PROMOTE and build.state != State.PASSED:
        return f"Only a build that passed is promoted; this one is {build.state}."
    return ""
