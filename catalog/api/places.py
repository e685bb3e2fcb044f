"""Sources as Backstage's locations: a type, a target, and the ref of their Location entity."""

import hashlib
from collections.abc import Iterable
from typing import Any

from catalog.api.filters import Condition, Every, Has, HasPrefix, Non, Some
from catalog.models import Source

GENERATED = "location:default/generated-"
# What Backstage calls them; the other kinds of source have words of their own.
TYPES = {Source.Kind.PATH: "file", Source.Kind.URL: "url"}


def location_of(source: Source) -> dict[str, str]:
    """As every call gives it."""
    kind = TYPES.get(Source.Kind(source.kind), source.kind)
    return {
        "id": source.slug,
        "type": kind,
        "target": source.target,
        "entityRef": entity_ref(kind, source.target),
    }


def entity_ref(kind: str, target: str) -> str:
    """What Backstage would call the Location entity that it makes for a location."""
    digest = hashlib.sha1(f"{kind}:{target}".encode(), usedforsecurity=False).hexdigest()
    return f"{GENERATED}{digest}"


def source_of(ref: str) -> Source | None:
    """The source that bears such a ref."""
    if not ref.startswith(GENERATED):
        return None
    return next((one for one in Source.objects.all() if location_of(one)["entityRef"] == ref), None)


def having(locations: Iterable[dict[str, str]], condition: Condition) -> list[dict[str, str]]:
    """The locations that a predicate lets through; there are few, so nothing is asked in SQL."""
    return [one for one in locations if _holds(condition, one)]


def _holds(condition: Condition, location: dict[str, Any]) -> bool:
    match condition:
        case Every(parts):
            return all(_holds(part, location) for part in parts)
        case Some(parts):
            return any(_holds(part, location) for part in parts)
        case Non(part):
            return not _holds(part, location)
        case HasPrefix(key, prefix):
            return _value(location, key).startswith(prefix)
        case Has(key, values):
            value = _value(location, key)
            return value in values if values is not None else value != ""
    return False


def _value(location: dict[str, Any], key: str) -> str:
    return next((value.lower() for name, value in location.items() if name.lower() == key), "")
