"""Reads YAML as Backstage does: YAML 1.2 core schema, with the place of every key and value.

PyYAML's libyaml binding supplies the events (quick, and without recursion); the values are made
here, because PyYAML's own constructors speak YAML 1.1 (`no` is False there), merge `<<`, let
duplicate keys pass and know no limit. The rules are those of npm's `yaml` 2.9, Backstage's parser.

Known to differ from it, in syntax that no descriptor needs: anchors may hold letters, digits, "-"
and "_" only; a key may not be left out (`: value`); no tab may follow "- " or open a block text.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from catalog.yaml12.compose import MAX_DEPTH, Composer
from catalog.yaml12.nodes import Mapping, Place, Sequence, place_of
from catalog.yaml12.stream import MAX_BYTES, YamlError, decode, segments

MAX_DOCUMENTS = 50_000

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_DOCUMENTS",
    "Document",
    "Mapping",
    "Place",
    "Sequence",
    "YamlError",
    "load",
    "place_of",
]


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
    bad_numbers = [error.line for error in bad_lines]
    for index, segment in enumerate(segments(text)):
        if index == MAX_DOCUMENTS:
            message = f"The file has more than {MAX_DOCUMENTS:,} documents; the rest is not read."
            yield Document(index, segment.line, error=YamlError(message, segment.line))
            return
        bad = bisect_left(bad_numbers, segment.first_line)
        error = segment.error
        if not error and bad < len(bad_lines) and bad_numbers[bad] <= segment.last_line:
            error = bad_lines[bad]
        if error:
            yield Document(index, segment.line, error=error)
            continue
        if segment.empty:
            yield Document(index, segment.line)
            continue
        composer = Composer(segment)
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
