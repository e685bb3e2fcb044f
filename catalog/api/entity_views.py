"""Entities as a plain list, by refs, by name and by uid, with their ancestry."""

import base64
import binascii
import json
import uuid
from collections.abc import Iterator, Sequence

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from catalog.api import params
from catalog.api.answers import JSON, reading
from catalog.api.entities import BATCH, by_pk, by_ref, serialized
from catalog.api.fields import Fields, read_fields
from catalog.api.filters import FilterError
from catalog.api.ordering import MAX_FIELDS, Order, ordered, read_order
from catalog.api.search import condition_of, matching
from catalog.api.seen import Seen
from catalog.models import Entity
from catalog.origin import shown_ancestry
from catalog.refs import RefError, parse_ref
from portal.api_errors import ApiError, encode
from portal.api_tokens import Caller

MAX_REFS = 10_000
EVERYTHING = Fields()


def entities(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """GET /entities: a bare list; without a limit all of it, sent piece by piece."""

    def make(seen: Seen) -> HttpResponseBase:
        condition = condition_of(request.GET.getlist("filter"))
        limit, offset = _slice(request)
        orders = [_order(text) for text in request.GET.getlist("order")[:MAX_FIELDS]]
        found = ordered(matching(seen, condition), orders)
        # The order that nobody asked for is by ref, as in Backstage.
        found = found if orders else found.order_by("ref")
        end = None if limit is None else offset + limit + 1
        pks = list(found.values_list("pk", flat=True)[offset:end])
        more = limit is not None and len(pks) > limit
        pks = pks[:limit]
        fields = read_fields(request.GET.getlist("fields"))
        headers = {"Link": _next(request, limit, offset)} if more and limit else {}
        if len(pks) > BATCH:
            return StreamingHttpResponse(_pieces(pks, fields), content_type=JSON, headers=headers)
        return HttpResponse(_list(serialized(pks, fields)), JSON, headers=headers)

    return reading(request, caller, make)


def by_name(
    request: HttpRequest, caller: Caller, kind: str, namespace: str, name: str
) -> HttpResponseBase:
    """GET /entities/by-name/:kind/:namespace/:name."""

    def make(seen: Seen) -> HttpResponse:
        ref = f"{kind}:{namespace}/{name}".lower()
        found = by_ref(ref) if seen.everything or _pk(seen, kind, namespace, name) else None
        return HttpResponse(found or _missing(kind, namespace, name), JSON)

    return reading(request, caller, make)


def ancestry(
    request: HttpRequest, caller: Caller, kind: str, namespace: str, name: str
) -> HttpResponseBase:
    """GET …/ancestry: the entity and the Locations that led to it, each with its parents."""

    def make(seen: Seen) -> HttpResponse:
        pk = _pk(seen, kind, namespace, name) or _missing(kind, namespace, name)
        entity = Entity.objects.select_related("file").get(pk=pk)
        chain = [entity, *shown_ancestry(entity, seen)]
        rows = serialized([one.pk for one in chain], EVERYTHING)
        parents = [[one.ref] for one in chain[1:]] + [[]]
        items = [
            b'{"entity":' + row + b',"parentEntityRefs":' + encode(refs) + b"}"
            for row, refs in zip(rows, parents, strict=False)
        ]
        root = b'{"rootEntityRef":' + encode(entity.ref) + b',"items":'
        return HttpResponse(root + _list(items) + b"}", JSON)

    return reading(request, caller, make)


def by_uid(request: HttpRequest, caller: Caller, uid: str) -> HttpResponseBase:
    """GET /entities/by-uid/:uid."""

    def make(seen: Seen) -> HttpResponse:
        pk = seen.entities().filter(uid=uid_of(uid)).values_list("pk", flat=True).first()
        if pk is None:
            raise ApiError(404, f"No entity with the uid {uid} was found.")
        return HttpResponse(serialized([pk], EVERYTHING)[0], JSON)

    return reading(request, caller, make)


def by_refs(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST /entities/by-refs: in the order asked, null for what is not there."""

    def make(seen: Seen) -> HttpResponse:
        sent = params.body(request, "entityRefs", "fields", "query")
        if "entityRefs" not in sent:
            raise ApiError(400, "entityRefs is missing: a list of entity refs.")
        refs = [ref_of(text) for text in params.texts(sent, "entityRefs", MAX_REFS)]
        query = params.member(sent, "query", dict, None)
        filters = request.GET.getlist("filter")
        found = matching(seen, condition_of(filters, json.dumps(query) if query else ""))
        pks = dict(found.filter(ref__in=set(refs)).values_list("ref", "pk"))
        fields = read_fields(params.texts(sent, "fields", MAX_REFS))
        rows = by_pk(list(pks.values()), fields)
        items = [rows.get(pks.get(ref, 0), b"null") for ref in refs]
        return HttpResponse(b'{"items":' + _list(items) + b"}", JSON)

    return reading(request, caller, make)


def uid_of(text: str) -> uuid.UUID:
    """Raises ApiError 404: what is no uid is nobody's."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ApiError(404, f"No entity with the uid {text[:100]} was found.") from None


def _pk(seen: Seen, kind: str, namespace: str, name: str) -> int | None:
    ref = f"{kind}:{namespace}/{name}".lower()
    return seen.entities().filter(ref=ref).values_list("pk", flat=True).first()


def _missing(kind: str, namespace: str, name: str) -> int:
    raise ApiError(
        404, f"No entity named '{name}' of kind '{kind}' in the namespace '{namespace}'."
    )


def ref_of(text: str) -> str:
    """As refs are stored. Raises ApiError 400."""
    try:
        return str(parse_ref(text))
    except RefError as error:
        raise ApiError(400, str(error)) from error


def _order(text: str) -> Order:
    direction, _, field = text.partition(":")
    return read_order(field, direction)


def _slice(request: HttpRequest) -> tuple[int | None, int]:
    """(limit, offset), from `after` or as they are."""
    limit = params.integer(request, "limit", -1)
    offset = params.integer(request, "offset", 0)
    after = request.GET.get("after", "")
    if after:
        try:
            value = json.loads(base64.b64decode(after + "=" * (-len(after) % 4), validate=True))
            limit, offset = value["limit"], value["offset"]
            if type(limit) is not int or type(offset) is not int:
                raise TypeError
            if not (0 <= limit < params.MAX_INTEGER and 0 <= offset < params.MAX_INTEGER):
                raise ValueError
        except (ValueError, TypeError, KeyError, RecursionError, binascii.Error) as error:
            raise FilterError("This after is none of Stagedoor's; begin again.") from error
    return (None if limit < 0 else limit), offset


def _next(request: HttpRequest, limit: int, offset: int) -> str:
    """The Link header to the next page."""
    place = encode({"limit": limit, "offset": offset + limit})
    query = request.GET.copy()
    for name in ("offset", "limit"):
        query.pop(name, None)
    query["after"] = base64.b64encode(place).decode()
    return f'<{request.path}?{query.urlencode()}>; rel="next"'


def _list(items: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _pieces(pks: list[int], fields: Fields) -> Iterator[bytes]:
    """The list, BATCH entities at a time, so that nobody holds all of it in memory."""
    begun = False
    for start in range(0, len(pks), BATCH):
        rows = serialized(pks[start : start + BATCH], fields)
        if rows:
            yield (b"," if begun else b"[") + b",".join(rows)
            begun = True
    yield b"]" if begun else b"[]"
