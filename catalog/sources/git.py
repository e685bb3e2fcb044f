"""Reads descriptors from a git repository with git itself: any host, one commit, no checkout.

Only the newest commit is fetched, its listing first (a partial clone, where the host can), then
the files that are wanted, many at a time. Nothing is ever checked out, so no hook, filter, link or
submodule of the repository does anything here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from catalog.sources.base import Gone, Listing, Option, Place, SourceFailed
from catalog.sources.git_blobs import BATCH, Blobs
from catalog.sources.git_process import Git, GitFailed
from catalog.sources.git_session import FETCH, Session
from catalog.sources.tree import (
    BRANCH,
    LINK,
    PATH,
    Entry,
    Here,
    Tree,
    descriptor_paths,
    file_text,
)
from catalog.sources.web_urls import HEAD

OPTIONS: tuple[Option, ...] = (
    BRANCH,
    PATH,
    Option(
        "username",
        "User name",
        "That goes with the credential. Empty: what the host expects with a token.",
    ),
)
MAX_ENTRIES = 500_000
# Where the fetched commit is kept.
KEPT = "refs/stagedoor/head"


class GitReader:
    """Locations are paths from the repository's root. Nothing is touched before roots()."""

    type = "url"

    def __init__(self, session: Session, options: Mapping[str, Any]) -> None:
        """Raises SourceFailed."""
        self._session = session
        self._remote = session.remote
        self._wanted_branch = str(options.get("branch") or "").strip()
        if not _plain_ref(self._wanted_branch):
            raise SourceFailed(f'"{self._wanted_branch[:100]}" can\'t be the name of a branch.')
        self._paths = descriptor_paths(options)
        self.usage = session.usage
        self.branch = ""
        self.commit = ""
        self._tree = Tree([])
        self._blobs = Blobs(session, {})

    def roots(self) -> Listing:
        self.open()
        try:
            listing = self._tree.roots(self._paths)
        except Gone as gone:
            raise SourceFailed(f'{gone} It was looked for on "{self.branch}".') from None
        self._blobs.want(self._entries(listing.locations))
        return listing

    def targets(self, base: str, target: str) -> list[str]:
        found = self._tree.targets(base, target)
        self._blobs.want(self._entries(found))
        return found

    def read(self, location: str) -> bytes:
        return file_text(location, self._blobs.contents(self._tree.entry(location)))

    def place(self, location: str) -> Place:
        entry = self._tree.entries.get(location)
        if entry is None:
            return Place()
        pages = self._remote.repository
        return Place(
            url=pages.page(self.branch, location) if pages else "",
            edit_url=pages.edit(self.branch, location) if pages else "",
            commit=self.commit,
            version=entry.id,  # of the contents: other files of the commit don't matter
        )

    def newest(self) -> str:
        """The commit that the branch is at now; nothing is fetched. Raises SourceFailed."""
        try:
            with self._session.git() as git:
                self._resolve(git)
        except GitFailed as failed:
            raise SourceFailed(str(failed)) from None
        return self.commit

    def open(self) -> Tree:
        """Fetches the commit's listing. Raises SourceFailed."""
        try:
            with self._session.git() as git, self._session.store.writing():
                self._resolve(git)
                self._fetch(git)
                self._tree = self._list(git)
        except GitFailed as failed:
            raise SourceFailed(str(failed)) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise SourceFailed(f"The data folder can't be used: {reason}.") from None
        return self._tree

    def _entries(self, paths: Iterable[str]) -> list[Entry]:
        return [entry for path in paths if (entry := self._tree.entries.get(path))]

    def _resolve(self, git: Git) -> None:
        """Which branch is read, and at which commit it is now."""
        words = [HEAD, f"refs/heads/{self._wanted_branch}"] if self._wanted_branch else [HEAD]
        answer = self._session.ask(
            git, "ls-remote", "--symref", "--", self._remote.url, *words
        ).decode(errors="replace")
        default, commits = "", {}
        for line in answer.splitlines():
            first, _, ref = line.partition("\t")
            if first.startswith("ref: ") and ref == HEAD:
                default = first.removeprefix("ref: refs/heads/")
            else:
                commits[ref] = first
        self.branch = self._wanted_branch or default or HEAD
        found = commits.get(f"refs/heads/{self.branch}" if self._wanted_branch else HEAD, "")
        if not found:
            raise SourceFailed(self._no_commit(default, bool(commits)))
        self.commit = found

    def _no_commit(self, default: str, others: bool) -> str:
        if self._wanted_branch and others:
            hint = f' Its default branch is "{default}".' if default else ""
            return (
                f'The repository has no branch "{self._wanted_branch}" (any more).{hint} '
                "Change the source's branch."
            )
        if self._wanted_branch:
            return f'The repository is empty, or has no branch "{self._wanted_branch}".'
        return "The repository is empty: its default branch has no commit yet."

    def _fetch(self, git: Git) -> None:
        """Brings the commit and its listing, unless they are here."""
        store = self._session.store
        if store.exists and store.grown:
            store.wipe()
        if not store.exists:
            self._create(git)
        elif self._kept(git) == self.commit:
            return
        try:
            self._fetch_commit(git)
        except GitFailed as failed:
            # Not the host's doing, so it is the cache's: a fetch that was killed, a bad disk.
            if failed.remote or not store.wipe():
                raise
            self._create(git)
            self._fetch_commit(git)
        self.commit = self._kept(git)  # the branch may have moved since

    def _create(self, git: Git) -> None:
        git.local("init", "--quiet", "--bare", "--template=")
        git.local("config", "remote.origin.url", self._remote.url)

    def _fetch_commit(self, git: Git) -> None:
        ref = HEAD if self.branch == HEAD else f"refs/heads/{self.branch}"
        only = ("--depth=1", "--filter=blob:none", "--update-shallow", "--force")
        self._session.ask(git, *FETCH, *only, "origin", f"{ref}:{KEPT}")

    def _kept(self, git: Git) -> str:
        try:
            return (
                git.local("rev-parse", "--verify", "--quiet", f"{KEPT}^{{commit}}").decode().strip()
            )
        except GitFailed:
            return ""

    def _list(self, git: Git) -> Tree:
        listed = git.local("ls-tree", "-r", "-z", "--full-tree", self.commit)
        if listed.count(b"\0") > MAX_ENTRIES:
            raise SourceFailed(f"The repository has more than {MAX_ENTRIES:,} files.")
        entries = []
        for line in listed.split(b"\0")[:-1]:
            facts, _, path = line.partition(b"\t")
            mode, _, name = facts.decode().split(" ")
            entries.append(Entry(path.decode(errors="surrogateescape"), name, None, mode))
        self._blobs = Blobs(self._session, {entry.path: entry for entry in entries})
        self._blobs.want([entry for entry in entries if entry.mode == LINK][:BATCH])
        return Tree(entries, read_link=self._blobs.contents, where=self._where())

    def _where(self) -> Here | None:
        pages = self._remote.repository
        default = () if self._wanted_branch else (HEAD,)
        return Here(pages, (self.branch, self.commit, *default)) if pages else None


def _plain_ref(name: str) -> bool:
    """Whether git would take it for a branch and for nothing else (git check-ref-format)."""
    odd = any(sign in name for sign in "~^:?*[\\ \x7f") or not name.isprintable()
    dots = ".." in name or "@{" in name or name.endswith((".", "/", ".lock"))
    return not odd and not dots and not name.startswith(("-", "/", "."))
