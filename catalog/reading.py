"""What one reading of a source found, and what follows from what it did not find.

The rule that keeps a catalog trustworthy: absent is only what was certainly looked for. A file that
could not be read, or that could have named another file, proves nothing about what is not there.
"""

import pickle
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from catalog.descriptors import DocumentResult, Problem
from catalog.sources.base import Place, RemoteRepository

# Stages of our own, beside those of catalog.descriptors.STAGES.
SOURCE_STAGE = "source"  # the source as a whole could not be read
CONFLICT_STAGE = "conflict"  # the name is taken
# A problem of these stages hides what the document says, and the documents that follow it.
_HIDING = frozenset({"read", "parse"})
# Documents wait for their transaction on the disk once they are more than this.
MAX_MEMORY = 4_000_000


@dataclass(frozen=True)
class Issue:
    """A problem with its place; becomes a SyncIssue row."""

    location: str
    stage: str
    message: str
    entity_ref: str = ""
    document_index: int | None = None
    line: int | None = None
    column: int | None = None
    severity: str = "error"


@dataclass(frozen=True)
class Found:
    """One document of one file."""

    location: str
    result: DocumentResult

    @property
    def ref(self) -> str:
        return self.result.ref

    def issue(self, stage: str, message: str, severity: str = "error") -> Issue:
        """A problem of the whole document."""
        result = self.result
        return Issue(
            self.location, stage, message, result.ref, result.index, result.line, 1, severity
        )

    def issue_of(self, problem: Problem) -> Issue:
        """A problem that the parser found in the document."""
        return Issue(
            location=self.location,
            stage=problem.stage,
            message=problem.message,
            entity_ref=self.ref,
            document_index=self.result.index,
            line=problem.line,
            column=problem.column,
            severity=problem.severity,
        )


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A settled file as the last reading left it: it need not be looked at while it is the same.

    `entities` is how many of it are in the catalog, `named_by` the Location that led to it.
    """

    pk: int
    version: str
    digest: str
    entities: int
    named_by: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A valid document that waits to be applied; Reading.load() gives it back whole."""

    location: str
    ref: str
    index: int
    line: int
    at: int
    size: int

    def issue(self, stage: str, message: str) -> Issue:
        """A problem of the whole document."""
        return Issue(self.location, stage, message, self.ref, self.index, self.line, 1)


