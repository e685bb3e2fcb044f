"""The parts of a document while and after it is composed: values that know their place."""

from dataclasses import dataclass, field
from typing import Any

from catalog.yaml12.scalars import key_text
from catalog.yaml12.stream import YamlError

# npm's `yaml`: uses of one anchor, itself included, times the aliases nested in it.
MAX_ALIASES = 100
MAX_KEY = 10_000

Place = tuple[int, int]


class Mapping(dict[str, Any]):
    """A mapping that knows where it and its keys and values stand (1-based line, column)."""

    __slots__ = ("keys_at", "place", "values_at")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.keys_at: dict[str, Place] = {}
        self.values_at: dict[str, Place] = {}


class Sequence(list[Any]):
    """A list that knows where it and its items stand (1-based line, column)."""

    __slots__ = ("items_at", "place")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.items_at: list[Place] = []


def place_of(root: Any, path: tuple[str | int, ...]) -> Place:
    """Where a path's value stands, or the nearest part above it that is there.

    A collection is shown at its key: its own first line may be far from what is meant.
    """
    node = root
    place: Place = getattr(node, "place", (1, 1))
    for part in path:
        if isinstance(node, Mapping) and part in node:
            key = str(part)
            nested = isinstance(node[key], Mapping | Sequence)
            place = node.keys_at[key] if nested else node.values_at[key]
            node = node[key]
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node):
            place, node = node.items_at[part], node[part]
        else:
            break
    return place


@dataclass
class Anchor:
    """How often an anchor was used, and what its use weighs; counted as npm's `yaml` counts."""

    value: Any = None
    open: bool = True
    count: int = 1
    weight: int = 0
    scalars: bool = False
    aliases: list["Anchor"] = field(default_factory=list)

    def use(self) -> bool:
        """Counts one alias; False when it's one too many."""
        self.count += 1
        if not self.weight:
            inner = [alias.count * alias.weight for alias in self.aliases]
            self.weight = max([1 if self.scalars else 0, *inner])
        return self.count * self.weight <= MAX_ALIASES


class Frame:
    """A collection that is being filled."""

    __slots__ = (
        "anchor",
        "collection",
        "flow",
        "has_key",
        "idents",
        "indent",
        "key",
        "key_place",
        "line",
        "tag",
    )

    def __init__(self, collection: Mapping | Sequence, anchor: Anchor | None, event: Any) -> None:
        self.collection = collection
        self.anchor = anchor
        self.tag: str = event.tag or ""
        self.flow: bool = event.flow_style
        self.line: int = event.start_mark.line
        self.indent = 0  # what a continued line inside must be indented by
        self.idents: set[Any] = set()
        self.has_key = False
        self.key = ""
        self.key_place: Place = (1, 1)


def merge(target: Mapping, value: Any, place: Place) -> None:
    """YAML 1.1's `<<`: the keys of other mappings, unless they are there already."""
    for source in value if isinstance(value, Sequence) else [value]:
        if not isinstance(source, Mapping):
            raise YamlError('"<<" takes a mapping or a list of mappings.', *place)
        for key, item in source.items():
            if key not in target:
                target[key] = item
                target.keys_at[key] = source.keys_at[key]
                target.values_at[key] = source.values_at[key]


def written(key: Any, place: Place) -> str:
    """A key that is no string as one; collections in YAML's flow style, as npm's `yaml` does."""
    parts: list[str] = []
    _write(key, parts, place)
    return "".join(parts)


def _write(value: Any, parts: list[str], place: Place) -> None:
    if len(parts) > MAX_KEY:
        raise YamlError("This key is a collection too large to be one.", *place)
    if not isinstance(value, Mapping | Sequence):
        parts.append(key_text(value))
        return
    first, last = "{}" if isinstance(value, Mapping) else "[]"
    if not value:
        parts.append(first + last)
        return
    separator = first + " "
    for item in value:
        parts.append(separator)
        separator = ", "
        if isinstance(value, Mapping):
            parts.append(f"{item}: ")
            _write(value[item], parts, place)
        else:
            _write(item, parts, place)
    parts.append(" " + last)
