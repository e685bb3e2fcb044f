"""`fields=`: which parts of an entity a caller wants. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from catalog.api.filters import FilterError

# Each path is looked for in each entity, and with each of its dots in turn.
MAX_PATHS = 100
MAX_LENGTH = 300
MAX_DOTS = 20


@dataclass(frozen=True)
class Fields:
    """Dotted paths; none: everything."""

    paths: tuple[str, ...] = ()

    def want(self, *paths: str) -> bool:
        """Whether something of one of these paths is asked for."""
        return not self.paths or any(
            own == path or own.startswith(f"{path}.") or path.startswith(f"{own}.")
            for own in self.paths
            for path in paths
        )

    def of(self, entity: dict[str, Any]) -> dict[str, Any]:
        """The entity, cut down to these paths; what it lacks is left out."""
        if not self.paths:
            return entity
        found: dict[str, Any] = {}
        for path in self.paths:
            _pick(entity, path.split("."), found)
        return found


def read_fields(texts: Iterable[str]) -> Fields:
    """`fields` parameters, each a comma-joined list. Raises FilterError."""
    found = (path.strip() for text in texts for path in text.split(","))
    paths = tuple(dict.fromkeys(path for path in found if path))
    if len(paths) > MAX_PATHS:
        raise FilterError(f"There can be {MAX_PATHS} fields at most.")
    if any(too_long(path) for path in paths):
        raise FilterError("A field's path is longer, or deeper, than any entity has.")
    return Fields(paths)


def too_long(path: str) -> bool:
    return len(path) > MAX_LENGTH or path.count(".") > MAX_DOTS


def _pick(value: dict[str, Any], parts: list[str], into: dict[str, Any]) -> None:
    """A key may itself have dots: "metadata.annotations.backstage.io/view-url"."""
    for end in range(1, len(parts) + 1):
        key = ".".join(parts[:end])
        if key not in value:
            continue
        rest, inner = parts[end:], value[key]
        if not rest:
            into[key] = inner
        elif isinstance(inner, dict):
            # A copy: what is picked into is never the entity itself.
            below = into.get(key)
            below = dict(below) if isinstance(below, dict) else {}
            _pick(inner, rest, below)
            if below:
                into[key] = below
        return
