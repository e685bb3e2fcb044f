"""GET and POST /entities/by-query: a page of entities, how many there are, and where it goes on."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from catalog.api import cursors, params
from catalog.api.answers import JSON, reading
from catalog.api.cursors import Search, Start
from catalog.api.entities import serialized
from catalog.api.fields import Fields, read_fields
from catalog.api.filters import FilterError
from catalog.api.ordering import MAX_FIELDS, Order, read_order
from catalog.api.search import page_of, total_of
from catalog.api.seen import Seen
from portal.api_errors import ApiError, encode
from portal.api_tokens import Caller

DEFAULT_LIMIT = 200  # of by-query's GET; Backstage's
MAX_LIMIT = 5_000  # a larger one is cut to this; the cursor leads on
MAX_LIST = 1_000


@dataclass(frozen=True)
class Asked:
    """What both methods are asked."""

    search: Search
    start: Start | None
    offset: int
    limit: int
    counted: bool
    fields: Fields


def by_query(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """GET."""

    def make(seen: Seen) -> HttpResponse:
        limit = params.integer(request, "limit", DEFAULT_LIMIT)
        offset = params.integer(request, "offset", 0)
        counted = params.word(request, "totalItems", "include", "exclude") == "include"
        search, start = _asked(request)
        fields = read_fields(request.GET.getlist("fields"))
        return _answer(seen, Asked(search, start, offset, limit, counted, fields))

    return reading(request, caller, make)


def by_query_body(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST: the same, with a predicate in place of filters."""

    def make(seen: Seen) -> HttpResponse:
        sent = params.body(request, *BODY)
        limit = params.member(sent, "limit", int, DEFAULT_LIMIT)
        offset = params.member(sent, "offset", int, 0)
        counted = sent.get("totalItems", "include")
        if counted not in ("include", "exclude"):
            raise ApiError(400, "totalItems must be include or exclude.")
        cursor = params.member(sent, "cursor", str, "")
        search, start = cursors.read(cursor) if cursor else (_search_in(sent), None)
        fields = read_fields(params.texts(sent, "fields", MAX_LIST))
        asked = Asked(search, start, offset, limit, counted == "include", fields)
        return _answer(seen, asked)

    return reading(request, caller, make)


BODY = ("query", "orderBy", "fullTextFilter", "fields", "limit", "offset", "cursor", "totalItems")


def _asked(request: HttpRequest) -> tuple[Search, Start | None]:
    query = request.GET
    if query.get("cursor"):
        return cursors.read(query["cursor"])
    orders = tuple(_order(text) for text in query.getlist("orderField"))
    search = Search(
        filters=tuple(query.getlist("filter")),
        orders=_few(orders),
        term=query.get("fullTextFilterTerm", ""),
        term_fields=read_fields(query.getlist("fullTextFilterFields")).paths,
    )
    return search, None


def _order(text: str) -> Order:
    field, _, direction = text.partition(",")
    return read_order(field.strip(), direction.strip() or "asc")


def _few(orders: tuple[Order, ...]) -> tuple[Order, ...]:
    if len(orders) > MAX_FIELDS:
        raise FilterError(f"There can be {MAX_FIELDS} fields to order by.")
    return orders


def _search_in(sent: dict[str, Any]) -> Search:
    query = params.member(sent, "query", dict, None)
    text = params.member(sent, "fullTextFilter", dict, {})
    orders = sent.get("orderBy", [])
    orders = orders if isinstance(orders, list) else [orders]
    if not all(isinstance(order, dict) for order in orders):
        raise ApiError(400, "orderBy must be a list of objects with field and order.")
    return Search(
        query=json.dumps(query) if query else "",
        orders=_few(
            tuple(read_order(order.get("field"), order.get("order", "asc")) for order in orders)
        ),
        term=params.member(text, "term", str, ""),
        term_fields=tuple(params.texts(text, "fields", MAX_LIST)),
    )


def _answer(seen: Seen, asked: Asked) -> HttpResponse:
    total = total_of(seen, asked.search) if asked.counted else 0
    offset = 0 if asked.start else asked.offset
    page = page_of(seen, asked.search, asked.start, offset, min(asked.limit, MAX_LIMIT))
    info = {"nextCursor": page.next, "prevCursor": page.previous}
    ends = {"totalItems": total, "pageInfo": {name: to for name, to in info.items() if to}}
    items = b",".join(serialized(page.pks, asked.fields))
    return HttpResponse(b'{"items":[' + items + b"]," + encode(ends)[1:], JSON)
