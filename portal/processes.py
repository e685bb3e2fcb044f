"""Which processes make a running Stagedoor, and how they begin and end together."""

import os
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import honcho.manager
from django.conf import settings

# The sandbox accepts these and the portal presents them; made anew at each start of the demo.
# Jenkins takes a user's name and token, Bitbucket an address and one; the others a token alone.
DEMO_CREDENTIALS = {
    "STAGEDOOR_CREDENTIAL_DEMO_JENKINS": "stagedoor:{}",
    "STAGEDOOR_CREDENTIAL_DEMO_JENKINS_OPS": "stagedoor:{}",
    "STAGEDOOR_CREDENTIAL_DEMO_BUILDKITE": "{}",
    "STAGEDOOR_CREDENTIAL_DEMO_DRONE": "{}",
    "STAGEDOOR_CREDENTIAL_DEMO_TRAVIS": "{}",
    "STAGEDOOR_CREDENTIAL_DEMO_BITBUCKET": "stagedoor@ci.example:{}",
}
# What the sandbox signs its webhooks with.
DEMO_WEBHOOK_SECRET = "STAGEDOOR_CREDENTIAL_DEMO_WEBHOOKS"  # noqa: S105  a variable's name


# How warnings begin that tell a newcomer nothing: in a container one is root, and WhiteNoise's
# files are read in one go under any server.
UNHELPFUL_WARNINGS = (
    "You're running the worker with superuser privileges",
    "StreamingHttpResponse must consume synchronous iterators",
)


@dataclass(frozen=True)
class Part:
    """One process; `listens` is its host and port, None when it has none."""

    name: str
    command: list[str]
    listens: tuple[str, int] | None = None


def parts(without: Collection[str] = ()) -> list[Part]:
    """Web server, worker and beat; in the demo also the sandbox CI and the identity provider.

    Beat is a thread of the worker: together they take half the memory.
    """
    return [part for part in _parts(beat="beat" not in without) if part.name not in without]


def _parts(beat: bool) -> list[Part]:
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "portal"]
    quiet = ["--loglevel", os.environ.get("LOG_LEVEL", "WARNING")]
    worker = [*celery, "worker", "--pool", "threads", "--concurrency", "4"]
    worker += ["--with-beat"] if beat else []
    found = [
        Part("web", _web_command(), address(settings.LISTEN_URL)),
        # Gossip and mingling are for fleets of workers; over a broker of files they only cost.
        Part("worker", [*worker, "--without-gossip", "--without-mingle", *quiet]),
    ]
    if settings.ENVIRONMENT != "demo":
        return found
    host, port = address(settings.SANDBOX_URL)
    sandbox = [sys.executable, "manage.py", "sandbox", "--host", host, "--port", str(port)]
    # Its builds outlive it, as those of a real CI would.
    sandbox += [
        "--state",
        str(settings.DATA_DIR / "sandbox.json"),
        "--speed",
        settings.SANDBOX_SPEED,
    ]
    provider = [sys.executable, "-m", "portal.demo_idp"]
    return [
        Part("sandbox", sandbox, address(settings.SANDBOX_URL)),
        Part("idp", provider, address(settings.OIDC_OP_ISSUER)),
        *found,
    ]


def _web_command() -> list[str]:
    host, port = address(settings.LISTEN_URL)
    serve = ["--interface", "asginl", "--host", host, "--port", str(port)]
    # A followed log is held open; at the end it must not hold up the others.
    patience = ["--workers-kill-timeout", "3", "--log-level", "warning"]
    return [sys.executable, "-m", "granian", *serve, *patience, "portal.asgi:application"]


def address(url: str) -> tuple[str, int]:
    """Host and port that a URL names."""
    split = urlsplit(url)
    return split.hostname or "127.0.0.1", split.port or (443 if split.scheme == "https" else 80)


def busy(found: Iterable[Part]) -> list[Part]:
    """Those whose port somebody else listens on already."""
    taken = []
    for part in found:
        if part.listens is None:
            continue
        with socket.socket() as probe:
            # As servers do, so that a port whose last connection is still ending counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(part.listens)
            except OSError:
                taken.append(part)
    return taken


def environment() -> dict[str, str]:
    """What every process inherits, the demo's credentials included."""
    variables = {**os.environ, "PYTHONUNBUFFERED": "1"}
    variables.setdefault("LOG_LEVEL", "WARNING")
    if settings.ENVIRONMENT == "demo":
        for name, form in {**DEMO_CREDENTIALS, DEMO_WEBHOOK_SECRET: "{}"}.items():
            variables.setdefault(name, form.format(secrets.token_hex(20)))
        ignored = ",".join(f"ignore:{words}" for words in UNHELPFUL_WARNINGS)
        variables.setdefault("PYTHONWARNINGS", ignored)
    return variables


# A worker ends within five seconds when it has nothing to do; honcho would kill it just before.
honcho.manager.KILL_WAIT = 12


class Supervisor(honcho.manager.Manager):
    """honcho's manager, quiet about itself, and safe against a signal before all have begun.

    honcho gives each process a session of its own and ends them all when one ends.
    """

    def __init__(self, found: Iterable[Part]) -> None:
        super().__init__()
        self.ended_by_itself = ""
        self._stop_asked = False
        inherited = environment()
        for part in found:
            self.add_process(
                part.name,
                # honcho runs it in a shell, which has nothing to do afterwards.
                f"exec {shlex.join(part.command)}",
                env=inherited,
                cwd=str(settings.BASE_DIR),
            )

    def loop(self) -> None:
        """Runs until all have ended; a closed terminal ends them like Ctrl-C."""
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        super().loop()

    def terminate(self) -> None:
        """Ends all; those whose start has not been reported yet are ended once it has."""
        if not self._terminating:
            # Not print(): a signal may have come in the middle of one.
            os.write(sys.stdout.fileno(), b"Stopping; this takes a few seconds.\n")
        if self._all_started():
            super().terminate()
        else:
            self._stop_asked = True

    def _system_print(self, data: str) -> None:
        # honcho reports every start and end here, after it has noted them.
        if self._stop_asked and self._all_started():
            self._stop_asked = False
            super().terminate()
        for name, process in self._processes.items():
            if process.get("returncode") is not None and not self._terminating:
                self.ended_by_itself = self.ended_by_itself or name
