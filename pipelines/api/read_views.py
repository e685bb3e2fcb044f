"""A service's pipelines, a build, and its log."""

from html import unescape
from typing import NoReturn

from django.http import HttpRequest, HttpResponse
from django.utils.html import strip_tags

from pipelines import accounts, logs
from pipelines.api import seeing, shapes
from pipelines.gates import gates_of
from pipelines.models import Build
from pipelines.offers import Offers
from pipelines.panels import ask_for
from pipelines.providers.errors import ProviderError
from pipelines.queries import links_of, newest_builds
from pipelines.seen import seen_builds_by
from portal.api_errors import ApiError, json_response
from portal.api_tokens import Caller

BUILDS = 5  # of each pipeline


def service(
    request: HttpRequest, caller: Caller, kind: str, namespace: str, name: str
) -> HttpResponse:
    """GET /services/:kind/:namespace/:name: its pipelines and what the caller may do."""
    entity = seeing.service(caller, f"{kind}:{namespace}/{name}")
    pipelines = [link.pipeline for link in links_of(entity)]
    ask_for(pipelines)
    offers = Offers(caller.actor, entity, pipelines)
    newest = newest_builds([pipeline.pk for pipeline in pipelines], BUILDS)
    accounts.tell(build for builds in newest.values() for build in builds)
    found = []
    for pipeline in pipelines:
        builds = [_build(offers, build) for build in newest[pipeline.pk]]
        actions = {"start": offers.run(pipeline), "activate": offers.activate(pipeline)}
        found.append(
            {
                **shapes.pipeline(pipeline, offers.environment(pipeline)),
                "actions": shapes.decisions({a: one for a, one in actions.items() if one}),
                "builds": builds,
            }
        )
    return json_response({"entity": entity.ref, "pipelines": found})


def build(request: HttpRequest, caller: Caller, pk: int) -> HttpResponse:
    """GET /builds/:id: with what the caller may do with it, and what it waits for."""
    found, _, link = seeing.build(caller, pk)
    ask_for([found.pipeline])
    accounts.tell([found])
    gates = [shapes.gate(gate) for gate in gates_of(found)[0]]
    shown: shapes.Json = {**shapes.build(found), "actions": {}, "entity": None, "gates": gates}
    if link is not None:
        offers = Offers(caller.actor, link.entity, [found.pipeline])
        named = seen_builds_by(caller.actor).links([link])
        shown |= {**_build(offers, found), "entity": named[0].entity.ref if named else None}
    return json_response(shown)


def _build(offers: Offers, build: Build) -> shapes.Json:
    return {**shapes.build(build), "actions": shapes.decisions(offers.decisions(build))}


def build_log(request: HttpRequest, caller: Caller, pk: int) -> HttpResponse:
    """GET /builds/:id/log: what follows `offset`, of the step that is asked for or that matters."""
    found, links, _ = seeing.build(caller, pk)
    seeing.may_read_log(caller, found, links)
    wanted = request.GET.get("step", "")
    try:
        steps = logs.steps_of(found)
        step = logs.step_to_show(steps, wanted)
        if wanted and (step is None or step.id != wanted):
            _wrong("step", "The build has no such step with a log.")
        step_id = step.id if step else ""
        offset = _offset(request, found, step_id)
        none_yet = step is None and bool(steps)
        empty = logs.LogPage([], offset, 1, done=found.is_final)
        page = empty if none_yet else logs.read(found, step.log_id if step else "", offset)
    except ProviderError as error:
        raise ApiError(503, f"The log can't be read. {error}") from error
    return json_response(
        {
            "build": found.pk,
            "step": {"id": step.id, "name": step.name, "state": step.state} if step else None,
            "steps": [{"id": one.id, "name": one.name, "state": one.state} for one in steps],
            "text": "".join(f"{unescape(strip_tags(line.html))}\n" for line in page.lines),
            "next": logs.mark_of(found, step_id, page.next_offset),
            "done": page.done,
            "restarted": page.restarted,
            "truncated": page.truncated,
        }
    )


def _offset(request: HttpRequest, build: Build, step_id: str) -> int:
    mark = request.GET.get("offset", "")
    offset = logs.offset_of(build, step_id, mark)
    if mark and logs.mark_of(build, step_id, offset) != mark:
        _wrong("offset", "Give what an earlier answer had in “next”, for the same step.")
    return offset


def _wrong(field: str, sentence: str) -> NoReturn:
    raise ApiError(422, sentence, {"fields": {field: sentence}})
