"""What the API filters by: an entity as flat, lower-case `key=value` terms. Pure.

As Backstage's search rows (catalog-backend 4.0, buildEntitySearch): keys are dotted paths; an item
of a list stands under its list's key, and is a key of its own with the value true.
"""

from collections.abc import Iterator
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
    return {value for key, value in _values("", document) if key == wanted and value is not None}


def terms_of(document: dict[str, Any]) -> list[str]:
    """Sorted, each once: "spec.type" (it is there) and "spec.type=service"."""
    found: set[str] = set()
    size = 0
    for key, value in _values("", document):
        terms = {key}
        if value is not None and len(value) <= MAX_VALUE:
            terms.add(f"{key}={value.lower()}")
        size += sum(map(len, terms - found))
        if size > MAX_SIZE:
            break
        found |= terms
    return sorted(found)


def _values(path: str, value: Any) -> Iterator[tuple[str, str | None]]:
    if path in _LEFT_OUT or len(path) > MAX_KEY:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _values(f"{path}.{key}".lower() if path else str(key).lower(), item)
    elif isinstance(value, list):
        for item in value:
            yield from _values(path, item)
            if isinstance(item, str) and len(path) + len(item) < MAX_KEY:
                yield f"{path}.{item}".lower(), "true"
    elif isinstance(value, bool):
        yield path, "true" if value else "false"
    elif value is None:
        yield path, None
    else:
        yield path, str(value)
