"""GET and POST /entity-facets."""

import json
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from catalog.api import params
from catalog.api.answers import reading
from catalog.api.facets import MAX_FACETS, facet
from catalog.api.kept import kept
from catalog.api.search import condition_of, matching
from catalog.api.seen import Seen
from portal.api_errors import ApiError, json_response
from portal.api_tokens import Caller


def entity_facets(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    def make(seen: Seen) -> HttpResponseBase:
        return _answer(seen, request.GET.getlist("facet"), request.GET.getlist("filter"), "")

    return reading(request, caller, make)


def entity_facets_body(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST: with a predicate in place of filters."""

    def make(seen: Seen) -> HttpResponseBase:
        sent = params.body(request, "facets", "query")
        query = params.member(sent, "query", dict, None)
        facets = params.texts(sent, "facets", MAX_FACETS)
        return _answer(seen, facets, (), json.dumps(query) if query else "")

    return reading(request, caller, make)


def _answer(
    seen: Seen, fields: Sequence[str], filters: Sequence[str], query: str
) -> HttpResponseBase:
    wanted = list(dict.fromkeys(name for text in fields for name in text.split(",") if name))
    if not wanted:
        raise ApiError(400, "Missing facet parameter: name a field, for example spec.type.")
    if len(wanted) > MAX_FACETS:
        raise ApiError(400, f"There can be {MAX_FACETS} facets in one call.")
    condition = condition_of(filters, query)
    found = matching(seen, condition)

    def one(name: str) -> list[dict[str, Any]]:
        if not seen.everything:
            return facet(found, name)
        # Another call may ask for this one beside others.
        return kept(("facet", condition, name), lambda: facet(found, name), _size)

    return json_response({"facets": {name: one(name) for name in wanted}})


def _size(counts: list[dict[str, Any]]) -> int:
    """In bytes, about: a dict and a text each."""
    return 200 + sum(300 + len(one["value"]) for one in counts)
