"""Pages, and answers trimmed by `fields`."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from ..wire import Answer, Request, json_answer
from . import errors

T = TypeVar("T")
LARGEST = 100


def page(
    request: Request, found: Sequence[T], show: Callable[[T], Any], size: bool = True
) -> Answer:
    """`{pagelen, page, size?, next?, values}`; a page behind the last has no values."""
    wanted, number = request.get("pagelen") or "10", request.get("page") or "1"
    if not wanted.isdigit() or not 1 <= int(wanted) <= LARGEST or not number.isdigit():
        return errors.error(400, "Invalid pagelen")
    pagelen, at = int(wanted), max(int(number), 1)
    first = (at - 1) * pagelen
    body: dict[str, Any] = {"pagelen": pagelen, "page": at}
    if size:
        body["size"] = len(found)
    body["values"] = [show(item) for item in found[first : first + pagelen]]
    if len(found) > first + pagelen:
        kept = [(name, value) for name, value in request.query if name != "page"]
        query = urlencode([*kept, ("page", str(at + 1))])
        body["next"] = f"{request.origin}{request.path}?{query}"
    return whole(request, body)


def whole(request: Request, body: Any, status: int = 200) -> Answer:
    """The body, or what `fields` leaves of it. Added and removed fields (+, -) are not known."""
    names = [name.strip() for name in request.get("fields").split(",") if name.strip()]
    plain = [name for name in names if name[0] not in "+-"]
    return json_answer(_trimmed(body, plain) if plain else body, status)


def _trimmed(value: Any, paths: list[str]) -> Any:
    if isinstance(value, list):
        return [_trimmed(item, paths) for item in value]
    if not isinstance(value, dict) or "" in paths:
        return value
    kept: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        kept.setdefault(name, []).append(rest)
    return {name: _trimmed(item, kept[name]) for name, item in value.items() if name in kept}
