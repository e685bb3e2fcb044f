"""What every reader of a repository host does: which repositories it reads, and what of each.

A subclass knows one host: how it lists repositories, and gives a commit, a file, a list of files
and the open pull requests. Locations are "<full name>/<path>", the same after every push.

The list says what has changed: a repository whose commit or marker is as it was costs no request.
"""

import fnmatch
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NoReturn

from catalog.descriptors import ReadError
from catalog.sources.base import (
    Gone,
    HostStops,
    Listing,
    NotThere,
    Option,
    Place,
    RemotePullRequest,
    RemoteRepository,
    SourceFailed,
    SourceSpec,
)
from catalog.sources.glob import has_wildcard, split_fixed
from catalog.sources.hosts import Host, ToldAbsent, words
from catalog.sources.tree import BRANCH, Entry, Here, Tree, descriptor_paths
from catalog.sources.web_urls import Repository as WebRepository

# Of one folder that a wild card searches.
MAX_LISTED = 20_000
_NAMES = 'Names or wild cards, one a line; "!name" leaves out. Empty: all.'
PROJECTS = Option("projects", "Projects", _NAMES.replace("Names", "Keys"), "list")
OPTIONS = (
    Option("repositories", "Repositories", _NAMES, "list"),
    BRANCH,
    Option(
        "path",
        "Descriptor path",
        "From each repository's root. Several: one a line, and the first that is there counts.",
        "list",
        "catalog-info.yaml",
    ),
    Option("include_archived", "Archived repositories", "Read these too.", "flag"),
)


@dataclass
class Held:
    """A repository during one reading. `head` is the commit that is read, "" before it is asked."""

    listed: RemoteRepository
    known: RemoteRepository | None
    marker: str
    fresh: bool  # has to be looked at
    head: str = ""
    descriptor: str | None = None
    failed: str = ""  # why a file could not be read
    doubted: bool = False  # the host may only hide its descriptor
    # Where it certainly has no descriptor.
    absent: set[str] = field(default_factory=set)
    # The host showed `head` in this very reading.
    verified: bool = False
    files: dict[str, list[str]] = field(default_factory=dict)


