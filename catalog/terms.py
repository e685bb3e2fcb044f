"""What the API filters by: an entity as flat, lower-case `key=value` terms. Pure.

As Backstage's search rows (catalog-backend 4.0, buildEntitySearch): keys are dotted paths; an item
of a list stands under its list's key, and is a key of its own with the value true.
"""

from collections.abc import Iterator
from typing import Any

# Backstage keeps no longer value; the key alone still says that there is one.
MAX_VALUE = 200
# What has rows or columns of its own, or is too large to filter by.
_LEFT_OUT = {"metadata.uid", "metadata.etag", "relations", "status", "attachments"}


def values_at(document: dict[str, Any], wanted: str) -> set[str]:
    """The values of one (lower-case) key, as they are written."""
    return {
        value for key, value in _values("", document) if key == wanted and value is not None
    }


def terms_of(document: dict[str, Any]) -> list[str]:
    """Sorted, each once: "spec.type" (it is there) and "spec.type=service"."""
    found: set[str] = set()
    for key, value in _values("", document):
        found.add(key)
        if value is not None and len(value) <= MAX_VALUE:
            found.add(f"{key}={value.lower()}")
    return sorted(found)


def _values(path: str, value: Any) -> Iterator[tuple[str, str | None]]:
    if path in _LEFT_OUT:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _values(f"{path}.{key}".lower() if path else str(key).lower(), item)
    elif isinstance(value, list):
        for item in value:
            yield from _values(path, item)
            if isinstance(item, str) and len(item) <= MAX_VALUE:
                yield f"{path}.{item}".lower(), "true"
    elif isinstance(value, bool):
        yield path, "true" if value else "false"
    elif value is None:
        yield path, None
    else:
        yield path, str(value)
