"""What a write acts on, as policy sees it: scopes, environment, and what rules it out for all.

Page, request and dispatch ask `decide_for()` with the same facts, read anew each time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils import timezone

from catalog.models import Entity
from pipelines.environments import Rules, read_rules
from pipelines.facts import Facts, facts_of
from pipelines.inputs import check_inputs
from pipelines.models import Build, Environment, Pipeline, PipelineLink, Trigger
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability
from portal.policy import Actor, Decision, Target, decide

PERMISSIONS = {"start": "build.start", "cancel": "build.cancel", "retry": "build.retry"}
CAPABILITIES = {
    "start": Capability.START,
    "cancel": Capability.CANCEL,
    "retry": Capability.RETRY,
}
# As in "Jenkins can't ...".
WORDS = {"start": "start builds", "cancel": "cancel builds", "retry": "retry builds"}
MAX_RETRIES_FOLLOWED = 20
_NOT_RUNNABLE = "{} can't be run: it is disabled, or it only holds other pipelines."


@dataclass(frozen=True)
class Effect:
    """Where a write takes effect, and with what; `errors` are those of check_inputs()."""

    branch: str
    parameters: dict[str, str]
    environment: Environment | None
    errors: Mapping[str, str] = field(default_factory=dict)


def decide_for(  # noqa: PLR0917  the one question that pages ask
    actor: Actor,
    action: str,
    entity: Entity | None,
    pipeline: Pipeline,
    branch: str = "",
    parameters: Mapping[str, str] | None = None,
    *,
    build: Build | None = None,
    facts: Facts | None = None,
) -> Decision:
    """May `actor` do `action` (start, cancel, retry) with this pipeline, as this entity's?

    `parameters` are what a person chose; the declared defaults are added. `build` is what a
    cancel or retry acts on, and then says branch and parameters itself. A page that asks often
    reads the facts once and gives them; without them they are read anew.
    """
    facts = facts or facts_of(entity, [pipeline])
    effect = effect_of(action, pipeline, branch, parameters or {}, build=build, rules=facts.rules)
    return decide_effect(actor, action, pipeline, effect, facts, build=build)


def decide_effect(
    actor: Actor,
    action: str,
    pipeline: Pipeline,
    effect: Effect,
    facts: Facts,
    *,
    build: Build | None = None,
) -> Decision:
    """As decide_for(), when effect and facts are known already; no queries."""
    if action not in PERMISSIONS:
        return decide(actor, action, Target(label=pipeline.name), now=timezone.now())
    slug = effect.environment.slug if effect.environment else ""
    permission = PERMISSIONS[action]
    blocked, needed = _blocked(action, facts, pipeline, build)
    target = Target(
        label=str(facts.entity or pipeline),
        scopes=facts.scopes,
        environment=slug,
        blocked=blocked,
        helpers=facts.helpers(needed or permission, slug),
    )
    return decide(actor, permission, target, now=timezone.now())


def effect_of(
    action: str,
    pipeline: Pipeline,
    branch: str,
    parameters: Mapping[str, str],
    *,
    build: Build | None = None,
    rules: Rules | None = None,
) -> Effect:
    """The environment that a write takes effect in, computed from what would really run.

    A cancel or retry takes branch and parameters of its build. What the portal did not start has
    unknown parameters, which count as the strictest that they could be.
    """
    rules = rules or read_rules()
    if action != Trigger.Action.START and build is not None:
        known = _parameters_of(build)
        branch = build.branch or (build.trigger.branch if build.trigger else "")
        return Effect(branch, known or {}, rules.environment(pipeline, branch, known))
    inputs = check_inputs(pipeline, branch, parameters)
    environment = rules.environment(pipeline, inputs.branch, inputs.parameters)
    return Effect(inputs.branch, inputs.parameters, environment, inputs.errors)


def _parameters_of(build: Build) -> dict[str, str] | None:
    """What the build was started with, through any retries; None when we did not start it."""
    origin = build.trigger
    for _ in range(MAX_RETRIES_FOLLOWED):
        if origin is None or origin.action == Trigger.Action.START:
            return origin.parameters if origin else None
        origin = origin.build.trigger if origin.build else None
    return None


def _blocked(action: str, facts: Facts, pipeline: Pipeline, build: Build | None) -> tuple[str, str]:
    """What refuses everybody, as a sentence, and the permission of those who can change it."""
    server = pipeline.server
    adapter = PROVIDERS.get(server.provider)
    if not server.enabled:
        return f"{server.name} is switched off in Stagedoor.", ""
    if adapter is None or CAPABILITIES[action] not in adapter.capabilities:
        label = adapter.label if adapter else server.provider
        return f"{label} can't {WORDS[action]} from here.", ""
    unlinked = _unlinked(facts, pipeline)
    if unlinked:
        return unlinked, "link.confirm"
    if pipeline.gone_at is not None:
        return f"{pipeline.name} is no longer on {server.name}.", ""
    if action == Trigger.Action.START:
        return _NOT_RUNNABLE.format(pipeline.name) if not pipeline.runnable else "", ""
    return _build_problem(action, pipeline, build), ""


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
    if action == Trigger.Action.CANCEL and build.is_final:
        return f"This build has ended already: it is {build.state}."
    if action == Trigger.Action.RETRY and not build.is_final:
        return f"This build has not ended yet: it is {build.state}."
    return ""
