"""What asks for work: a reading, the judging of a descriptor, the removal of an entity."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from catalog import names, refresh, register, sync_requests, tasks
from catalog.api import params
from catalog.api.entity_views import ref_of, uid_of
from catalog.api.permits import allowed, require
from catalog.api.places import source_of
from catalog.api.seen import CATALOG, VIEW, seen_by
from catalog.descriptors import parse
from catalog.models import SyncRun
from catalog.scopes import scopes_of
from portal.api_errors import ApiError, json_response
from portal.api_tokens import Caller
from portal.explain import told
from portal.policy import Target

MAX_ERRORS = 50
# Of an entity that is sent to be judged; texts may be long, and cost little.
MAX_VALUES = 20_000


def refresh_entity(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST /refresh: requests a reading, as the button on the entity's page does."""
    sent = params.body(request)
    ref = ref_of(params.member(sent, "entityRef", str, ""))
    entity = seen_by(caller).entities().filter(ref=ref).select_related("source", "file").first()
    if entity is None:
        return _refresh_location(request, caller, ref)
    decision = refresh.decide_for(caller.actor, entity)
    user = allowed(request, caller, refresh.ACTION, entity.ref, decision)
    return _requested(*refresh.ask(user, entity, request))


def _refresh_location(request: HttpRequest, caller: Caller, ref: str) -> HttpResponseBase:
    """A source, by the ref of the Location that Backstage would have made for it."""
    source = source_of(ref)
    if source is None:
        raise ApiError(404, f"No entity {ref} was found.")
    decision = sync_requests.decide_for(caller.actor, source)
    user = allowed(request, caller, sync_requests.ACTION, str(source), decision)
    return _requested(*sync_requests.ask(user, source, request))


def _requested(run: SyncRun | None, decision: Any) -> HttpResponse:
    if run is None:
        raise ApiError(403, decision.sentence, told(decision))
    tasks.sync_source.delay_on_commit(run.pk)
    return HttpResponse(status=200)


def validate_entity(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST /validate-entity: nothing is stored and nothing fetched."""
    require(request, caller, VIEW, CATALOG)
    sent = params.body(request, "entity", "location")
    entity = params.member(sent, "entity", dict, None)
    if entity is None:
        raise ApiError(400, "entity is missing: the descriptor as an object.")
    location = params.member(sent, "location", str, "")
    if ":" not in location:
        raise ApiError(400, "location must say where the entity is from, for example url:https://…")
    if _is_wide(entity):
        raise ApiError(400, f"entity can hold {MAX_VALUES:,} values at most.")
    # JSON is YAML, so it is judged by the very rules for files.
    results = parse(json.dumps(entity).encode())
    problems = [p for result in results for p in result.problems if p.severity == "error"]
    if not problems and any(result.valid for result in results):
        return HttpResponse(status=200)
    messages = [problem.message for problem in problems] or ["This describes no entity."]
    errors = [{"name": "InputError", "message": message} for message in messages[:MAX_ERRORS]]
    return json_response({"errors": errors}, 400)


def _is_wide(value: object) -> bool:
    """Whether judging it would keep the portal busy for seconds."""
    waiting, count = [value], 0
    while waiting and count <= MAX_VALUES:
        one = waiting.pop()
        inside = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        count += len(inside)
        waiting.extend(inside)
    return count > MAX_VALUES


def remove_entity(request: HttpRequest, caller: Caller, uid: str) -> HttpResponseBase:
    """DELETE /entities/by-uid/:uid: it goes, and comes back if its source still describes it."""
    found = seen_by(caller).entities().filter(uid=uid_of(uid)).select_related("source")
    entity = found.first()
    if entity is None:
        raise ApiError(404, f"No entity with the uid {uid} was found.")
    target = Target(str(entity), scopes_of(entity))
    # Whoever decides what is in the catalog at all may take an entity out of it.
    user = require(request, caller, register.ACTION, target)
    if names.conflicts_of(entity.ref):
        # The next of those that claim the name would have it, and that is a decision.
        require(request, caller, names.PERMISSION, target)
    run = register.take_out(entity, user, request)
    if run is not None:
        tasks.sync_source.delay_on_commit(run.pk)
    return HttpResponse(status=204)
