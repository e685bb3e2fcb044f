"""Locations: which sources there are, adding one by its address, and taking one away."""

import base64
import binascii

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from catalog import register, runs, tasks
from catalog.api import params
from catalog.api.filters import ANYTHING, FilterError, read_predicate
from catalog.api.permits import allowed, require
from catalog.api.places import having, location_of, source_of
from catalog.api.seen import VIEW
from catalog.api.trial import analysed, described_at, draft, entities_at
from catalog.models import Entity, Source, SyncRun
from portal.api_errors import ApiError, json_response
from portal.api_tokens import Caller
from portal.policy import Target

SOURCES = Target("the catalog's sources")
DEFAULT_LIMIT = 100


def locations(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """GET /locations."""
    require(request, caller, VIEW, SOURCES)
    return json_response([{"data": one} for one in _all()])


def locations_by_query(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST /locations/by-query: a page of those that a predicate lets through."""
    require(request, caller, VIEW, SOURCES)
    sent = params.body(request, "query", "limit", "cursor")
    limit = params.member(sent, "limit", int, DEFAULT_LIMIT)
    try:
        query = params.member(sent, "query", dict, None)
        begin = _after(params.member(sent, "cursor", str, ""))
        found = having(_all(), read_predicate(query) if query else ANYTHING)
    except FilterError as error:
        raise ApiError(400, str(error)) from error
    page = [one for one in found if one["id"] > begin][: limit + 1]
    info = {"nextCursor": _cursor(page[limit - 1])} if 0 < limit < len(page) else {}
    return json_response({"items": page[:limit], "totalItems": len(found), "pageInfo": info})


def location(request: HttpRequest, caller: Caller, slug: str) -> HttpResponseBase:
    """GET /locations/:id."""
    require(request, caller, VIEW, SOURCES)
    return json_response(location_of(_source(slug)))


def location_by_entity(
    request: HttpRequest, caller: Caller, kind: str, namespace: str, name: str
) -> HttpResponseBase:
    """GET /locations/by-entity/:kind/:namespace/:name: where the entity comes from."""
    require(request, caller, VIEW, SOURCES)
    ref = f"{kind}:{namespace}/{name}".lower()
    entity = Entity.objects.filter(ref=ref).select_related("source").first()
    source = entity.source if entity else source_of(ref)
    if source is None:
        raise ApiError(404, f"No location of {ref} was found.")
    return json_response(location_of(source))


def add_location(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST /locations: a new source, or with dryRun what it would bring."""
    user = _registrar(request, caller)
    dry_run = params.flag(request, "dryRun")
    again = params.word(request, "onConflict", "reject", "refresh") == "refresh"
    found = analysed(params.body(request))
    if dry_run:
        source = Source(slug="", kind=found.spec.kind, target=found.spec.target)
        entities = entities_at(found.spec)
        answer = {"location": location_of(found.source or source), "entities": entities}
        return json_response({**answer, "exists": found.known}, 201)
    if found.source is not None:
        return _again(found.source, user, again)
    try:
        source, run = register.register(found.url, user, request)
    except register.Refused as refused:  # somebody was quicker
        raise ApiError(409, str(refused)) from refused
    tasks.sync_source.delay_on_commit(run.pk)
    return json_response({"location": location_of(source), "entities": [], "exists": False}, 201)


def change_location(request: HttpRequest, caller: Caller, slug: str) -> HttpResponseBase:
    """PUT /locations/:id: the same source at another address."""
    user = _registrar(request, caller)
    source = _source(slug)
    try:
        run = register.change(source, analysed(params.body(request)), user, request)
    except register.Refused as refused:
        raise ApiError(409 if refused.source else 403, str(refused)) from refused
    tasks.sync_source.delay_on_commit(run.pk)
    return json_response(location_of(source))


def remove_location(request: HttpRequest, caller: Caller, slug: str) -> HttpResponseBase:
    """DELETE /locations/:id."""
    user = _registrar(request, caller)
    try:
        register.unregister(_source(slug), user, request)
    except register.Refused as refused:
        raise ApiError(403, str(refused)) from refused
    return HttpResponse(status=204)


def analyze_location(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST /analyze-location: what is described at an address, else a draft of what could be."""
    _registrar(request, caller)
    found = analysed(params.member(params.body(request), "location", dict, {}))
    existing = described_at(found.spec)
    generated = [] if existing else [draft(found)]
    return json_response({"existingEntityFiles": existing, "generateEntities": generated})


def _again(source: Source, user: User, refreshed: bool) -> HttpResponseBase:
    """What is registered already: read again where that was asked for, else a conflict."""
    if not refreshed:
        raise ApiError(409, f"This address is read already, by the source {source.slug}.")
    run = runs.request(source, SyncRun.Cause.PERSON, user)
    tasks.sync_source.delay_on_commit(run.pk)
    return json_response({"location": location_of(source), "entities": [], "exists": True}, 201)


def _registrar(request: HttpRequest, caller: Caller) -> User:
    decision = register.decide_for(caller.actor)
    return allowed(request, caller, register.ACTION, SOURCES.label, decision)


def _source(slug: str) -> Source:
    source = Source.objects.filter(slug=slug).first()
    if source is None:
        raise ApiError(404, f"Found no location with ID {slug[:100]}.")
    return source


def _all() -> list[dict[str, str]]:
    return [location_of(source) for source in Source.objects.order_by("slug")]


def _cursor(location: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(location["id"].encode()).decode()


def _after(cursor: str) -> str:
    """The id behind which the page begins."""
    try:
        return base64.b64decode(cursor.encode(), b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise FilterError("This cursor is none of Stagedoor's; begin again without one.") from error
