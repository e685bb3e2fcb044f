"""A commit's listing of paths: where descriptors are in it, and what a file in it may name.

Shared by every reader of repositories. A reader lists the paths of one commit (git ls-tree, a
host's API), makes a Tree of them, and asks it:

    tree = Tree(entries, read_link=lambda entry: blob(entry.id), where=here)
    listing = tree.roots(descriptor_paths(options))      # a Listing: paths, problems
    paths = tree.targets("catalog-info.yaml", "./org/*.yaml")
    entry = tree.entry(path)                             # its id, size, mode; or says why not
    data = file_text(path, blob(entry.id))               # refuses Git LFS pointers, too much

Paths are relative to the repository's root with "/". Nothing outside the repository is ever named:
links (mode 120000) are followed inside it and nowhere else, a submodule (160000) is a repository
of its own. A reader without modes leaves them empty. A reader of many repositories has a Tree for
each, and puts the repository's name before the path to make its locations.
"""

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.descriptors import ReadError
from catalog.sources.base import MAX_FILE_BYTES, Gone, Listing, Option
from catalog.sources.glob import has_wildcard, matches
from catalog.sources.web_urls import Repository, parse_file

FILE_NAMES = ("catalog-info.yaml", "catalog-info.yml")
# Packages bring descriptors of their own; nobody means those by a wild card.
SKIPPED_FOLDERS = frozenset({"node_modules"})
LINK, SUBMODULE = "120000", "160000"
MAX_LINKS = 16
MAX_MATCHES = 20_000
SHOWN_NAME = 200
LFS_START = b"version https://git-lfs.github.com/spec/"
# A pointer is about 130 bytes; a descriptor may well begin like one in a longer text.
LFS_MAX = 1024

BRANCH = Option("branch", "Branch", "Empty: the repository's default branch.")
PATH = Option(
    "path",
    "Descriptor path",
    "From the repository's root; may hold wild cards, for example services/**/catalog-info.yaml. "
    "Several: one a line.",
    shape="list",
    default="catalog-info.yaml",
)


@dataclass(frozen=True)
class Entry:
    """A file of the commit. `id` is the reader's own word for its contents."""

    path: str
    id: str = ""
    size: int | None = None
    mode: str = ""


@dataclass(frozen=True)
class Here:
    """The web address of the tree, so that a URL into it is read as the path that it names.

    `refs` are the words for its commit: the branch, the commit itself, HEAD for a default branch.
    """

    repository: Repository
    refs: tuple[str, ...]