class HostReader(ABC):
    """See catalog.sources.base.RepositoryReader."""

    type = "url"
    # Of catalog.sources.web_urls.
    flavour: str
    # What the target names, for sentences.
    whole = "account"
    # Whether the commits in the list are of the branch that is read, and not of the default one.
    lists_read_branch = False

    def __init__(self, spec: SourceSpec, host: Host) -> None:
        """Raises SourceFailed for options that can't be."""
        self.host = host
        self.usage = host.usage
        self.branch = str(spec.options.get("branch") or "").strip()
        self.paths = tuple(path.strip("/") for path in descriptor_paths(spec.options))
        if any(has_wildcard(path) or not path for path in self.paths):
            raise SourceFailed(
                'The option "path" names files; wild cards belong into a Location in one of them.'
            )
        self._target = spec.target
        self._only = spec.only
        self.known = {repository.external_id: repository for repository in spec.known}
        self._repositories = words(spec.options, "repositories")
        self._projects = words(spec.options, "projects")
        self.archived_too = bool(spec.options.get("include_archived"))
        asked = "\n".join((self.branch, *self.paths))
        # A repository is looked at again when something else is looked for in it.
        self._sought = hashlib.sha256(asked.encode(errors="replace")).hexdigest()[:8]
        self._held: dict[str, Held] = {}  # by external id
        self._named: dict[str, Held] = {}  # by full name

    # --- What a host has to say ------------------------------------------------------------------
    @abstractmethod
    def listed(self) -> Iterator[list[RemoteRepository]]:
        """All repositories of the target, page by page. Raises ReadError."""

    @abstractmethod
    def again(self, repository: RemoteRepository) -> RemoteRepository:
        """The same repository as it is now, found by its external id where the host can."""

    @abstractmethod
    def head(self, repository: RemoteRepository, branch: str) -> str:
        """The commit that a branch is at. Raises NotThere."""

    @abstractmethod
    def fetch(self, repository: RemoteRepository, commit: str, path: str) -> bytes:
        """A file at a commit. Raises NotThere."""

    @abstractmethod
    def files(self, repository: RemoteRepository, commit: str, folder: str) -> Iterator[str]:
        """The paths of all files below a folder ("" is the root), as seen from the root."""

    @abstractmethod
    def pull_requests(self, repository: RemoteRepository) -> list[RemotePullRequest]:
        """The open ones, newest first, at most a page."""

    # --- Where reading begins --------------------------------------------------------------------
    def roots(self) -> Listing:
        listing = Listing(repositories=[], optional=True, complete=self._only is None)
        seen = 0
        try:
            for page in self.listed() if self._only is None else self._flagged(listing):
                seen += len(page)
                for repository in page:
                    self._hold(repository)
        except ReadError as error:
            if not self._held:
                raise SourceFailed(str(error)) from None
            listing.complete = False
            listing.problems.append((self._target, f"The list is not whole. {error}"))
        if not self._held and self._only is None:
            self._fail_for_none(seen)
        for held in self._held.values():
            listing.locations += self._places(held)
        listing.repositories = self.repositories()
        return listing

    def repositories(self) -> list[RemoteRepository]:
        return [self._told(held) for held in self._held.values()]

    def _fail_for_none(self, seen: int) -> NoReturn:
        """Nothing at all is what a credential that has lost its rights sees, too."""
        if seen:
            raise SourceFailed(f"None of its {seen:,} repositories matches the source's filters.")
        raise SourceFailed(
            f"{self.host.name} shows no repository in this {self.whole}. It is empty, or the "
            "credential may not see any."
        )

    def _flagged(self, listing: Listing) -> Iterator[list[RemoteRepository]]:
        """The repositories that were asked for, one request each."""
        for external_id in sorted(self._only or ()):
            known = self.known.get(external_id)
            if known is None:
                continue
            try:
                yield [self.again(known)]
            except HostStops:
                raise
            except ReadError as error:
                sentence = f"{error} The next reading of all repositories decides."
                listing.problems.append((known.full_name, sentence))

    def _hold(self, repository: RemoteRepository) -> None:
        if not self.wanted(repository) or repository.external_id in self._held:
            return
        known = self.known.get(repository.external_id)
        marker = f"{repository.marker} {self._sought}"
        told = self.lists_read_branch or not self.branch
        head = repository.head_commit if told else ""
        held = Held(repository, known, marker, fresh=True, head=head, verified=bool(head))
        if repository.archived and not self.archived_too:
            held.fresh, held.descriptor = False, known.descriptor if known else None
        elif known is not None and self._unchanged(known, marker, head):
            held.fresh, held.descriptor = False, known.descriptor
            held.head = known.head_commit
        self._held[repository.external_id] = self._named[repository.full_name] = held

    def _unchanged(self, known: RemoteRepository, marker: str, head: str) -> bool:
        if known.descriptor is None:
            return False
        if head:
            return head == known.head_commit and known.marker.endswith(f" {self._sought}")
        return marker == known.marker

    def wanted(self, repository: RemoteRepository) -> bool:
        name = repository.full_name.partition("/")[2]
        wanted = _passes((name, repository.full_name), self._repositories)
        return wanted and _passes((repository.project,), self._projects)

    def _places(self, held: Held) -> list[str]:
        """The locations at which a repository's descriptor is, or may be."""
        if held.listed.archived and not self.archived_too:
            return []
        paths = self.paths if held.fresh else filter(None, [held.descriptor])
        return [f"{held.listed.full_name}/{path}" for path in paths]

    def _told(self, held: Held) -> RemoteRepository:
        known = held.known or RemoteRepository("", "", "")
        if held.descriptor is None and held.fresh and self._as_known(held, known):
            held.descriptor = known.descriptor
        looked_at = held.descriptor is not None and not held.failed
        if not held.doubted and (looked_at or not held.fresh):
            return replace(
                held.listed,
                marker=held.marker,
                head_commit=held.head or held.listed.head_commit,
                descriptor=held.descriptor,
            )
        # Without a marker it is looked at again.
        return replace(
            held.listed, marker="", head_commit=known.head_commit, descriptor=known.descriptor
        )

    def _as_known(self, held: Held, known: RemoteRepository) -> bool:
        """Whether a descriptor that nobody read is as it was: the same commit, and none before it
        in the order of paths."""
        if not held.head or held.head != known.head_commit or known.descriptor not in self.paths:
            return False
        before = self.paths[: self.paths.index(known.descriptor)]
        return known.descriptor not in held.absent and held.absent.issuperset(before)

    # --- Files -----------------------------------------------------------------------------------
    def read(self, location: str) -> bytes:
        held, path = self._find(location)
        root = path in self.paths
        if root and held.descriptor and held.descriptor != path:
            raise Gone(f"{held.listed.full_name} has its descriptor in {held.descriptor}.")
        if root and held.failed:
            # Its other path would fail alike, and a host that is down is not asked twice as often.
            raise ReadError(held.failed)
        try:
            data = self._fetch(held, path)
        except Gone as gone:
            if root:
                self._note_absent(held, path, certain=not isinstance(gone, NotThere))
            raise
        except ReadError as error:
            held.failed = str(error)
            raise
        if root:
            held.descriptor = path
        return data

    def _note_absent(self, held: Held, path: str, *, certain: bool) -> None:
        """What had a descriptor is looked at until its absence is certain or believed."""
        held.absent.add(path)
        held.doubted |= not certain and bool(held.known and held.known.descriptor)
        held.descriptor = "" if held.absent.issuperset(self.paths) and not held.doubted else None

    def place(self, location: str) -> Place:
        try:
            held, path = self._find(location)
        except ReadError:
            return Place()
        repository, branch = held.listed, self.branch or held.listed.default_branch
        # Hosts can't tell a branch's own "/" from the path that follows it.
        ref = branch if branch and "/" not in branch else held.head
        return Place(
            url=self._web(repository).page(ref, path),
            edit_url=self._web(repository).edit(branch, path),
            commit=held.head,
            version=held.head,
            repository=repository.external_id,
        )

    def targets(self, base: str, target: str) -> list[str]:
        held, path = self._find(base)
        entries: list[Entry] = []
        if has_wildcard(target):
            # Resolved first: what is searched has to lie in this repository.
            wanted = self._tree(held, []).targets(path, split_fixed(target)[0])[0]
            folder = "" if wanted == "." else wanted
            entries = [Entry(found) for found in self._below(held, folder)]
        paths = self._tree(held, entries).targets(path, target)
        return [f"{held.listed.full_name}/{found}" for found in paths]

    def _tree(self, held: Held, entries: list[Entry]) -> Tree:
        refs = (self.branch or held.listed.default_branch, "HEAD", held.head)
        where = Here(self._web(held.listed), tuple(filter(None, refs)))
        return Tree(entries, where=where)

    def _web(self, repository: RemoteRepository) -> WebRepository:
        return WebRepository(self.flavour, repository.url)

    def _find(self, location: str) -> tuple[Held, str]:
        account, _, rest = location.partition("/")
        name, _, path = rest.partition("/")
        held = self._named.get(f"{account}/{name}")
        if held is None:
            raise NotThere(f"{location} is in no repository that this source reads.")
        return held, path

    def _fetch(self, held: Held, path: str) -> bytes:
        commit = self._commit(held)
        try:
            return self.fetch(held.listed, commit, path)
        except NotThere as missing:
            # The host has just shown this commit, so that it hides nothing.
            certain = held.verified and isinstance(missing, ToldAbsent)
            absent = Gone if certain else NotThere
            sentence = f"{held.listed.full_name} has no {path} at {commit[:12]}."
            raise absent(sentence) from None

    def _below(self, held: Held, folder: str) -> list[str]:
        if folder not in held.files:
            found: list[str] = []
            for path in self.files(held.listed, self._commit(held), folder):
                found.append(path)
                if len(found) > MAX_LISTED:
                    raise ReadError(f'"{folder or "/"}" holds more than {MAX_LISTED:,} files.')
            held.files[folder] = found
        return held.files[folder]

    def _commit(self, held: Held) -> str:
        """The commit to read; asked once in a reading, where the list did not tell."""
        if not held.head or (held.fresh and not held.verified):
            held.head = self.ask_head(held)
            held.verified = True
        return held.head

    def ask_head(self, held: Held) -> str:
        """The commit that the branch to read is at, whatever became of it since the list."""
        name = held.listed.full_name
        branch = self.branch or held.listed.default_branch
        if not branch:
            raise NotThere(f"{name} is empty.")
        try:
            return self.head(held.listed, branch)
        except NotThere:
            if self.branch:
                raise NotThere(f'{name} has no branch "{branch}".') from None
        # Renamed since the list was read?
        now = self.again(held.listed)
        if now.default_branch in {"", branch}:
            raise ReadError(f'{name} does not show its main branch "{branch}".')
        held.listed = replace(held.listed, default_branch=now.default_branch)
        return self.head(held.listed, now.default_branch)


def _passes(names: Iterable[str], patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns fits and none that begins with "!"."""

    def fits(pattern: str) -> bool:
        return any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for name in names)

    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    barred = any(fits(pattern[1:]) for pattern in patterns if pattern.startswith("!"))
    return not barred and (not wanted or any(map(fits, wanted)))
