"""Judges descriptor files on disk as Backstage would, without database, settings or network.

Placeholders are read and Location targets followed as far as they lie in the tree around a file:
the git checkout that holds it, else its own folder.
"""

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from catalog.descriptors import DocumentResult, Problem, ReadError, parse
from catalog.sources.base import MAX_NESTING, Gone, SourceFailed
from catalog.sources.path import SKIPPED_FOLDERS, PathReader

SUFFIXES = frozenset({".yaml", ".yml"})
# https://host/owner/repository/blob/main/path, and GitLab's and Bitbucket's way to write it.
_HOSTED = re.compile(
    r"(?P<repository>https?://[^/]+/(?:[^/]+/)+?)(?:-/)?(?:blob|src|tree)/[^/]+/(?P<path>.*)"
)
# A text, also as JSON and as YAML; stands for what is not read.
_STAND_IN = b'"not read"'
_TYPES = 'Locations of this type are not followed; leave "type" out, or write "type: url".'


@dataclass(frozen=True)
class Options:
    """How to judge. `base_url` is where the tree around the files is published.

    `alone`: by itself each; whatever a placeholder or a Location names is taken to be there.
    """

    allowed_kinds: frozenset[str] | None = None
    base_url: str = ""
    alone: bool = False


@dataclass(frozen=True)
class FileReport:
    """What became of one file; `file` is written as the command line wrote it."""

    file: str
    results: tuple[DocumentResult, ...]

    @property
    def accepted(self) -> bool:
        return all(result.accepted for result in self.results)


def validate(paths: Iterable[Path], options: Options) -> Iterator[FileReport]:
    """One report a file, in order; files that a Location names follow the file that names them.

    Of a folder, every *.yaml and *.yml below it is judged; hidden folders too, .git not.
    """
    validator = _Validator(options)
    for path in paths:
        yield from validator.judge(path)


@dataclass(frozen=True)
class _Place:
    """A file: its location within a reader's tree, and how deep Locations led to it."""

    tree: "_Tree"
    location: str
    depth: int = 0


class _Tree:
    """The files that a path on the command line may name."""

    def __init__(self, path: Path, shown: Path, options: Options) -> None:
        """`path` is absolute with links followed, `shown` as written. Raises SourceFailed."""
        folder = path if path.is_dir() else path.parent
        checkouts = (above for above in (folder, *folder.parents) if (above / ".git").exists())
        self.root = next(checkouts, folder)
        self.reader = PathReader(str(folder), [self.root])
        self.options = options
        self._given = folder
        self._shown = shown if path.is_dir() else shown.parent

    def shown(self, location: str) -> str:
        """A location as the command line would name it."""
        path = self.root / location
        if path.is_relative_to(self._given):
            path = self._shown / path.relative_to(self._given)
        return str(path).encode(errors="replace").decode()

    def placeholder(self, base: str, argument: str) -> bytes:
        """What a placeholder in the file `base` names. Raises ReadError."""
        if _other_repository(argument, self.options.base_url):
            raise ReadError("it is a file of another repository.")
        if self.options.alone:
            return _STAND_IN
        local = self.local(argument)
        if local is None:
            raise ReadError(
                "URLs are not read here; name a file of this tree, or give --base-url if it is one."
            )
        locations = self.reader.targets(base, local)
        if len(locations) != 1:
            raise ReadError("it names more than one file.")
        return self.reader.read(locations[0])

    def local(self, target: str) -> str | None:
        """The path for a target that lies in this tree; None for a URL that doesn't, or may not.

        Without a base URL, a URL that a code host would write is taken for the file of that name,
        where there is one.
        """
        if "://" not in target:
            return target
        base = self.options.base_url
        if base and not target.startswith(base):
            return None
        if base:
            return f"{self.root}/{unquote(target.removeprefix(base))}"
        match = _HOSTED.fullmatch(unquote(target))
        found = match and self.root / match["path"]
        return str(found) if found and found.is_file() else None


def _other_repository(url: str, base: str) -> bool:
    """Whether both are URLs of a code host, and of different repositories."""
    there, here = _HOSTED.fullmatch(url), _HOSTED.fullmatch(base)
    return bool(there and here and there["repository"] != here["repository"])


