"""What reading a descriptor file gives: one result per document, with its problems.

These types are what sync, the command line and the tests share; `catalog.descriptors` offers them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# Where an error arises, in the order in which Backstage meets them. "read" is not found here: it
# belongs to whoever names a file that can't be read.
STAGES = (
    "read",
    "parse",
    "envelope",
    "rules",
    "placeholder",
    "policy",
    "kind",
    "relation",
    "stitch",
)
# These belong to the file, of which Backstage then takes nothing; the later ones to one entity.
FILE_STAGES = frozenset({"parse", "envelope", "rules"})


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
    # What a Location names, each (target, line, column) in the order of reading
    targets: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True)
class DocumentResult:
    """What became of one YAML document; `index` counts from 0, empty documents included.

    `valid` is ours: there is a descriptor to keep. `accepted` is Backstage's word on this entity:
    no problem of severity "error". They differ for an unknown kind only, which has both a
    descriptor (`supported=False`) and a problem of stage "kind". What Backstage says of the file
    is `rejects_file(results)`.
    """

    index: int
    line: int
    kind: str = ""
    ref: str = ""
    descriptor: Descriptor | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def valid(self) -> bool:
        return self.descriptor is not None

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def accepted(self) -> bool:
        return not self.errors

    @property
    def stage(self) -> str:
        """The stage of the first error; empty when there is none."""
        return next((problem.stage for problem in self.errors), "")


def rejects_file(results: Iterable[DocumentResult]) -> bool:
    """Whether Backstage would take nothing at all from a file with these results."""
    return any(result.stage in FILE_STAGES for result in results)
