"""What can be asked of a source: where it begins, what a target names, and what a file holds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from catalog.descriptors import ReadError

# A descriptor or a file that a placeholder names; an API definition is seldom above 2 MB.
MAX_FILE_BYTES = 5_000_000
# How deep Locations may name Locations: Backstage's limit for their ancestry.
MAX_NESTING = 32


class Gone(ReadError):
    """It certainly isn't there (no such file, 404), as against "could not be read"."""


class SourceFailed(Exception):
    """Nothing may be concluded from this reading; the text is a sentence for the reader.

    `issues` are the problems found on the way, as catalog.reading.Issue.
    """

    def __init__(self, sentence: str, issues: Sequence[Any] = ()) -> None:
        super().__init__(sentence)
        self.issues = list(issues)


@dataclass
class Listing:
    """Where reading begins. `problems` are (location, sentence): what could not be listed."""

    locations: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


class Reader(Protocol):
    """One kind of source. Locations are strings that only the reader takes apart.

    Every method may raise ReadError (or Gone) with a sentence for the file's author.
    """

    # The Location type that stays within this reader ("file", "url").
    type: str

    def roots(self) -> Listing:
        """What the source's own target names. Raises SourceFailed."""
        ...

    def targets(self, base: str, target: str) -> list[str]:
        """The locations that `target`, written in the file `base`, names; wild cards expanded."""
        ...

    def read(self, location: str) -> bytes:
        """The whole file."""
        ...
