"""Reads descriptors from a folder or a file on the portal's own disk.

Whoever may edit a descriptor may name any path in it. So everything that is read lies, links
followed, below one of settings.CATALOG_PATHS and inside the tree of the file that names it: the
git checkout around that file, else the source's own folder. A checkout beside it may be private.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from catalog.descriptors import ReadError
from catalog.sources.base import MAX_FILE_BYTES, Gone, Listing, Place, SourceFailed, Usage
from catalog.sources.glob import has_wildcard, matches, split_fixed

# What a folder is searched for; everything else is read only where a Location names it.
FILE_NAMES = ("catalog-info.yaml", "catalog-info.yml")
# Never entered: git keeps credentials in there, and packages bring descriptors of their own.
SKIPPED_FOLDERS = frozenset({".git", "node_modules"})
MAX_DEPTH = 32
MAX_WALKED = 200_000
SHOWN_NAME = 200


class PathReader:
    """Locations are paths relative to the folder of CATALOG_PATHS that holds the source."""

    type = "file"

    def __init__(self, target: str, allowed: Sequence[Path]) -> None:
        """`target` is absolute or relative to one of `allowed`. Raises SourceFailed."""
        fixed, self._pattern = split_fixed(target)
        self._allowed, self._place = _locate(fixed, allowed)
        self.usage = Usage()
        self._folder = self._place if self._place.is_dir() else self._place.parent

    def roots(self) -> Listing:
        if self._folder != self._place:
            return Listing([self._name(self._place)])
        listing = self._search(self._place, self._folder, self._pattern)
        if not listing.locations and not listing.problems:
            wanted = self._pattern or " or ".join(FILE_NAMES)
            raise SourceFailed(f"The folder holds no {wanted}.")
        return listing

    def targets(self, base: str, target: str) -> list[str]:
        if "://" in target:
            raise ReadError(
                f'"{target}" is a URL, and this source reads files. A Location may name it with '
                '"type: url".'
            )
        folder = (self._allowed / base).parent
        if not has_wildcard(target):
            return [self._name(self._inside(base, folder / target, target))]
        fixed, pattern = split_fixed(target)
        start = self._inside(base, folder / fixed, target)
        listing = self._search(start, self._tree(base), pattern)
        if listing.problems:
            raise ReadError(f'"{target}": {listing.problems[0][1]}')
        if not listing.locations:
            raise Gone(f'"{target}" matches no file.')
        return listing.locations

    def read(self, location: str) -> bytes:
        try:
            data = _read_regular(self._allowed / location)
        except (OSError, ValueError) as error:
            raise _read_error(location, error) from None
        if data is None:
            raise ReadError(f"{location} is not a file.")
        if len(data) > MAX_FILE_BYTES:
            raise ReadError(f"{location} is larger than {MAX_FILE_BYTES:,} bytes.")
        return data

    def place(self, location: str) -> Place:
        return Place()

    def _search(self, start: Path, tree: Path, pattern: str) -> Listing:
        """The files below `start` that match; without a pattern, those named FILE_NAMES."""
        listing = Listing()
        found: dict[str, None] = {}
        for path in self._walk(start, tree, listing):
            if pattern:
                wanted = matches(path.relative_to(start).as_posix(), pattern)
            else:
                wanted = path.name in FILE_NAMES
            if wanted:
                name = self._name(path.resolve())
                if _storable(name):
                    found[name] = None
                else:
                    listing.problems.append((self._label(path), "Its name is not valid UTF-8."))
        listing.locations = list(found)
        return listing

    def _inside(self, base: str, path: Path, target: str) -> Path:
        """The path with links followed, if the file `base` may name it."""
        try:
            resolved = path.resolve()
        except (OSError, ValueError, RuntimeError):  # RuntimeError: a loop of links
            raise ReadError(f'"{target}" is not a path that can be followed.') from None
        tree = self._tree(base)
        if not resolved.is_relative_to(tree) or ".git" in resolved.relative_to(tree).parts:
            raise ReadError(
                f'"{target}" leads outside {self._name(tree)}, the tree that this file may name.'
            )
        return resolved

    def _tree(self, base: str) -> Path:
        """The git checkout around a file, else the source's folder."""
        for folder in (self._allowed / base).parents:
            if not folder.is_relative_to(self._allowed):
                break
            if (folder / ".git").exists():
                return folder
        return self._folder

    def _name(self, path: Path) -> str:
        name = path.relative_to(self._allowed).as_posix()
        return self._allowed.name if name == "." else name

    def _walk(self, start: Path, tree: Path, listing: Listing) -> Iterator[Path]:
        """Every file below, sorted, each real folder once: links may form loops."""
        seen: set[Path] = set()
        waiting = [(start, 0)]
        walked = 0
        while waiting:
            folder, depth = waiting.pop()
            real = folder.resolve()
            if real in seen:
                continue
            seen.add(real)
            try:
                found = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except (FileNotFoundError, NotADirectoryError):
                continue  # a pattern may begin at a folder that isn't there
            except OSError as error:
                listing.problems.append((self._label(folder), _reason(error)))
                continue
            walked += len(found)
            if walked > MAX_WALKED or depth > MAX_DEPTH:
                limit = f"more than {MAX_WALKED:,} files or {MAX_DEPTH} folders deep"
                listing.problems.append((self._label(folder), f"Not searched: {limit}."))
                return
            below = []
            for entry in found:
                path = Path(entry.path)
                if entry.is_symlink() and not _leads_into(path, tree):
                    continue
                if entry.is_dir() and entry.name not in SKIPPED_FOLDERS:
                    below.append((path, depth + 1))
                elif entry.is_file():
                    yield path
            waiting.extend(reversed(below))

    def _label(self, path: Path) -> str:
        return self._name(path).encode(errors="replace").decode()


def _locate(target: str, allowed: Sequence[Path]) -> tuple[Path, Path]:
    """The folder of CATALOG_PATHS that holds the target, and the target, both links followed."""
    folders = [folder.resolve() for folder in allowed]
    if not folders:
        raise SourceFailed("No folder may be read: CATALOG_PATHS is empty.")
    inside = []
    for folder in folders:
        try:
            place = (folder / target).resolve()
        except (OSError, ValueError, RuntimeError):
            raise SourceFailed("The target is not a path that can be followed.") from None
        if place.is_relative_to(folder):
            inside.append((folder, place))
    if not inside:
        raise SourceFailed(
            "The target lies outside the folders that may be read. An operator can add its folder "
            "to CATALOG_PATHS."
        )
    for folder, place in inside:
        try:
            if place.is_dir() or place.is_file():
                return folder, place
        except PermissionError:
            continue
    raise SourceFailed("There is no such file or folder, or it may not be read.")


def _read_regular(path: Path) -> bytes | None:
    """At most one byte more than may be read; None for what is no regular file."""
    # Non-blocking, so that a named pipe can't hold the worker; no link, since the path has been
    # resolved and judged, and must not lead elsewhere now.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(MAX_FILE_BYTES + 1)
    finally:
        os.close(handle)


def _leads_into(path: Path, tree: Path) -> bool:
    try:
        return path.resolve().is_relative_to(tree)
    except (OSError, RuntimeError):
        return False


def _storable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in name


def _read_error(location: str, error: Exception) -> ReadError:
    location = location if len(location) <= SHOWN_NAME else f"{location[:SHOWN_NAME]}…"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Gone(f"There is no file {location}.")
    return ReadError(f"{location} can't be read: {_reason(error)}")


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or "not a usable path"
    return f"{reason[0].lower()}{reason[1:]}."
