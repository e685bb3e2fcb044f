"""What one reading of a source found, and what follows from what it did not find.

The rule that keeps a catalog trustworthy: absent is only what was certainly looked for. A file that
could not be read, or that could have named another file, proves nothing about what is not there.
"""

from dataclasses import dataclass, field

from catalog.descriptors import DocumentResult, Problem

# Stages of our own, beside those of catalog.descriptors.STAGES.
SOURCE_STAGE = "source"  # the source as a whole could not be read
CONFLICT_STAGE = "conflict"  # the name is taken
# A problem of these stages hides what the document says, and the documents that follow it.
_HIDING = frozenset({"read", "parse"})


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


@dataclass
class Reading:
    """Everything that a source holds, as far as it could be read.

    `valid` are the documents to apply, in the order of reading. `kept` are the refs of documents
    that are there but not valid: what is known of them stays. `files` counts what was read.
    """

    valid: list[Found] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    issues: list[Issue] = field(default_factory=list)
    files: int = 0
    visited: set[str] = field(default_factory=set)
    # location -> SHA-256 of the bytes that were read
    digests: dict[str, str] = field(default_factory=dict)
    _whole: set[str] = field(default_factory=set)
    _gone: set[str] = field(default_factory=set)
    _complete: bool = True

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
        valid = [document for document in found if document.result.valid]
        self.valid.extend(valid)
        return valid

    def add_gone(self, location: str) -> None:
        """The file certainly isn't there any more."""
        self._gone.add(location)

    def add_unread(self) -> None:
        """Something could not be read that may have named more."""
        self._complete = False

    def reject(self, refs: set[str]) -> None:
        """Takes back valid documents that turned out not to be (Locations with bad targets)."""
        self.kept |= refs
        self.valid = [document for document in self.valid if document.ref not in refs]

    def absence(self, location: str, ref: str) -> str:
        """Why an entity last seen at `location` is certainly absent now; "" when it is not."""
        if ref in self.kept:
            return ""
        if location in self._gone:
            return f"The file {location} is gone."
        if location in self._whole:
            return f"It is no longer described in {location}."
        if location not in self.visited and self._complete:
            return f"The source no longer holds {location}."
        return ""

    @property
    def failure(self) -> str:
        """Why nothing may be concluded from this reading; "" when something was found.

        No document at all is what an unmounted folder or a file being written looks like.
        """
        if self.valid or self.kept:
            return ""
        if not self.issues:
            return "It holds no descriptor."
        first = self.issues[0]
        # Which file it is goes without saying where there is but one.
        if len(self.visited) > 1:
            line = f", line {first.line}" if first.line else ""
            return f"{first.location}{line}: {first.message}"
        return f"Line {first.line}: {first.message}" if first.line else first.message

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
