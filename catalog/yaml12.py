"""Reads YAML as Backstage does: YAML 1.2 core schema, with the place of every key and value.

PyYAML's libyaml binding supplies the events (quick, and without recursion); the values are made
here, because PyYAML's own constructors speak YAML 1.1 (`no` is False there), merge `<<`, let
duplicate keys pass and know no limit. The rules are those of npm's `yaml` 2.9, Backstage's parser.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml._yaml import CParser

from catalog.yaml_indent import Indentation
from catalog.yaml_scalars import TAG, key_text, plain_value, tagged_value
from catalog.yaml_stream import Segment, YamlError, decode, segments, unshield
from catalog.yaml_syntax import syntax_error

MAX_DEPTH = 200
# npm's `yaml`: uses of one anchor, itself included, times the aliases nested in it.
MAX_ALIASES = 100

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


@dataclass(frozen=True)
class Document:
    """One document of a stream; `value` is None when it is empty or when `error` says why not."""

    index: int
    line: int
    value: Any = None
    error: YamlError | None = None
    warnings: tuple[YamlError, ...] = ()
    # Where an alias stands inside its own anchor: data without end.
    cycle: Place | None = None


def load(data: bytes) -> Iterator[Document]:
    """Every document of the stream in order, empty ones included.

    Raises YamlError for what makes the whole file unreadable: its size or its encoding.
    """
    text, bad_lines = decode(data)
    for index, segment in enumerate(segments(text)):
        error = segment.error or next(
            (bad for bad in bad_lines if segment.first_line <= bad.line <= segment.last_line), None
        )
        if error:
            yield Document(index, segment.line, error=error)
            continue
        composer = _Composer(segment)
        try:
            value = composer.run()
        except YamlError as failed:
            yield Document(index, segment.line, error=failed)
        else:
            yield Document(
                index,
                segment.line,
                value=value,
                warnings=tuple(composer.warnings),
                cycle=composer.cycle,
            )


@dataclass
class _Anchor:
    """How often an anchor was used, and what its use weighs; counted as npm's `yaml` counts."""

    value: Any = None
    open: bool = True
    count: int = 1
    weight: int = 0
    scalars: bool = False
    aliases: list["_Anchor"] = field(default_factory=list)

    def use(self) -> bool:
        """Counts one alias; False when it's one too many."""
        self.count += 1
        if not self.weight:
            inner = [alias.count * alias.weight for alias in self.aliases]
            self.weight = max([1 if self.scalars else 0, *inner])
        return self.count * self.weight <= MAX_ALIASES


class _Frame:
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

    def __init__(self, collection: Mapping | Sequence, anchor: _Anchor | None, event: Any) -> None:
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


