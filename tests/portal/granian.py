"""The portal behind its real web server, without a database of its own."""

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from tests.plugins.ports import free_port


@contextmanager
def granian(log: Path) -> Iterator[int]:
    """The port it listens on; what it writes goes to the log."""
    number = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asginl", "--port", str(number)]
    command += ["--log-level", "warning", "portal.asgi:application"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=settings.BASE_DIR, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_open(number, server)
        yield number
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait_until_open(number: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", number, timeout=20)
            connection.connect()
        except OSError:
            time.sleep(0.05)
        else:
            connection.close()
            return
    raise RuntimeError("granian did not start")
