"""Starts and ends a whole Stagedoor, and shows what it is doing."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psutil

from tests.plugins.ports import free_port

ROOT = Path(__file__).parent.parent.parent
READY = "Stagedoor is ready"
START_SECONDS = 90
STOP_SECONDS = 20


class Stack:
    """`manage.py run` on free ports. Its descriptors are a copy that a test may edit."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        directory: Path = ROOT,
        command: Sequence[str] = (sys.executable, "manage.py", "run"),
        **variables: str,
    ) -> None:
        self.folder = folder
        self.descriptors = folder / "descriptors"
        self.url, self.provider_url, self.sandbox_url = (
            f"http://127.0.0.1:{free_port()}" for _ in range(3)
        )
        self.environment = {
            **os.environ,
            "STAGEDOOR_ENV": "demo",
            "STAGEDOOR_DATA_DIR": str(folder / "var"),
            "PORTAL_URL": self.url,
            "OIDC_ISSUER": self.provider_url,
            "SANDBOX_URL": self.sandbox_url,
            "CATALOG_PATHS": str(self.descriptors),
            "TICK_SECONDS": "1",
            **variables,
        }
        self._directory = directory
        self._command = [*command, *arguments]
        self._lines: list[str] = []

    def __enter__(self) -> "Stack":
        if not self.descriptors.exists():
            shutil.copytree(ROOT / "catalog" / "demo_org", self.descriptors)
        self.process = subprocess.Popen(
            self._command,
            cwd=self._directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.wait_for_output(READY, START_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = self.stop()
        assert left == [], f"left running: {left}\n{self.output()}"

    def stop(self, number: int = signal.SIGTERM) -> list[str]:
        """Ends everything by a signal; returns the command lines of what survived it."""
        if self.process.poll() is not None:
            return []
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
        _, alive = psutil.wait_procs(children, timeout=3)
        left = [" ".join(process.cmdline()) for process in alive]
        for process in alive:
            process.kill()
        return left

    def output(self) -> str:
        """What it printed so far."""
        return "".join(self._lines)

    def wait_for_output(self, words: str, seconds: float) -> None:
        """Raises AssertionError with all that was printed when the words do not come."""
        deadline = time.monotonic() + seconds
        while words not in self.output():
            in_time = self.process.poll() is None and time.monotonic() < deadline
            assert in_time, f"no {words!r} after {seconds} s:\n{self.output()}"
            time.sleep(0.05)

    def wait_until_read(self) -> None:
        """After its end: until the last line of its output has been read too."""
        self._reader.join(STOP_SECONDS)

    def start_part(self, name: str) -> subprocess.Popen[bytes]:
        """Starts a process that was left out: "beat" or "worker"."""
        command = [sys.executable, "-m", "celery", "-A", "portal", name]
        options = {"beat": ["--pidfile="], "worker": ["--pool", "threads"]}[name]
        return subprocess.Popen(
            [*command, *options, "--loglevel", "WARNING"], cwd=ROOT, env=self.environment
        )

    def part(self, words: str) -> psutil.Process:
        """The process whose command line holds these words."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            if re.search(words, " ".join(process.cmdline())):
                return process
        raise LookupError(f"no process matches {words!r}")

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.append(line)
