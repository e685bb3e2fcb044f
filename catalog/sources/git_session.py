"""What one reading does with git: its remote, its cache, its credential, and how often it asks."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from catalog.sources.base import Usage
from catalog.sources.git_process import Git
from catalog.sources.git_remote import Remote, environment, settings_of, ssh_command
from catalog.sources.git_store import Store
from portal.credentials import Secret
from portal.egress import Egress

FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")


@dataclass
class Session:
    """`open_store` opens the cache, when it is first needed."""

    remote: Remote
    open_store: Callable[[], Store]
    egress: Egress
    credential: Secret | None = None
    user: str = ""  # that goes with the credential
    ca_bundle: str = ""
    usage: Usage = field(default_factory=Usage)

    @cached_property
    def store(self) -> Store:
        return self.open_store()

    @contextlib.contextmanager
    def git(self) -> Iterator[Git]:
        """git with this source's settings; an ssh key is in memory only while it runs.

        Raises SourceFailed, GitFailed.
        """
        pairs = settings_of(self.remote, self.egress, self.credential, self.user, self.ca_bundle)
        settings = environment(pairs)
        with contextlib.ExitStack() as stack:
            if self.remote.scheme == "ssh":
                key = stack.enter_context(_key_file(self.credential)) if self.credential else ""
                known = self.store.folder.parent.parent / "known_hosts"
                settings["GIT_SSH_COMMAND"] = ssh_command(self.remote, self.egress, key, known)
                settings["GIT_SSH_VARIANT"] = "ssh"
            yield Git(self.store.folder, self.remote, settings)

    def ask(self, git: Git, *arguments: str, stdin: bytes = b"") -> bytes:
        """A command that talks to the host, counted. Raises GitFailed."""
        self.usage.requests += 1
        return git.ask(*arguments, stdin=stdin)


@contextlib.contextmanager
def _key_file(credential: Secret) -> Iterator[str]:
    """The private key under a name that ssh can open, and on no disk."""
    handle = os.memfd_create("key", os.MFD_CLOEXEC)
    try:
        os.fchmod(handle, 0o600)
        os.write(handle, credential.reveal().encode() + b"\n")
        yield f"/proc/{os.getpid()}/fd/{handle}"
    finally:
        os.close(handle)
