"""What can be asked of a source: where it begins, what a target names, and what a file holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from catalog.descriptors import ReadError

# A descriptor or a file that a placeholder names; an API definition is seldom above 2 MB.
MAX_FILE_BYTES = 5_000_000
# How deep Locations may name Locations: Backstage's limit for their ancestry.
MAX_NESTING = 32


class Gone(ReadError):
    """It certainly isn't there: the folder or the commit has no such file."""


class NotThere(Gone):
    """A host answered 404: gone, or hidden from this credential. Believed only when repeated."""


class HostStops(ReadError):
    """The host takes no more requests for now, or no longer takes the credential.

    Reading ends here: with one sentence, nothing concluded from what was not read, and what was
    read kept.
    """


class SourceFailed(Exception):
    """Nothing may be concluded from this reading; the text is a sentence for the reader.

    `issues` are the problems found on the way, as catalog.reading.Issue.
    """

    def __init__(self, sentence: str, issues: Sequence[Any] = ()) -> None:
        super().__init__(sentence)
        self.issues = list(issues)


@dataclass(frozen=True)
class RemoteRepository:
    """A repository as its host tells it. `external_id` stays when it is renamed.

    `marker` is the host's own word for "changed since" (for example updated_on); `head_commit` is
    of `default_branch`, empty where it was not asked for or nothing is there. `descriptor` is the
    path of the one that was found at `head_commit`: "" there is none, None nobody has looked.
    """

    external_id: str
    full_name: str  # "workspace/slug", as it stands in URLs
    url: str
    description: str = ""
    project: str = ""
    default_branch: str = ""
    head_commit: str = ""
    archived: bool = False
    marker: str = ""
    descriptor: str | None = None


@dataclass(frozen=True)
class RemotePullRequest:
    """An open pull request as its host tells it."""

    number: int
    title: str
    author: str
    url: str
    source_branch: str
    target_branch: str
    draft: bool
    updated_at: datetime


@dataclass(frozen=True)
class Option:
    """A setting that only some kinds of source have; stands beside the reader that knows it.

    `shape` is "text", "list" (of words, one a line in the form) or "flag".
    """

    name: str
    label: str
    hint: str
    shape: str = "text"
    default: str = ""


@dataclass(frozen=True)
class SourceSpec:
    """What a reader is made of: a Source's settings, without the model."""

    kind: str
    target: str
    credential_ref: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    # The repositories as last listed, so that what has not changed costs no request.
    known: tuple[RemoteRepository, ...] = ()
    # Only the repositories with these external ids; None: all.
    only: frozenset[str] | None = None


@dataclass(frozen=True)
class Place:
    """Where a file stands at its host. All may be empty."""

    url: str = ""  # its page, for people
    edit_url: str = ""
    commit: str = ""
    # Equal to that of an earlier reading: the file has not changed, and need not be read.
    version: str = ""
    repository: str = ""  # the external_id of its RemoteRepository


@dataclass
class Usage:
    """How often a host was asked, and what it says may still be asked; None: it does not say."""

    requests: int = 0
    limit: int | None = None
    remaining: int | None = None
    reset_at: datetime | None = None


@dataclass
class Listing:
    """Where reading begins. `problems` are (location, sentence): what could not be listed.

    `repositories` is None for sources that have none. Those that are missing from it are gone only
    if `complete`: no page of the list was lost, and `only` was not asked for. `optional`: the
    locations are where a descriptor may be; one that is Gone is no problem to report.
    """

    locations: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    repositories: list[RemoteRepository] | None = None
    complete: bool = True
    optional: bool = False


class Reader(Protocol):
    """One kind of source. Locations are strings that only the reader takes apart.

    A location names a file whatever its commit: it is the same after a push. Every method may
    raise ReadError (or NotThere, Gone) with a sentence for the file's author.
    """

    # The Location type that stays within this reader ("file", "url").
    type: str
    usage: Usage

    def roots(self) -> Listing:
        """What the source's own target names. Raises SourceFailed."""
        ...

    def targets(self, base: str, target: str) -> list[str]:
        """The locations that `target`, written in the file `base`, names; wild cards expanded."""
        ...

    def read(self, location: str) -> bytes:
        """The whole file."""
        ...

    def place(self, location: str) -> Place:
        """Where the file stands; asks nobody."""
        ...


@runtime_checkable
class RepositoryReader(Reader, Protocol):
    """A reader whose source is a host of many repositories."""

    def repositories(self) -> list[RemoteRepository]:
        """Those of roots(), with what reading found since; to be stored once reading has ended.

        One that could not be looked at has its old marker and descriptor, so that it comes again.
        """
        ...

    def pull_requests(self, repository: RemoteRepository) -> list[RemotePullRequest]:
        """The open ones, newest first, at most a page."""
        ...
