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
from pipelines.environments import Environments, branch_problem
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
    runs = not unchosen and action not in {Action.CANCEL, Action.ACTIVATE}
    if runs and not blocked:
        problems = (branch_problem(one, effect.branch) for one in effect.environments)
        blocked = next(filter(None, problems), "")
    # What does not run asks for no proof of its branch.
    effect = effect if runs else replace(effect, on_branch=True)
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
        return replace(decision, helpers=groups(facts, effect.asking, pipeline))
    unproven = _unproven(action, effect) if runs and decision.allowed and not approvals else ""
    if unproven:
        return Decision(Verdict.DENY, "commit", unproven)
    return decision


def _unproven(action: str, effect: Effect) -> str:
    """Why a commit that may be on any branch may not run there, as a sentence: whatever the run is
    called by, and nobody else looks at it."""
    guarded = next((one for one in effect.environments if one.protected_branches), None)
    if guarded is None or effect.on_branch:
        return ""
    takes_newest = f"{guarded} takes the newest commit of a protected branch."
    if action != Action.START:
        return (
            f"{takes_newest} Stagedoor can't tell that this build's commit is on {effect.branch}: "
            f"start {effect.branch} anew."
        )
    return (
        f"{takes_newest} This commit was named by hand, so nobody knows that it is on "
        f"{effect.branch}: run {effect.branch} without a commit."
    )


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
    places = effect.environments if effect else (environment,) if environment else ()
    target = Target(
        label=str(facts.entity or label),
        scopes=facts.scopes_with(pipeline),
        environment=slug,
        approvals_needed=max((one.approvals for one in places), default=0),
        blocked=blocked,
        branch=(effect.branch or None) if effect and effect.on_branch else None,
        parameters=effect.judged if effect else None,
        carried=effect.judged_besides if effect else None,
        unchosen=unchosen,
        helpers=facts.helpers(helped_by or permission, slug, pipeline),
    )
    if permission in RUNNING:
        target = _as_of_now(facts, actor, target, now, pipeline, places)
    return decide(actor, permission, target, now=now, approvals=approvals)


def _as_of_now(  # noqa: PLR0917
    facts: Facts,
    actor: Actor,
    target: Target,
    now: datetime,
    pipeline: Pipeline | None,
    places: Environments,
) -> Target:
    """The target with the freeze that is in force anywhere that it may be, and the actor among
    those whose broken glass still counts: it ends with their time, and with their right to break
    it. Glass that is broken in one of these places lets nobody past what another asks for."""
    there: dict[Environment | None, Target] = {
        one: replace(target, environment=one.slug) for one in places
    }
    there = there or {None: target}  # while no environment is configured at all
    broken = {one for one, seen in there.items() if _has_broken(facts, actor, seen, now, pipeline)}
    stopping = {
        freeze.pk: (freeze, one)
        for one, seen in there.items()
        if one not in broken and (freeze := freezes.in_force(facts.freezes, seen, now))
    }
    if stopping and not target.blocked:
        frozen, where = max(stopping.values(), key=lambda found: found[0].ends_at)
        sentence = freezes.sentence(frozen, there[where])
        if where != next(iter(there)):
            sentence += f" Whether this takes effect in {where} is not known."
        who = facts.holders("glass.break", there[where].environment, pipeline=pipeline)
        return replace(target, frozen=sentence, helpers=who)
    if broken and not any(one.approvals for one in places if one not in broken):
        return replace(target, glass=frozenset({actor.user_id}))
    return target


def _has_broken(
    facts: Facts, actor: Actor, target: Target, now: datetime, pipeline: Pipeline | None
) -> bool:
    glass = facts.open_glass(actor.user_id, [target.environment], now, pipeline)
    return glass is not None and decide(actor, "glass.break", target, now=now).allowed


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