class _Validator:
    def __init__(self, options: Options) -> None:
        self.options = options
        self._visited: set[Path] = set()
        self._described: dict[str, str] = {}  # ref: the file that describes it

    def judge(self, path: Path) -> Iterator[FileReport]:
        try:
            real = path.resolve(strict=True)
            tree = _Tree(real, path, self.options)
        except (OSError, RuntimeError, SourceFailed) as error:
            reason = getattr(error, "strerror", None) or str(error)
            yield _unread(str(path), f"It can't be read: {reason}")
            return
        for file in _files(real) if real.is_dir() else [real]:
            yield from self._follow(_Place(tree, file.relative_to(tree.root).as_posix()))

    def _follow(self, start: _Place) -> Iterator[FileReport]:
        waiting = deque([start])
        while waiting:
            place = waiting.popleft()
            path = place.tree.root / place.location
            if path in self._visited:
                continue
            self._visited.add(path)
            yield self._report(place, waiting)

    def _report(self, place: _Place, waiting: deque[_Place]) -> FileReport:
        tree, shown = place.tree, place.tree.shown(place.location)
        try:
            data = tree.reader.read(place.location)
        except ReadError as error:
            return _unread(shown, str(error))
        results = parse(
            data,
            read=lambda argument: tree.placeholder(place.location, argument),
            allowed_kinds=self.options.allowed_kinds,
        )
        results = [self._location(place, result, waiting) for result in results]
        return FileReport(shown, tuple(self._compared(shown, result) for result in results))

    def _compared(self, file: str, result: DocumentResult) -> DocumentResult:
        """Warns of a ref that another file has: whichever is read first keeps it."""
        if not result.descriptor or self._described.setdefault(result.ref, file) == file:
            return result
        message = f"{result.ref} is described in {self._described[result.ref]} as well."
        problem = Problem("conflict", message, result.line, 1, "warning")
        return replace(result, problems=(*result.problems, problem))

    def _location(
        self, place: _Place, result: DocumentResult, waiting: deque[_Place]
    ) -> DocumentResult:
        """Queues what a Location names; what isn't there is a problem of the Location."""
        descriptor = result.descriptor
        if not descriptor or not descriptor.supported or descriptor.kind != "Location":
            return result
        spec = descriptor.document["spec"]
        problems = [] if self._type_allowed(spec) else [Problem("read", _TYPES, result.line)]
        if not problems and not self.options.alone:
            for target, line, column in descriptor.targets:
                problem = self._target(place, target, spec.get("presence") == "optional", waiting)
                problems += [replace(problem, line=line, column=column)] if problem else []
        return replace(result, problems=(*result.problems, *problems))

    def _type_allowed(self, spec: dict[str, Any]) -> bool:
        """A Location has the type of the place it is read from, or changes it to url."""
        here = "url" if self.options.base_url else "file"
        return spec.get("type", here) in {"url", here}

    def _target(
        self, place: _Place, target: str, optional: bool, waiting: deque[_Place]
    ) -> Problem | None:
        local = place.tree.local(target)
        if local is None:
            message = f'"{target}" is a URL; what it names is not judged here.'
            return Problem("read", message, severity="warning")
        try:
            if place.depth >= MAX_NESTING:
                raise ReadError(f"Locations are nested more than {MAX_NESTING} deep.")
            for location in place.tree.reader.targets(place.location, local):
                if not (place.tree.root / location).is_file():
                    raise Gone(f'There is no file "{target}".')
                waiting.append(_Place(place.tree, location, place.depth + 1))
        except ReadError as error:
            return None if optional and isinstance(error, Gone) else Problem("read", str(error))
        return None


def _files(folder: Path) -> Iterator[Path]:
    """Every descriptor file below, in order; links are followed if they stay inside."""
    for name, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for file in sorted(files):
            path = Path(name, file)
            if path.suffix in SUFFIXES and path.resolve().is_relative_to(folder):
                yield path.resolve()


def _unread(file: str, sentence: str) -> FileReport:
    return FileReport(file, (DocumentResult(0, 1, problems=(Problem("read", sentence),)),))
