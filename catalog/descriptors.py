"""Turns descriptor text into validated descriptors: pure, one result per YAML document."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# Where an error arises; the first three belong to the file, the others to one entity.
STAGES = ("read", "parse", "envelope", "rules", "policy", "kind", "placeholder", "relation")


@dataclass(frozen=True)
class Problem:
    """What is wrong, where (1-based), and at which stage; `message` is for the file's author."""

    stage: str
    message: str
    line: int = 1
    column: int = 1
    severity: str = "error"


@dataclass(frozen=True)
class Descriptor:
    """One valid document. `document` is plain JSON data with placeholders resolved."""

    api_version: str
    kind: str
    namespace: str
    name: str
    ref: str
    document: dict[str, Any]
    line: int
    annotation_lines: dict[str, int] = field(default_factory=dict)
    # (source ref, relation type, target ref), both directions
    relations: tuple[tuple[str, str, str], ...] = ()
    supported: bool = True  # False: a kind that Stagedoor keeps and shows plainly


@dataclass(frozen=True)
class DocumentResult:
    """What became of one YAML document; `index` counts from 0, empty documents included."""

    index: int
    line: int
    kind: str = ""
    ref: str = ""
    descriptor: Descriptor | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def valid(self) -> bool:
        return self.descriptor is not None


def parse(
    data: bytes,
    *,
    read: Callable[[str], bytes] | None = None,
    allowed_kinds: frozenset[str] | None = None,
) -> list[DocumentResult]:
    """Every non-empty document of a descriptor file.

    `read` reads a placeholder's argument (relative to the file) or raises ReadError with a sentence.
    """
    raise NotImplementedError


class ReadError(Exception):
    """A file that a descriptor names could not be read; the text is a sentence for its author."""