class _Composer:
    """Makes the value of one document out of its events; a stack instead of recursion."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.offset = segment.first_line
        self.version = segment.version
        self.warnings: list[YamlError] = []
        self.cycle: Place | None = None
        self.stack: list[_Frame] = []
        self.anchors: dict[str, _Anchor] = {}
        self.open_anchors: list[_Anchor] = []
        self.root: Any = None
        self.indentation = Indentation(segment)

    def run(self) -> Any:
        parser = CParser(self.segment.text)
        try:
            while (event := parser.get_event()) is not None:
                self._take(event)
        except yaml.YAMLError as error:
            raise syntax_error(error, self.segment) from None
        return self.root

    def _take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._start(event, kind is yaml.MappingStartEvent)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._end(event)
        elif kind is yaml.AliasEvent:
            self._alias(event)

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return (mark.line + self.offset, mark.column + 1)

    def _scalar(self, event: Any) -> None:
        text: str = event.value
        if self.segment.shielded:
            text = unshield(text, event.style == '"')
        place = self._place(event)
        if event.start_mark.line != event.end_mark.line and event.style in ("'", '"'):
            self._check_indent(event.start_mark.line, event.end_mark.line, flow=False)
        value: Any = text
        plain = event.style == ""
        if event.tag is not None:
            value = self._tagged(text, event.tag, place)
        elif plain:
            value = plain_value(text, self.version)
        for anchor in self.open_anchors:
            anchor.scalars = True
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchor(value, open=False, scalars=True)
        self._add(value, place, merge=plain and text == "<<" and self.version == "1.1")

    def _tagged(self, text: str, tag: str, place: Place) -> Any:
        try:
            value, applied = tagged_value(text, tag, self.version)
        except (ValueError, OverflowError) as error:
            raise YamlError(str(error), *place) from None
        if not applied:
            self._warn_of_tag(tag, place)
        return value

    def _warn_of_tag(self, tag: str, place: Place) -> None:
        shown = "!!" + tag.removeprefix(TAG) if tag.startswith(TAG) else tag
        self.warnings.append(YamlError(f"The tag {shown} is not known; it is ignored.", *place))

    def _start(self, event: Any, mapping: bool) -> None:
        place = self._place(event)
        if len(self.stack) >= MAX_DEPTH:
            raise YamlError(f"The document is nested deeper than {MAX_DEPTH} levels.", *place)
        collection: Mapping | Sequence = Mapping(place) if mapping else Sequence(place)
        anchor = None
        if event.anchor is not None:
            anchor = self.anchors[event.anchor] = _Anchor(collection)
            self.open_anchors.append(anchor)
        tag = event.tag or ""
        if tag not in ("", "!", TAG + ("map" if mapping else "seq"), *_EMPTIED[mapping]):
            self._warn_of_tag(tag, place)
        frame = _Frame(collection, anchor, event)
        if frame.flow or anchor or tag:  # with an anchor, the event starts at the anchor
            frame.indent = self.stack[-1].indent if self.stack else 0
        else:
            frame.indent = event.start_mark.column + 1
        self.stack.append(frame)

    def _check_indent(self, first: int, last: int, flow: bool) -> None:
        if self.stack and self.stack[-1].indent:
            self.indentation.check(first, last, self.stack[-1].indent, flow)

    def _end(self, event: Any) -> None:
        frame = self.stack.pop()
        if frame.flow and event.end_mark.line != frame.line:
            self._check_indent(frame.line, event.end_mark.line, flow=True)
        if frame.anchor:
            frame.anchor.open = False
            self.open_anchors.pop()
        if frame.tag in _EMPTIED[isinstance(frame.collection, Mapping)]:
            # JSON knows neither sets nor ordered maps; Backstage stores {} for them.
            shown = frame.tag.removeprefix(TAG)
            message = f"JSON has no !!{shown}; its content is dropped. Write it without the tag."
            self.warnings.append(YamlError(message, *frame.collection.place))
            empty = Mapping(frame.collection.place)
            if frame.anchor:
                frame.anchor.value = empty
            self._add(empty, empty.place)
        else:
            self._add(frame.collection, frame.collection.place)

    def _alias(self, event: Any) -> None:
        place = self._place(event)
        anchor = self.anchors.get(event.anchor)
        if anchor is None:
            message = f'"*{event.anchor}" has no anchor "&{event.anchor}" above it; set one.'
            raise YamlError(message, *place)
        if not anchor.use():
            message = f'"*{event.anchor}" is used too often; a file may use an anchor 99 times.'
            raise YamlError(message, *place)
        for outer in self.open_anchors:
            outer.aliases.append(anchor)
        if anchor.open:
            self.cycle = self.cycle or place
            self._add(None, place)
        else:
            self._add(anchor.value, place, alias=True)

    def _add(self, value: Any, place: Place, *, alias: bool = False, merge: bool = False) -> None:
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        collection = frame.collection
        if isinstance(collection, Sequence):
            collection.append(value)
            collection.items_at.append(place)
        elif not frame.has_key:
            self._add_key(frame, value, place, alias, merge)
        else:
            frame.has_key = False
            if frame.key is _MERGE:
                _merge(collection, value, place)
                return
            collection[frame.key] = value
            collection.keys_at[frame.key] = frame.key_place
            collection.values_at[frame.key] = place

    def _add_key(self, frame: _Frame, value: Any, place: Place, alias: bool, merge: bool) -> None:
        frame.has_key = True
        frame.key_place = place
        if merge:
            frame.key = _MERGE
            return
        frame.key = value if isinstance(value, str) else _written(value)
        if alias or isinstance(value, Mapping | Sequence):
            return  # never equal to another key in npm's `yaml`
        # 1 and "1" are different keys to YAML, 1 and 1.0 are not, nor 1 and true in Python
        ident = value if isinstance(value, str) else (isinstance(value, bool), value)
        if ident in frame.idents:
            first = frame.collection.keys_at[frame.key]  # type: ignore[union-attr]
            raise YamlError(
                f'"{frame.key}" is given twice in this mapping (first in line {first[0]}); '
                "keep one of them.",
                *place,
            )
        frame.idents.add(ident)


# Tags that Backstage's parser turns into values which JSON writes as {}: [of lists, of mappings].
_EMPTIED = ((TAG + "omap",), (TAG + "set",))
_MERGE = "\0<<"


def _merge(target: Mapping, value: Any, place: Place) -> None:
    """YAML 1.1's `<<`: the keys of other mappings, unless they are there already."""
    for source in value if isinstance(value, Sequence) else [value]:
        if not isinstance(source, Mapping):
            raise YamlError('"<<" takes a mapping or a list of mappings.', *place)
        for key, item in source.items():
            if key not in target:
                target[key] = item
                target.keys_at[key] = source.keys_at[key]
                target.values_at[key] = source.values_at[key]


def _written(key: Any) -> str:
    """A key that is no string as one; collections in YAML's flow style, as npm's `yaml` does."""
    if isinstance(key, Mapping):
        items = ", ".join(f"{name}: {_written(item)}" for name, item in key.items())
        return f"{{ {items} }}" if items else "{}"
    if isinstance(key, Sequence):
        items = ", ".join(_written(item) for item in key)
        return f"[ {items} ]" if items else "[]"
    return key_text(key)
