"""Runs git with bounds on time and disk, and turns what it says into a sentence for people.

git knows nothing of this machine's own settings here: no user's configuration, no hooks, no
prompts, no protocol but the one that was asked for.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from catalog.sources.git_remote import Remote

# Seconds: of what talks to a host, of what only reads the disk.
REMOTE_SECONDS = 300.0
LOCAL_SECONDS = 120
# Of one repository's cache.
MAX_STORE_BYTES = 2_000_000_000
# Of what one command says; the listing of half a million files is smaller.
MAX_OUTPUT_BYTES = 200_000_000
MAX_EXPLAINED = 65_536
WATCH_SECONDS = 0.5
MAX_SAID = 300


# How long a host may take; less while a person waits for a page.
_patience: ContextVar[float] = ContextVar("patience", default=REMOTE_SECONDS)
HURRIED_SECONDS = 40


@contextlib.contextmanager
def hurried() -> Iterator[None]:
    """While in here a host has to be quick."""
    before = _patience.set(HURRIED_SECONDS)
    try:
        yield
    finally:
        _patience.reset(before)


def patience() -> float:
    """Seconds that a host, or another reading of the same repository, may take."""
    return _patience.get()


class GitFailed(Exception):
    """What git could not do, as a sentence. `remote`: the host or its answer is the reason."""

    def __init__(self, sentence: str, remote: bool = False) -> None:
        super().__init__(sentence)
        self.remote = remote


class Missing(GitFailed):
    """There is no git on this machine."""


class Git:
    """git for one bare repository in `folder`."""

    def __init__(self, folder: Path, remote: Remote, environment: Mapping[str, str]) -> None:
        """`environment` holds the settings for the remote (git_remote.py). Raises Missing."""
        program = shutil.which("git")
        if program is None:
            raise Missing(
                "There is no git on the machine that reads the catalog. An operator can install "
                "it; sources of the kind URL do without."
            )
        self._program = program
        self._folder = folder
        self._remote = remote
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder.parent),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": remote.scheme,
            "GIT_OPTIONAL_LOCKS": "0",
            **environment,
        }

    def local(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """A command that only reads or writes the cache. Raises GitFailed."""
        return self._run(arguments, stdin, LOCAL_SECONDS)

    def ask(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """A command that talks to the host. Raises GitFailed."""
        return self._run(arguments, stdin, patience())

    def _run(self, arguments: tuple[str, ...], stdin: bytes, seconds: float) -> bytes:
        # Not in memory: a few kilobytes of repository can list files without end.
        with (
            tempfile.TemporaryFile(dir=self._folder.parent) as output,
            tempfile.TemporaryFile(dir=self._folder.parent) as said,
        ):
            process = subprocess.Popen(  # noqa: S603 (our own words, never a shell)
                [self._program, f"--git-dir={self._folder}", *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=said,
                env=self._environment,
                cwd=self._folder.parent,
                start_new_session=True,  # so that its helpers end with it
            )
            try:
                self._communicate(process, stdin, seconds, (output, said))
            except BaseException:
                _end(process)
                raise
            if process.returncode:
                said.seek(max(0, _size(said) - MAX_EXPLAINED))
                raise GitFailed(*explain(said.read().decode(errors="replace"), self._remote))
            output.seek(0)
            return output.read()

    def _communicate(
        self,
        process: "subprocess.Popen[bytes]",
        stdin: bytes,
        seconds: float,
        written: Sequence[IO[bytes]],
    ) -> None:
        until = time.monotonic() + seconds
        pending: bytes | None = stdin
        while True:
            try:
                process.communicate(pending, timeout=WATCH_SECONDS)
                done = True
            except subprocess.TimeoutExpired:
                pending, done = None, False  # what is left of it is sent by the next call
            if any(_size(file) > MAX_OUTPUT_BYTES for file in written):
                raise GitFailed(
                    "The repository is too large to be read with git: it lists more than "
                    f"{MAX_OUTPUT_BYTES // 10**6} MB of files.",
                    remote=True,
                )
            if done:
                return
            if time.monotonic() > until:
                sentence = f"{self._remote.label} did not finish within {seconds:g} s."
                raise GitFailed(sentence, remote=True)
            if stored_bytes(self._folder) > MAX_STORE_BYTES:
                raise GitFailed(
                    f"The repository is larger than {MAX_STORE_BYTES // 10**9} GB, too large to "
                    "be read with git.",
                    remote=True,
                )


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def stored_bytes(folder: Path) -> int:
    """How much the packs of a repository take, the half-received one included."""
    total = 0
    for name in ("objects/pack", "objects"):
        try:
            with os.scandir(folder / name) as found:
                total += sum(e.stat().st_size for e in found if e.is_file(follow_symlinks=False))
        except OSError:
            continue
    return total


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends git and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


# What git or the host says -> what it means. Tried in order; "{host}" is the host's name.
_MEANINGS = [
    (
        r"could not read (Username|Password)|Authentication failed|error: 401",
        "{host} refused access: the repository is private or is not there, or the source's "
        "credential is not valid.",
    ),
    (
        r"error: 403|access denied|not authorized",
        "{host} refused access (403). Check the source's credential.",
    ),
    (
        r"Permission denied \(|Load key|invalid format|error in libcrypto",
        "{host} refused the ssh key. The source's credential has to be a private key that may read "
        "the repository.",
    ),
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed",
        "{host} shows another ssh host key than before. If that is right, an operator removes the "
        "old one from git/known_hosts in the data folder.",
    ),
    (
        r"error: 404|epository .*not found|not appear to be a git repository|does not exist",
        "{host} has no such repository, or hides it from this credential.",
    ),
    (
        r"error: 30[12378]|unable to update url base from redirection",
        "{host} sends on to another address: the repository was renamed or moved. Change the "
        "target.",
    ),
    (
        r"error: 429",
        "{host} takes no more requests for now (429). It is asked again when next due.",
    ),
    (r"error: (5\d\d)", "{host} answered {0}. It is asked again when next due."),
    (r"error: (4\d\d)", "{host} answered {0}."),
    (r"Could not resolve host", "{host}: the host name is not known."),
    (
        r"[Cc]onnection timed out|Operation too slow|timed out",
        "{host} did not answer in time. It is asked again when next due.",
    ),
    (
        r"Failed to connect|Connection refused|Network is unreachable|No route to host",
        "{host}: no connection.",
    ),
    (r"certificate|SSL", "{host}: its certificate was refused."),
    (r"cannot run ssh|ssh: not found", "There is no ssh on the machine that reads the catalog."),
    (
        r"dubious ownership",
        "The folder belongs to another user of this machine, so git won't read it.",
    ),
    (r"couldn't find remote ref|no such ref", "{host} no longer has the branch."),
    (
        r"early EOF|unexpected disconnect|hung up unexpectedly|RPC failed|index-pack failed",
        "{host} broke off its answer. It is asked again when next due.",
    ),
    (r"No space left on device", "The disk of the machine that reads the catalog is full."),
]
_COMPILED = [(re.compile(pattern), sentence) for pattern, sentence in _MEANINGS]
_LINE = re.compile(r"^(?:fatal|error): (.*)", re.MULTILINE)
_ADDRESS = re.compile(r"'?\b[a-z+]+://\S+|/\S*/\S*", re.I)


def explain(said: str, remote: Remote) -> tuple[str, bool]:
    """A sentence for what git wrote, and whether it is about the remote side."""
    for pattern, sentence in _COMPILED:
        if match := pattern.search(said):
            return sentence.format(*match.groups(), host=remote.label), True
    line = _LINE.search(said)
    words = line.group(1) if line else (said.strip().splitlines() or ["no reason given"])[-1]
    # Addresses and paths may hold what is nobody's business.
    return f"git could not read the repository: {_ADDRESS.sub('…', words)[:MAX_SAID]}", False
