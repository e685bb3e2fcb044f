"""What a caller may see. What they may not see is not there; a token not made to see says so."""

import uuid
from collections.abc import Iterable

from django.utils import timezone

from catalog.models import Entity
from pipelines.models import Build, Pipeline, PipelineLink, Trigger
from pipelines.offers import sees
from pipelines.queries import acting_link_seen
from pipelines.seen import seen_builds_by
from portal.api_errors import ApiError
from portal.api_tokens import Caller
from portal.explain import told
from portal.policy import Decision, Target, decide

VIEW, READ_LOG = "build.view", "log.view"


def denied(decision: Decision) -> ApiError:
    """A denial as an answer: the rule, its sentence, and what would help."""
    return ApiError(403, decision.sentence, told(decision))


def service(caller: Caller, ref: str) -> Entity:
    _made_to(caller, VIEW)
    entity = Entity.objects.select_related("source").filter(ref=ref.lower()).first()
    if entity is None or not sees(caller.actor, [entity]).allowed:
        raise ApiError(404, f"There is no service {ref[:300]}, or you may not see it.")
    return entity


def build(caller: Caller, pk: int) -> tuple[Build, list[PipelineLink], PipelineLink | None]:
    """With the links of its pipeline, and the one as which it is acted on."""
    _made_to(caller, VIEW)
    related = ("pipeline__server", "trigger__environment", "trigger__build__trigger")
    found = Build.objects.select_related(*related).filter(pk=pk).first()
    links = _links(found.pipeline) if found else []
    entities = [link.entity for link in links]
    if found is None or not sees(caller.actor, entities, pipeline=found.pipeline).allowed:
        raise ApiError(404, f"There is no build {pk}, or you may not see it.")
    return found, links, acting_link_seen(seen_builds_by(caller.actor), found, links)


def may_read_log(caller: Caller, seen: Build, links: Iterable[PipelineLink]) -> None:
    """Raises ApiError 403."""
    entities = [link.entity for link in links]
    decision = sees(caller.actor, entities, READ_LOG, seen.pipeline)
    if not decision.allowed:
        raise denied(decision)


def trigger(caller: Caller, request_id: uuid.UUID) -> Trigger:
    """One that was asked for in the caller's name, or about something that they may see."""
    _made_to(caller, VIEW)
    related = ("pipeline__server", "entity__source", "environment", "build", "started_build")
    found = Trigger.objects.select_related(*related).filter(request_id=request_id).first()
    if found is None or not _may_see(caller, found):
        raise ApiError(404, "There is no such request, or you may not see it.")
    return found


def _may_see(caller: Caller, found: Trigger) -> bool:
    if found.actor_id == caller.actor.user_id:
        return True
    entities = [found.entity] if found.entity else []
    return sees(caller.actor, entities, pipeline=found.pipeline).allowed


def _links(pipeline: Pipeline) -> list[PipelineLink]:
    links = PipelineLink.objects.filter(pipeline=pipeline)
    return list(links.select_related("entity__source", "pipeline__server"))


def _made_to(caller: Caller, permission: str) -> None:
    """Asked before anything is looked up, so that it says nothing of what there is."""
    decision = decide(caller.actor, permission, Target("builds"), now=timezone.now())
    if decision.rule == "token":
        raise denied(decision)