@dataclass
class Reading:
    """Everything that a source holds, as far as it could be read.

    `valid` are the documents to apply, in the order of reading. `kept` are the refs of documents
    that are there but not valid: what is known of them stays. `files` counts what was read.
    """

    valid: list[Stored] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    issues: list[Issue] = field(default_factory=list)
    files: int = 0
    visited: set[str] = field(default_factory=set)
    # location -> ref of the Location that names it first, but for where reading begins
    named_by: dict[str, str] = field(default_factory=dict)
    # location -> SHA-256 of the bytes, for files that were read and parsed
    digests: dict[str, str] = field(default_factory=dict)
    # Where files stand that were read, parsed or not
    places: dict[str, Place] = field(default_factory=dict)
    # Settled files that are as they were
    unchanged: dict[str, KnownFile] = field(default_factory=dict)
    # Parsed files of which something does not follow from their bytes alone, or is not valid
    unsettled: set[str] = field(default_factory=set)
    # What a host answered 404 for: believed only when repeated
    not_there: set[str] = field(default_factory=set)
    # As the host lists them; None for sources that have none
    repositories: list[RemoteRepository] | None = None
    all_repositories: bool = False
    _whole: set[str] = field(default_factory=set)
    _gone: set[str] = field(default_factory=set)
    _doubted: set[str] = field(default_factory=set)
    _complete: bool = True
    _store: tempfile.SpooledTemporaryFile[bytes] = field(
        default_factory=lambda: tempfile.SpooledTemporaryFile(MAX_MEMORY),  # noqa: SIM115
        repr=False,
    )
    _end: int = 0

    def add_file(self, location: str, results: list[DocumentResult]) -> list[Found]:
        """Takes a file's documents; answers the valid ones."""
        self.files += 1
        found = [Found(location, result) for result in results]
        for document in found:
            self.issues.extend(document.issue_of(problem) for problem in document.result.problems)
            if not document.result.valid:
                self._add_invalid(document.result)
        if all(_readable(result) for result in results):
            self._whole.add(location)
        else:
            self._complete = False
        if any(not result.valid or result.kind == "Location" for result in results):
            self.unsettled.add(location)
        valid = [document for document in found if document.result.valid]
        self.valid.extend(map(self._keep, valid))
        return valid

    def add_unchanged(self, location: str, known: KnownFile) -> None:
        """A settled file that is as it was: whole, and all that it describes is present."""
        self.files += 1
        self.unchanged[location] = known

    def add_gone(self, location: str) -> None:
        """The file certainly isn't there any more."""
        self._gone.add(location)

    def add_not_there(self, location: str) -> None:
        """A host says that there is no such file; it may only hide it."""
        self.not_there.add(location)

    def add_unread(self) -> None:
        """Something could not be read that may have named more."""
        self._complete = False

    def load(self, stored: Stored) -> Found:
        """The document as it was found."""
        self._store.seek(stored.at)
        found: Found = pickle.loads(self._store.read(stored.size))  # noqa: S301  our own file
        return found

    def batches(self, stored: Collection[Stored], size: int) -> Iterator[list[Found]]:
        """The documents again, some at a time."""
        batch = []
        for one in stored:
            batch.append(self.load(one))
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch

    def reject(self, refs: set[str]) -> None:
        """Takes back valid documents that turned out not to be (Locations with bad targets)."""
        if refs:
            self.kept |= refs
            self.valid = [document for document in self.valid if document.ref not in refs]

    def doubt(self, locations: Collection[str]) -> None:
        """Absent for now, by a host's word that is not believed yet."""
        self._doubted |= set(locations)

    def believe(self, locations: Collection[str]) -> None:
        """Absent often and long enough."""
        self._gone |= set(locations)

    def absence(self, location: str, ref: str) -> str:
        """Why an entity last seen at `location` is certainly absent now; "" when it is not."""
        if ref in self.kept:
            return ""
        if location in self._gone:
            return f"The file {location} is gone."
        if location in self.not_there or location in self._doubted:
            return ""
        if location in self._whole or location in self.unchanged:
            return f"It is no longer described in {location}."
        if self._is_unnamed(location):
            return f"The source no longer holds {location}."
        return ""

    def is_gone(self, location: str) -> bool:
        """Whether the file as such is certainly absent."""
        if location in self.not_there or location in self._doubted:
            return location in self._gone
        return location in self._gone or self._is_unnamed(location)

    def _is_unnamed(self, location: str) -> bool:
        """Whether everything was read that could have named the file."""
        return self._complete and not self._doubted and location not in self.visited

    @property
    def failure(self) -> str:
        """Why nothing may be concluded from this reading; "" when something was found.

        No document at all is what an unmounted folder or a file being written looks like. A host
        that lists repositories was found, whatever they hold.
        """
        if self.valid or self.kept or self.unchanged or self.repositories:
            return ""
        if not self.issues:
            return "It holds no descriptor."
        first = self.issues[0]
        # Which file it is goes without saying where there is but one.
        if len(self.visited) > 1:
            line = f", line {first.line}" if first.line else ""
            return f"{first.location}{line}: {first.message}"
        return f"Line {first.line}: {first.message}" if first.line else first.message

    def _keep(self, found: Found) -> Stored:
        data = pickle.dumps(found, pickle.HIGHEST_PROTOCOL)
        result, at = found.result, self._end
        self._store.seek(at)
        self._end += self._store.write(data)
        return Stored(found.location, found.ref, result.index, result.line, at, len(data))

    def _add_invalid(self, result: DocumentResult) -> None:
        if result.ref:
            self.kept.add(result.ref)
        if result.kind in {"", "Location"}:
            self._complete = False


def _readable(result: DocumentResult) -> bool:
    """Whether the document says which entity it is about, and hides nothing behind it."""
    if result.valid:
        return True
    return bool(result.ref) and not any(p.stage in _HIDING for p in result.problems)