class Tree:
    """The files of one commit of one repository."""

    def __init__(
        self,
        entries: Iterable[Entry],
        *,
        read_link: Callable[[Entry], bytes] | None = None,
        where: Here | None = None,
    ) -> None:
        """`read_link` gives what a link holds: the path that it points at."""
        self.entries: dict[str, Entry] = {entry.path: entry for entry in entries}
        self._odd = {e.path for e in self.entries.values() if e.mode in {LINK, SUBMODULE}}
        self._read_link = read_link
        self._where = where
        self._folders: set[str] | None = None

    def roots(self, wanted: Sequence[str]) -> Listing:
        """The files that the paths and patterns name. Raises Gone when there is none at all."""
        listing = Listing()
        found: dict[str, None] = {}
        for pattern in wanted:
            for path in self._matching(pattern.lstrip("/"), listing):
                found[path] = None
        listing.locations = list(found)
        if not found and not listing.problems:
            raise Gone(f"The repository holds no {_either(wanted)}.")
        return listing

    def targets(self, base: str, target: str) -> list[str]:
        """The files that `target` names, written in the file `base`; wild cards expanded."""
        path = self._relative(base, target)
        if not has_wildcard(path):
            real = self._real(path)
            return [real.path if real else path]  # reading it says why there is none
        listing = Listing()
        found = list(self._matching(path, listing))
        if listing.problems:
            raise ReadError(f'"{_shown(target)}": {listing.problems[0][1]}')
        if not found:
            raise Gone(f'"{_shown(target)}" matches no file.')
        return found

    def entry(self, path: str) -> Entry:
        """The file at a path, links followed. Raises Gone, or ReadError with what it is instead."""
        entry = self._resolved(path)
        if entry.mode == SUBMODULE:
            raise ReadError(f"{_shown(path)} is a submodule: a repository of its own.")
        if entry.size is not None and entry.size > MAX_FILE_BYTES:
            raise ReadError(f"{_shown(path)} is larger than {MAX_FILE_BYTES:,} bytes.")
        return entry

    def _matching(self, pattern: str, listing: Listing) -> Iterable[str]:
        """The paths that fit, links followed, in order; what can't be read goes to the problems."""
        if not has_wildcard(pattern):
            candidates = [pattern] if self._exists(pattern) else []
        else:
            candidates = sorted(
                path
                for path in self.entries
                if not SKIPPED_FOLDERS & set(path.split("/")[:-1]) and matches(path, pattern)
            )
        if len(candidates) > MAX_MATCHES:
            sentence = f"It matches more than {MAX_MATCHES:,} files; name them more narrowly."
            listing.problems.append((pattern, sentence))
            return
        for path in candidates:
            if not _storable(path):
                shown = path.encode(errors="replace").decode()
                listing.problems.append((shown, "Its name is not valid UTF-8."))
                continue
            real = self._real(path)
            # A wild card takes the files that there are; what is named outright is looked at, so
            # that reading it can say what is wrong.
            if real is None or real.mode == SUBMODULE:
                if not has_wildcard(pattern):
                    yield path
                continue
            yield real.path

    def _exists(self, path: str) -> bool:
        try:
            self._resolved(path)
        except Gone:
            return False
        except ReadError:
            return True
        return True

    def _real(self, path: str) -> Entry | None:
        try:
            return self._resolved(path)
        except ReadError:
            return None

    def _relative(self, base: str, target: str) -> str:
        """The path that a target means, from the repository's root."""
        if "://" in target:
            return self._of_url(target)
        if "\x00" in target:
            raise ReadError("A path can't hold U+0000.")
        # As in Backstage, where targets are resolved like links of a page: "/" is the root.
        folder = "" if target.startswith("/") else posixpath.dirname(base)
        path = posixpath.normpath(posixpath.join(folder, target.lstrip("/")))
        if path == ".." or path.startswith("../"):
            raise ReadError(f'"{_shown(target)}" leads outside the repository.')
        return path

    def _of_url(self, url: str) -> str:
        address = parse_file(url)
        where = self._where
        if not address or not where or address.repository.key != where.repository.key:
            raise ReadError(
                f'"{_shown(url)}" is not in this repository, and this source reads no other.'
            )
        ref, path = address.split(where.refs)
        if ref and ref not in where.refs:
            raise ReadError(
                f'"{_shown(url)}" is on "{_shown(ref)}", and this source reads "{where.refs[0]}".'
            )
        return path

    def _resolved(self, path: str) -> Entry:
        """The entry at a path once every link on the way has been followed."""
        if not self._odd:
            return self._plain(path)
        parts, followed, place = path.split("/"), 0, ""
        while parts:
            place = posixpath.normpath(posixpath.join(place, parts.pop(0)))
            if place == ".." or place.startswith("../"):
                raise ReadError(f"{_shown(path)} is a link that leads outside the repository.")
            entry = self.entries.get(place)
            if entry is None or entry.mode != LINK:
                if entry is not None and entry.mode == SUBMODULE and parts:
                    raise ReadError(f"{_shown(place)} is a submodule: a repository of its own.")
                continue
            followed += 1
            if followed > MAX_LINKS:
                raise ReadError(f"{_shown(path)} is a link that leads in circles.")
            parts = [*self._link(entry, path).split("/"), *parts]
            place = posixpath.dirname(place)
        return self._plain(place, path)

    def _plain(self, path: str, asked: str = "") -> Entry:
        entry = self.entries.get(path)
        if entry is not None:
            return entry
        if path in self._all_folders():
            raise ReadError(f"{_shown(asked or path)} is a folder, not a file.")
        raise Gone(f"There is no file {_shown(asked or path)}.")

    def _all_folders(self) -> set[str]:
        if self._folders is None:
            self._folders = {"", "."}
            for path in self.entries:
                folder = posixpath.dirname(path)
                while folder and folder not in self._folders:
                    self._folders.add(folder)
                    folder = posixpath.dirname(folder)
        return self._folders

    def _link(self, entry: Entry, path: str) -> str:
        if self._read_link is None:
            raise ReadError(f"{_shown(path)} is a link, which this source does not follow.")
        aim = self._read_link(entry).decode(errors="surrogateescape")
        if aim.startswith("/"):
            raise ReadError(f"{_shown(path)} is a link that leads outside the repository.")
        return aim


def descriptor_paths(options: Mapping[str, Any]) -> list[str]:
    """Where descriptors are looked for, by the option "path"; without it, the usual name."""
    given = options.get("path") or []
    words = given.splitlines() if isinstance(given, str) else [str(word) for word in given]
    wanted = [word.strip() for word in words if word.strip()] or [FILE_NAMES[0]]
    short = [path[:-5] + ".yml" for path in wanted if path.endswith(FILE_NAMES[0])]
    return list(dict.fromkeys([*wanted, *short]))


def file_text(path: str, data: bytes) -> bytes:
    """A file's bytes. Raises ReadError where they are not the file itself, or too many."""
    if len(data) <= LFS_MAX and data.startswith(LFS_START):
        raise ReadError(
            f"{_shown(path)} is a Git LFS pointer, not the file: commit it without Git LFS."
        )
    if len(data) > MAX_FILE_BYTES:
        raise ReadError(f"{_shown(path)} is larger than {MAX_FILE_BYTES:,} bytes.")
    return data


def _either(wanted: Sequence[str]) -> str:
    return " or ".join(_shown(path) for path in wanted[:4])


def _shown(path: str) -> str:
    """A name for a sentence, whatever stands in it."""
    clean = path.encode(errors="replace").decode()
    return clean if len(clean) <= SHOWN_NAME else f"{clean[:SHOWN_NAME]}…"


def _storable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
