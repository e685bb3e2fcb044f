"""Travis CI's lists: pages with links, sorting and filters; what repeats within an answer."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from ..objects import Build, Pipeline
from ..wire import Answer, Request, json_answer
from . import ids
from .model import Model, state_of
from .requesting import event_of

LARGEST = 100
Row = TypeVar("Row")
Json = dict[str, Any]


class BadParameter(Exception):
    """A parameter can't be used; the text says which."""


def resource(shown: Json, status: int = 200) -> Answer:
    """One answer. An object that stood in it before is only its link the second time."""
    seen: set[str] = set()
    return json_answer(_collapsed(shown, seen), status)


def _collapsed(value: Any, seen: set[str]) -> Any:
    if isinstance(value, list):
        return [_collapsed(item, seen) for item in value]
    if not isinstance(value, dict):
        return value
    href = value.get("@href")
    if href and value.get("@type"):
        if href in seen:
            return {"@href": href}
        seen.add(href)
    return {key: _collapsed(item, seen) for key, item in value.items()}


def page(
    request: Request,
    model: Model,
    key: str,
    rows: Sequence[Row],
    show: Callable[[Row], Json],
    *,
    usual: int = 100,
) -> Answer:
    """One page of a list; more than 100 is cut to that without a word."""
    limit = min(_number(request, "limit", usual), LARGEST)
    offset = _number(request, "offset", 0)
    counted = request.get("skip_count") != "true"
    path = request.path.removeprefix(f"/{request.instance.prefix}")
    shown = {
        "@type": key,
        "@href": f"{model.root}{path.removeprefix('/api')}",
        "@representation": "standard",
        "@pagination": _pagination(request, model, limit, offset, len(rows) if counted else None),
        key: [show(row) for row in rows[offset : offset + limit]],
    }
    return resource(shown)


def _pagination(
    request: Request, model: Model, limit: int, offset: int, count: int | None
) -> dict[str, Any]:
    path = request.path.removeprefix(f"/{request.instance.prefix}").removeprefix("/api")
    kept = [(name, value) for name, value in request.query if name not in ("limit", "offset")]

    def link(at: int) -> dict[str, Any]:
        query = urlencode([*kept, ("limit", limit), ("offset", at)])
        return {"@href": f"{model.root}{path}?{query}", "offset": at, "limit": limit}

    # Without a count nobody knows the last page, so there is always a next one.
    more = count is None or offset + limit < count
    last = max((count or 0) - 1, 0) // max(limit, 1) * limit
    shown: dict[str, Any] = {"limit": limit, "offset": offset}
    if count is not None:
        shown |= {"count": count, "is_last": not more, "last": link(last)}
    return shown | {
        "is_first": offset == 0,
        "next": link(offset + limit) if more else None,
        "prev": link(max(offset - limit, 0)) if offset else None,
        "first": link(0),
    }


def _number(request: Request, name: str, usual: int) -> int:
    text = request.get(name)
    if not text:
        return usual
    number = ids.whole(text)
    if number is None:
        raise BadParameter(f"{name} is not an integer")
    return number


def _words(request: Request, name: str) -> list[str]:
    return [word for word in request.get(name).split(",") if word]


def repositories(request: Request, model: Model, found: Iterable[Pipeline]) -> Answer:
    """Filters `repository.active`, sorted by id or name."""
    rows = list(found)
    active = request.get("repository.active")
    if active:
        rows = [row for row in rows if str(row.active).lower() == active]
    order, _, way = request.get("sort_by", "id").partition(":")
    if order not in ("id", "name", "owner_name", "active"):
        raise BadParameter(f"not supported: sort_by={order}")
    if order == "name":
        rows.sort(key=lambda row: row.short_name)
    else:
        rows.sort(key=lambda row: ids.repository_id(model.instance, row))
    if way == "desc":
        rows.reverse()
    return page(request, model, "repositories", rows, model.repository)


def builds(request: Request, model: Model, found: Iterable[Build]) -> Answer:
    """Filters by branch, state, event and creator; newest first unless asked otherwise."""
    rows = list(found)
    branches, states = _words(request, "branch.name"), _words(request, "build.state")
    events, creators = _words(request, "build.event_type"), _words(request, "build.created_by")
    if branches:
        rows = [row for row in rows if row.branch in branches]
    if states:
        rows = [row for row in rows if state_of(row, model.now) in states]
    if events:
        rows = [row for row in rows if event_of(row) in events]
    if creators:
        rows = [row for row in rows if row.who and row.who.login in creators]
    order, _, way = request.get("sort_by", "number:desc").partition(":")
    if order not in ("id", "number", "created_at", "started_at", "finished_at"):
        raise BadParameter(f"not supported: sort_by={order}")
    rows.sort(key=lambda row: row.number, reverse=way == "desc")
    return page(request, model, "builds", rows, model.build, usual=25)
