"""The contents of a repository's files: fetched many at a time, and read a batch ahead.

A partial clone has the listing of a commit and not its files, and a request for each would take
longer than all that is done with them. So whoever knows what will be read says so first.
"""

from collections import Counter
from collections.abc import Iterable

from catalog.descriptors import ReadError
from catalog.sources.base import MAX_FILE_BYTES, HostStops, SourceFailed
from catalog.sources.git_process import Git, GitFailed
from catalog.sources.git_session import FETCH, Session
from catalog.sources.tree import SUBMODULE, Entry

# Of one fetch, and of what is kept in memory between two reads.
BATCH = 1_000
BATCH_BYTES = 10_000_000
_FORMAT = "--batch-check=%(objectname) %(objecttype) %(objectsize)"


class Blobs:
    """`everything` are the entries of the commit."""

    def __init__(self, session: Session, everything: dict[str, Entry]) -> None:
        self._session = session
        self._everything = everything
        # Contents that are on this disk, with their size; None: not looked yet.
        self._local: dict[str, int] | None = None
        # How often each will still be read: files may have the same contents.
        self._wanted: Counter[str] = Counter()
        self._read_ahead: dict[str, bytes] = {}

    def want(self, entries: Iterable[Entry]) -> None:
        """Notes what will be read soon."""
        self._wanted.update(entry.id for entry in entries if entry.mode != SUBMODULE)

    def contents(self, entry: Entry) -> bytes:
        """A file's bytes, from what is at hand or with the next batch. Raises ReadError."""
        if entry.id not in self._read_ahead:
            self._read_batch(entry)
        self._wanted[entry.id] -= 1
        if self._wanted[entry.id] <= 0:
            del self._wanted[entry.id]
        if entry.id in self._read_ahead:
            return self._read_ahead[entry.id]
        if (self._local or {}).get(entry.id, 0) > MAX_FILE_BYTES:
            raise ReadError(f"{entry.path} is larger than {MAX_FILE_BYTES:,} bytes.")
        raise ReadError(f"{entry.path}: its contents could not be fetched from the repository.")

    def _read_batch(self, entry: Entry) -> None:
        self._read_ahead = {n: d for n, d in self._read_ahead.items() if n in self._wanted}
        try:
            with self._session.git() as git:
                names = self._batch(git, entry)
                self._take(git.local("cat-file", "--batch", stdin=_lines(names)))
        except (GitFailed, SourceFailed) as failed:
            # Every other file would fail alike: what was read is kept, the rest proves nothing.
            raise HostStops(str(failed)) from None

    def _batch(self, git: Git, entry: Entry) -> list[str]:
        """What to read now: this one and what else is wanted, as far as memory allows."""
        if self._local is None:
            self._local = _sizes(git.local("cat-file", "--batch-all-objects", _FORMAT))
        if entry.id not in self._local:
            self._bring(git, entry, self._local)
        names: list[str] = []
        total = 0
        for name in dict.fromkeys([entry.id, *self._wanted]):
            size = self._local.get(name)
            if size is None or size > MAX_FILE_BYTES or name in self._read_ahead:
                continue
            total += size
            if names and (total > BATCH_BYTES or len(names) >= BATCH):
                break
            names.append(name)
        return names

    def _bring(self, git: Git, entry: Entry, local: dict[str, int]) -> None:
        """Fetches contents that the first fetch left out."""
        wanted = [entry.id, *(name for name in self._wanted if name not in local)]
        if set(wanted) == {entry.id}:
            # A placeholder, most likely: other services of the repository name such files too.
            last = entry.path.rpartition("/")[2]
            alike = (e for e in self._everything.values() if e.path.endswith(f"/{last}"))
            wanted += [e.id for e in alike if e.id not in local and e.mode != SUBMODULE]
        lines = _lines(list(dict.fromkeys(wanted))[:BATCH])
        with self._session.store.writing():
            only = ("--filter=blob:none", "--stdin", "origin")
            at_once = ("-c", "fetch.negotiationAlgorithm=noop")
            self._session.ask(git, *at_once, *FETCH, *only, stdin=lines)
        local |= _sizes(git.local("cat-file", _FORMAT, stdin=lines))

    def _take(self, answer: bytes) -> None:
        """Takes apart what `cat-file --batch` wrote: "<name> <type> <size>", bytes, line end."""
        at = 0
        while at < len(answer):
            end = answer.index(b"\n", at)
            words = answer[at:end].decode(errors="replace").split(" ")
            at = end + 1
            if len(words) != 3 or not words[2].isdigit():
                continue  # "<name> missing"
            size = int(words[2])
            if words[1] == "blob":
                self._read_ahead[words[0]] = answer[at : at + size]
            at += size + 1


def _sizes(answer: bytes) -> dict[str, int]:
    lines = (line.split(" ") for line in answer.decode(errors="replace").splitlines())
    return {w[0]: int(w[2]) for w in lines if len(w) == 3 and w[1] == "blob"}


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()
