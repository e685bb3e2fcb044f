"""Follows a source from its beginning through Location entities to every descriptor it names.

Targets are read once each, nearest first; how deep, how many and how much is bounded, since the
authors of descriptors decide where this leads.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catalog.descriptors import ReadError, parse
from catalog.reading import SOURCE_STAGE, Found, Issue, KnownFile, Reading
from catalog.sources import Gone, NotThere, Reader, SourceFailed, open_reader
from catalog.sources.base import MAX_NESTING, HostStops, RepositoryReader
from portal.http import origin

MAX_FILES = 20_000
MAX_BYTES = 400_000_000
MAX_SECONDS = 1800

# (files read, files known so far) -> None
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Step:
    """A file to read. `named_by` is the Location that names it; None for where reading begins."""

    reader: Reader
    location: str
    depth: int = 0
    named_by: Found | None = None
    optional: bool = False


@dataclass(frozen=True)
class Limits:
    """What a source may hold, and whether only its flagged repositories are read."""

    allowed_kinds: frozenset[str] | None = None
    partial: bool = False


ANYTHING = Limits()


def read_source(
    reader: Reader,
    progress: Progress = lambda read, known: None,
    known: Mapping[str, KnownFile] | None = None,
    limits: Limits = ANYTHING,
) -> Reading:
    """Reads everything that a source holds; what could not be read is among its issues.

    `known` are the settled files: those that are as they were are not parsed, and where the reader
    can tell, not even read. Raises SourceFailed when reading can't even begin.
    """
    return _Follower(reader, progress, known or {}, limits).run()


class _Follower:
    def __init__(
        self, reader: Reader, progress: Progress, known: Mapping[str, KnownFile], limits: Limits
    ) -> None:
        self._reader = reader
        self._progress = progress
        self._known = known
        self._limits = limits
        self._reading = Reading()
        self._waiting: deque[_Step] = deque()
        self._broken: set[str] = set()  # refs of Locations of which a target failed
        self._elsewhere: dict[str, Reader] = {}  # by origin
        # Who names a file beside the first, and why a file could not be read.
        self._also: dict[str, list[_Step]] = {}
        self._failed: dict[str, ReadError] = {}
        self._bytes = 0
        self._until = time.monotonic() + MAX_SECONDS

    def run(self) -> Reading:
        listing = self._reader.roots()
        if not listing.complete and not self._limits.partial:
            self._reading.add_unread()
        for location, sentence in listing.problems:
            self._reading.add_unread()
            self._reading.issues.append(Issue(location, "read", sentence))
        for location in listing.locations:
            self._enqueue(_Step(self._reader, location, optional=listing.optional))
        try:
            self._read_all()
        except HostStops as stop:
            self._stop(str(stop))
        self._reading.reject(self._broken)
        self._reading.repositories = listing.repositories
        self._reading.all_repositories = listing.complete and not self._limits.partial
        if listing.repositories is not None and isinstance(self._reader, RepositoryReader):
            self._reading.repositories = self._reader.repositories()
        return self._reading

    def _read_all(self) -> None:
        while self._waiting:
            if self._over_limit():
                break
            self._visit(self._waiting.popleft())
            self._progress(self._reading.files, self._reading.files + len(self._waiting))

    def _stop(self, sentence: str) -> None:
        """One sentence for all that was not read."""
        self._reading.add_unread()
        left = f" {len(self._waiting):,} more files were not read." if self._waiting else ""
        where = self._waiting[0].location if self._waiting else ""
        self._reading.issues.append(Issue(where, SOURCE_STAGE, f"{sentence}{left}"))

    def _visit(self, step: _Step) -> None:
        location, known = step.location, self._known.get(step.location)
        if known and known.version and step.reader.place(location).version == known.version:
            self._reading.add_unchanged(location, known)
            return
        try:
            data = self._read(step.reader, location)
        except HostStops:
            raise
        except Gone as gone:
            if isinstance(gone, NotThere):
                self._reading.add_not_there(location)
            else:
                self._reading.add_gone(location)
            self._fail(step, gone)
            return
        except ReadError as error:
            self._reading.add_unread()
            self._fail(step, error)
            return
        digest = hashlib.sha256(data).hexdigest()
        self._reading.places[location] = step.reader.place(location)
        if known and known.digest == digest:
            self._reading.add_unchanged(location, known)
            return
        self._reading.digests[location] = digest
        self._parse(step, data)

    def _parse(self, step: _Step, data: bytes) -> None:
        place = self._reading.places[step.location]
        # A host's version is the commit: equal, it covers what the file names in its repository.
        covers_all = bool(place.version) and place.version == place.commit

        def placeholder(argument: str) -> bytes:
            if covers_all:
                # The bytes alone no longer tell that it is the same.
                self._reading.digests[step.location] = ""
            else:
                self._reading.unsettled.add(step.location)
            locations = step.reader.targets(step.location, argument)
            if len(locations) != 1:
                raise ReadError(f'"{argument}" names more than one file.')
            return self._read(step.reader, locations[0])

        results = parse(data, read=placeholder, allowed_kinds=self._limits.allowed_kinds)
        for found in self._reading.add_file(step.location, results):
            if found.result.kind == "Location":
                self._follow(step, found)

    def _read(self, reader: Reader, location: str) -> bytes:
        data = reader.read(location)
        self._bytes += len(data)
        return data

    def _follow(self, step: _Step, found: Found) -> None:
        """Queues what a Location entity names."""
        descriptor = found.result.descriptor
        if descriptor is None or not descriptor.supported:
            self._reading.add_unread()  # a later Stagedoor may know what it names
            return
        spec = descriptor.document["spec"]
        optional = spec.get("presence") == "optional"
        for target, _, _ in descriptor.targets:
            try:
                if step.depth >= MAX_NESTING:
                    raise ReadError(f"Locations are nested more than {MAX_NESTING} deep.")
                reader, locations = self._resolve(step, spec.get("type"), target)
            except HostStops:
                raise
            except Gone as gone:
                if not optional:
                    self._report(_Step(step.reader, target, named_by=found), str(gone))
                continue
            except (ReadError, SourceFailed) as error:
                self._reading.add_unread()
                self._report(_Step(step.reader, target, named_by=found), str(error))
                continue
            for location in locations:
                self._enqueue(_Step(reader, location, step.depth + 1, found, optional))

    def _resolve(self, step: _Step, kind: str | None, target: str) -> tuple[Reader, list[str]]:
        """A Location inherits the type of the file it stands in; it may change it to url only.

        A URL is read by the source's own reader where that one says that it may, else without the
        source's credential: the address is the choice of the file's author.
        """
        own = kind in {None, "", step.reader.type}
        if not own and kind != "url":
            raise ReadError(f'"type: {kind}" is not followed from here; only "url" may be.')
        if own or "://" in target:
            try:
                return step.reader, step.reader.targets(step.location, target)
            except (Gone, HostStops):
                raise
            except ReadError:
                if "://" not in target or "*" in target or "url" not in {kind, step.reader.type}:
                    raise
        reader = self._elsewhere.setdefault(origin(target), open_reader(target))
        return reader, reader.targets(target, target)

    def _enqueue(self, step: _Step) -> None:
        if step.location not in self._reading.visited:
            self._reading.visited.add(step.location)
            if step.named_by is not None:
                self._reading.named_by[step.location] = step.named_by.ref
            self._waiting.append(step)
        elif step.location in self._failed:
            self._fail(step, self._failed[step.location])
        elif step.named_by is not None:
            self._also.setdefault(step.location, []).append(step)

    def _fail(self, step: _Step, why: ReadError) -> None:
        """A problem of everybody who names the file, but of those who may miss it."""
        self._failed[step.location] = why
        for one in (step, *self._also.pop(step.location, ())):
            if not (one.optional and isinstance(why, Gone)):
                self._report(one, str(why))

    def _report(self, step: _Step, sentence: str) -> None:
        """The problem stands where it can be mended: at the Location that names the target."""
        if step.named_by is None:
            self._reading.issues.append(Issue(step.location, "read", sentence))
            return
        self._broken.add(step.named_by.ref)
        self._reading.issues.append(step.named_by.issue("read", sentence))

    def _over_limit(self) -> bool:
        if self._reading.files >= MAX_FILES:
            limit = f"{MAX_FILES:,} files"
        elif self._bytes > MAX_BYTES:
            limit = f"{MAX_BYTES:,} bytes"
        elif time.monotonic() > self._until:
            limit = f"{MAX_SECONDS // 60} minutes"
        else:
            return False
        self._reading.add_unread()
        left = len(self._waiting)
        sentence = f"Reading stopped after {limit}; {left} more files were named."
        self._reading.issues.append(Issue(self._waiting[0].location, SOURCE_STAGE, sentence))
        return True
