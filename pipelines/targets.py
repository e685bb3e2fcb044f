"""What a write acts on, as policy sees it: scopes, environment, and what rules it out for all.

Page, request and dispatch ask `decide_for()` with the same facts, read anew each time.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from catalog.models import Entity
from catalog.queries import scopes_of
from pipelines.environments import environment_for
from pipelines.inputs import check_inputs
from pipelines.models import Build, Environment, Pipeline, PipelineLink, Trigger
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability
from pipelines.standing import RELATED, standing
from portal.models import RoleMapping
from portal.policy import Actor, Decision, Target, decide

PERMISSIONS = {"start": "build.start", "cancel": "build.cancel", "retry": "build.retry"}
CAPABILITIES = {
    "start": Capability.START,
    "cancel": Capability.CANCEL,
    "retry": Capability.RETRY,
}
# As in "Jenkins can't ...".
WORDS = {"start": "start builds", "cancel": "cancel builds", "retry": "retry builds"}
MAX_HELPERS = 3
MAX_RETRIES_FOLLOWED = 20
_NOT_RUNNABLE = "{} can't be run: it is disabled, or it only holds other pipelines."


@dataclass(frozen=True)
class Effect:
    """Where a write takes effect, and with what."""

    branch: str
    parameters: dict[str, str]
    environment: Environment | None


def decide_for(  # noqa: PLR0917  the one question that pages ask
    actor: Actor,
    action: str,
    entity: Entity | None,
    pipeline: Pipeline,
    branch: str = "",
    parameters: Mapping[str, str] | None = None,
    *,
    build: Build | None = None,
) -> Decision:
    """May `actor` do `action` (start, cancel, retry) with this pipeline, as this entity's?

    `parameters` are what a person chose; the declared defaults are added. `build` is what a
    cancel or retry acts on, and then says branch and parameters itself. About six queries.
    """
    effect = effect_of(action, pipeline, branch, parameters or {}, build=build)
    return decide_effect(actor, action, entity, pipeline, effect, build=build)


def decide_effect(
    actor: Actor,
    action: str,
    entity: Entity | None,
    pipeline: Pipeline,
    effect: Effect,
    *,
    build: Build | None = None,
) -> Decision:
    """As decide_for(), when the effect is known already."""
    if action not in PERMISSIONS:
        return decide(actor, action, Target(label=pipeline.name), now=timezone.now())
    scopes = scopes_of(entity) if entity is not None else frozenset()
    slug = effect.environment.slug if effect.environment else ""
    permission = PERMISSIONS[action]
    blocked, needed = _blocked(action, entity, pipeline, build)
    target = Target(
        label=str(entity or pipeline),
        scopes=scopes,
        environment=slug,
        blocked=blocked,
        helpers=_helpers(needed or permission, entity, scopes, slug),
    )
    return decide(actor, permission, target, now=timezone.now())


def effect_of(
    action: str,
    pipeline: Pipeline,
    branch: str,
    parameters: Mapping[str, str],
    *,
    build: Build | None = None,
) -> Effect:
    """The environment that a write takes effect in, computed from what would really run.

    A cancel or retry takes branch and parameters of its build. What the portal did not start has
    unknown parameters, which count as the strictest that they could be.
    """
    if action != Trigger.Action.START and build is not None:
        known = _parameters_of(build)
        branch = build.branch or (build.trigger.branch if build.trigger else "")
        return Effect(branch, known or {}, environment_for(pipeline, branch, known))
    inputs = check_inputs(pipeline, branch, parameters)
    environment = environment_for(pipeline, inputs.branch, inputs.parameters)
    return Effect(inputs.branch, inputs.parameters, environment)


def owner_of(entity: Entity | None) -> str:
    """The owning team as people know it, "" without one."""
    if entity is None or not entity.owner_ref:
        return ""
    owner = Entity.objects.filter(ref=entity.owner_ref).only("title", "name").first()
    return str(owner) if owner else entity.owner_ref


def _parameters_of(build: Build) -> dict[str, str] | None:
    """What the build was started with, through any retries; None when we did not start it."""
    origin = build.trigger
    for _ in range(MAX_RETRIES_FOLLOWED):
        if origin is None or origin.action == Trigger.Action.START:
            return origin.parameters if origin else None
        origin = origin.build.trigger if origin.build else None
    return None


def _blocked(
    action: str, entity: Entity | None, pipeline: Pipeline, build: Build | None
) -> tuple[str, str]:
    """What refuses everybody, as a sentence, and the permission of those who can change it."""
    server = pipeline.server
    adapter = PROVIDERS.get(server.provider)
    if not server.enabled:
        return f"{server.name} is switched off in Stagedoor.", ""
    if adapter is None or CAPABILITIES[action] not in adapter.capabilities:
        label = adapter.label if adapter else server.provider
        return f"{label} can't {WORDS[action]} from here.", ""
    unlinked = _unlinked(entity, pipeline)
    if unlinked:
        return unlinked, "link.confirm"
    if pipeline.gone_at is not None:
        return f"{pipeline.name} is no longer on {server.name}.", ""
    if action == Trigger.Action.START:
        return _NOT_RUNNABLE.format(pipeline.name) if not pipeline.runnable else "", ""
    return _build_problem(action, pipeline, build), ""


def _unlinked(entity: Entity | None, pipeline: Pipeline) -> str:
    """Why the link between the two does not let anybody trigger, computed from what holds now."""
    if entity is None:
        return "The service that this belongs to is no longer in the catalog."
    links = list(
        PipelineLink.objects.filter(pipeline=pipeline).select_related(*RELATED).order_by("pk")
    )
    for link, (status, reason) in zip(links, standing(links), strict=True):
        if link.entity_id != entity.pk:
            continue
        if status == PipelineLink.Status.CONFIRMED:
            return ""
        if status == PipelineLink.Status.CONFLICT:
            return f"{pipeline.name}: {reason} An administrator has to decide."
        return f"{pipeline.name} can only be read from here. {reason}"
    return f"{pipeline.name} is not linked to {entity}."


def _build_problem(action: str, pipeline: Pipeline, build: Build | None) -> str:
    if build is None or build.pipeline_id != pipeline.pk:
        return f"Say which build of {pipeline.name} is meant."
    if action == Trigger.Action.CANCEL and build.is_final:
        return f"This build has ended already: it is {build.state}."
    if action == Trigger.Action.RETRY and not build.is_final:
        return f"This build has not ended yet: it is {build.state}."
    return ""


def _helpers(
    permission: str, entity: Entity | None, scopes: frozenset[tuple[str, str]], environment: str
) -> tuple[str, ...]:
    """Who can help: the owning team, then the groups whose role covers this, a few."""
    found = [owner_of(entity)] if permission != "link.confirm" else []
    mappings = RoleMapping.objects.filter(environment__in=["", environment]).select_related("role")
    for mapping in mappings.order_by("role__rank", "group"):
        here = (mapping.scope_kind, mapping.scope_ref) in scopes
        covers = mapping.scope_kind == "everything" or here
        if covers and permission in mapping.role.permissions:
            found.append(f"{mapping.group.partition(':')[2] or mapping.group} ({mapping.role})")
    return tuple(dict.fromkeys(name for name in found if name))[:MAX_HELPERS]
