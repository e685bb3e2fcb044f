"""Makes the value of one document out of libyaml's events."""

from typing import Any

from yaml import (
    AliasEvent,
    CSafeLoader,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    YAMLError,
)

from catalog.yaml12.layout import Layout
from catalog.yaml12.nodes import Anchor, Frame, Mapping, Place, Sequence, merge, written
from catalog.yaml12.scalars import TAG, plain_value, tagged_value
from catalog.yaml12.stream import Segment, YamlError, unshield
from catalog.yaml12.syntax import syntax_error

MAX_DEPTH = 200
MAX_ALIASES_IN_ALL = 10_000
MAX_WARNINGS = 20

# Tags that Backstage's parser turns into values which JSON writes as {}: [of lists, of mappings].
_EMPTIED = ((TAG + "omap",), (TAG + "set",))
_MERGE = "\0<<"
_QUOTES = ("'", '"')


class Composer:
    """Makes the value of one document out of its events; a stack instead of recursion."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.offset = segment.first_line
        self.version = segment.version
        self.warnings: list[YamlError] = []
        self.cycle: Place | None = None
        self.stack: list[Frame] = []
        self.anchors: dict[str, Anchor] = {}
        self.open_anchors: list[Anchor] = []
        self.aliases = 0
        self.root: Any = None
        self.layout = Layout(segment)

    def run(self) -> Any:
        takes = {
            ScalarEvent: self._scalar,
            MappingStartEvent: self._start,
            SequenceStartEvent: self._start,
            MappingEndEvent: self._end,
            SequenceEndEvent: self._end,
            AliasEvent: self._alias,
        }
        try:
            parser = CSafeLoader(self.segment.text)  # events only: nothing is loaded
            while (kind := type(event := parser.get_event())) is not StreamEndEvent:
                if kind in takes:
                    takes[kind](event)
        except YAMLError as error:
            raise syntax_error(error, self.segment) from None
        return self.root

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return (mark.line + self.offset, mark.column + 1)

    def _scalar(self, event: Any) -> None:
        text: str = event.value
        style: str = event.style
        if self.segment.shielded:
            text = unshield(text, style == '"')
        place = self._place(event)
        if style in _QUOTES:
            self._check_quoted(event)
        if self.stack and self.stack[-1].flow:
            self._check_question(event, place)
        value: Any = text
        if event.tag is not None:
            value = self._tagged(text, event.tag, place)
        elif style == "":
            value = plain_value(text, self.version)
        if self.open_anchors:
            self.open_anchors[-1].scalars = True
        if event.anchor is not None:
            self.anchors[event.anchor] = Anchor(value, open=False, scalars=True)
        self._add(value, place, is_merge=text == "<<" and style == "" and self.version == "1.1")

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
        self._warn(f"The tag {shown[:80]} is not known; it is ignored.", place)

    def _warn(self, message: str, place: Place) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(YamlError(message, *place))

    def _start(self, event: Any) -> None:
        mapping = type(event) is MappingStartEvent
        place = self._place(event)
        if len(self.stack) >= MAX_DEPTH:
            raise YamlError(f"The document is nested deeper than {MAX_DEPTH} levels.", *place)
        collection: Mapping | Sequence = Mapping(place) if mapping else Sequence(place)
        anchor = None
        if event.anchor is not None:
            anchor = self.anchors[event.anchor] = Anchor(collection)
            self.open_anchors.append(anchor)
        tag = event.tag or ""
        if tag not in ("", "!", TAG + ("map" if mapping else "seq"), *_EMPTIED[mapping]):
            self._warn_of_tag(tag, place)
        frame = Frame(collection, anchor, event)
        if frame.flow:
            self._check_comment(event)
        if frame.flow or anchor or tag:  # with an anchor, the event starts at the anchor
            frame.indent = self.stack[-1].indent if self.stack else 0
        else:
            frame.indent = event.start_mark.column + 1
        self.stack.append(frame)

    def _check_quoted(self, event: Any) -> None:
        if event.start_mark.line != event.end_mark.line:
            self._check_indent(event.start_mark.line, event, flow=False)
        self._check_comment(event)

    def _check_question(self, event: Any, place: Place) -> None:
        """`{?a: 1}`: libyaml drops the mark, Backstage's parser makes it part of the key."""
        if self.segment.text[event.start_mark.index - 1] == "?":
            raise YamlError('Put what begins with "?" in quotes, or a space behind it.', *place)

    def _check_indent(self, first: int, event: Any, flow: bool) -> None:
        if self.stack and self.stack[-1].indent:
            self.layout.check_indent(first, event.end_mark.line, self.stack[-1].indent, flow)

    def _check_comment(self, event: Any) -> None:
        mark = event.end_mark
        if self.segment.text[mark.index : mark.index + 1] == "#":
            message = 'A comment needs a space before its "#".'
            raise YamlError(message, mark.line + self.offset, mark.column + 1)

    def _end(self, event: Any) -> None:
        frame = self.stack.pop()
        if frame.flow:
            if event.end_mark.line != frame.line:
                self._check_indent(frame.line, event, flow=True)
            self._check_comment(event)
        if frame.anchor:
            frame.anchor.open = False
            self.open_anchors.pop()
            if self.open_anchors and frame.anchor.scalars:
                self.open_anchors[-1].scalars = True
        if frame.tag in _EMPTIED[isinstance(frame.collection, Mapping)]:
            # JSON knows neither sets nor ordered maps; Backstage stores {} for them.
            shown = frame.tag.removeprefix(TAG)
            message = f"JSON has no !!{shown}; its content is dropped. Write it without the tag."
            self._warn(message, frame.collection.place)
            empty = Mapping(frame.collection.place)
            if frame.anchor:
                frame.anchor.value = empty
            self._add(empty, empty.place)
        else:
            self._add(frame.collection, frame.collection.place)

    def _alias(self, event: Any) -> None:
        place = self._place(event)
        name = event.anchor[:80]
        anchor = self.anchors.get(event.anchor)
        self.aliases += 1
        if anchor is None:
            raise YamlError(f'"*{name}" needs an anchor above it; set "&{name}" there.', *place)
        if self.aliases > MAX_ALIASES_IN_ALL:
            raise YamlError(f"There are more than {MAX_ALIASES_IN_ALL:,} aliases.", *place)
        if not anchor.use():
            message = f'"*{name}" is used too often; a file may use an anchor 99 times.'
            raise YamlError(message, *place)
        for outer in self.open_anchors:
            outer.aliases.append(anchor)
        if anchor.open:
            self.cycle = self.cycle or place
            self._add(None, place)
        else:
            self._add(anchor.value, place, alias=event.anchor)

    def _add(self, value: Any, place: Place, *, alias: str = "", is_merge: bool = False) -> None:
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        collection = frame.collection
        if isinstance(collection, Sequence):
            collection.append(value)
            collection.items_at.append(place)
        elif not frame.has_key:
            self._add_key(frame, value, place, alias, is_merge)
        else:
            frame.has_key = False
            if frame.key is _MERGE:
                merge(collection, value, place)
                return
            collection[frame.key] = value
            collection.keys_at[frame.key] = frame.key_place
            collection.values_at[frame.key] = place

    def _add_key(self, frame: Frame, value: Any, place: Place, alias: str, is_merge: bool) -> None:
        frame.has_key = True
        frame.key_place = place
        if is_merge:
            frame.key = _MERGE
            return
        nested = isinstance(value, dict | list)  # a plain dict is what !!binary gives
        if isinstance(value, str):
            frame.key = value
        else:
            frame.key = f"*{alias}" if alias and nested else written(value, place)
        if alias or nested:
            return  # never equal to another key in npm's `yaml`
        # 1 and "1" are different keys to YAML, 1 and 1.0 are not, nor 1 and true in Python
        ident = value if isinstance(value, str) else (isinstance(value, bool), value)
        if ident in frame.idents:
            first = frame.collection.keys_at[frame.key]  # type: ignore[union-attr]
            raise YamlError(
                f'"{frame.key[:80]}" is given twice in this mapping (first in line {first[0]}); '
                "keep one of them.",
                *place,
            )
        frame.idents.add(ident)
