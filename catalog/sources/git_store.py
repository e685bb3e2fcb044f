"""The cache of one git repository on the disk: a bare repository of one commit, and who uses it.

It holds nothing that can't be fetched again. Readings of one repository may overlap (a dry run
beside a reading), also in different processes; flock keeps them apart.
"""

import contextlib
import fcntl
import hashlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from catalog.sources.base import SourceFailed
from catalog.sources.git_process import patience, stored_bytes

# Each fetch adds a pack. Past these it is cheaper to fetch all of it anew.
MAX_PACKS = 100
GROWN_BYTES = 1_000_000_000
UNUSED_SECONDS = 30 * 86_400


class Store:
    """The folder of one repository. Others leave it alone while this object lives."""

    def __init__(self, below: Path, *identity: str) -> None:
        name = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:32]
        self.folder = below / name / "repository.git"
        self._home = below / name
        fresh = not self._home.exists()
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if fresh:
            _sweep(below)
        (self._home / "used").touch()
        self._using = (self._home / "using.lock").open("w")
        fcntl.flock(self._using, fcntl.LOCK_SH)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """While in here, nobody else fetches into it. Raises SourceFailed when others take long."""
        until = time.monotonic() + patience()
        with (self._home / "writing.lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise SourceFailed(
                            "Another reading of this repository has not ended yet. "
                            "Try again in a minute."
                        ) from None
                    time.sleep(0.1)
            yield

    def wipe(self) -> bool:
        """Empties it, unless another process reads from it; call inside writing()."""
        try:
            fcntl.flock(self._using, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(self.folder, ignore_errors=True)
        fcntl.flock(self._using, fcntl.LOCK_SH)
        return True

    @property
    def exists(self) -> bool:
        return (self.folder / "HEAD").exists()

    @property
    def grown(self) -> bool:
        packs = len(list((self.folder / "objects" / "pack").glob("*.pack")))
        return packs > MAX_PACKS or stored_bytes(self.folder) > GROWN_BYTES


def _sweep(below: Path) -> None:
    """Removes what no source has used for long; there is no other word of a deleted source."""
    before = time.time() - UNUSED_SECONDS
    for used in below.glob("*/used"):
        with contextlib.suppress(OSError):
            if used.stat().st_mtime < before:
                shutil.rmtree(used.parent, ignore_errors=True)
