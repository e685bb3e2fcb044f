"""What the API filters by: an entity as flat, lower-case `key=value` terms. Pure.

As Backstage's search rows (catalog-backend 4.0, buildEntitySearch): keys are dotted paths; an item
of a list stands under its list's key, and is a key of its own with the value true.
"""

from collections.abc import Callable
from typing import Any

# Backstage keeps no longer value; the key alone still says that there is one. Of longer keys it
# keeps nothing, nor of what is below them.
MAX_VALUE = 200
MAX_KEY = 200
# Characters in all: a path stands before each value, so a document could grow a thousandfold.
MAX_SIZE = 4_000_000
# What has rows or columns of its own, or is too large to filter by.
_LEFT_OUT = {"metadata.uid", "metadata.etag", "relations", "status", "attachments"}


def values_at(document: dict[str, Any], wanted: str) -> set[str]:
    """The values of one (lower-case) key, as they are written."""
    found: set[str] = set()

    def take(key: str, value: str | None) -> None:
        if key == wanted and value is not None:
            found.add(value)

    _each("", document, take)
    return found


def terms_of(document: dict[str, Any]) -> list[str]:
    """Sorted, each once: "spec.type" (it is there) and "spec.type=service"."""
    found: set[str] = set()
    room = MAX_SIZE

    def add(term: str) -> None:
        nonlocal room
        if room > 0 and term not in found:
            room -= len(term)
            if room >= 0:
                found.add(term)

    def take(key: str, value: str | None) -> None:
        add(key)
        if value is not None and len(value) <= MAX_VALUE:
            add(f"{key}={value.lower()}")

    _each("", document, take)
    return sorted(found)


def _each(path: str, value: Any, take: Callable[[str, str | None], None]) -> None:
    """Calls `take` for each key and value; a generator of generators takes twice as long."""
    if path in _LEFT_OUT or len(path) > MAX_KEY:
        return
    if isinstance(value, str):
        take(path, value)
    elif isinstance(value, dict):
        for key, item in value.items():
            _each(f"{path}.{key}".lower() if path else key.lower(), item, take)
    elif isinstance(value, list):
        for item in value:
            _each(path, item, take)
            if isinstance(item, str) and len(path) + len(item) < MAX_KEY:
                take(f"{path}.{item}".lower(), "true")
    elif isinstance(value, bool):
        take(path, "true" if value else "false")
    else:
        take(path, None if value is None else str(value))
