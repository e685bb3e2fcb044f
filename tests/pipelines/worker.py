"""A real Celery worker with beat, as a process group of its own that a test may kill."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection


class Worker:
    """`celery -A portal worker -B` on the tests' database and a broker folder of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "STAGEDOOR_ENV": "test",
            "STAGEDOOR_DATA_DIR": str(folder),
            "DATABASE_URL": _database_url(),
            "CELERY_BROKER_URL": "filesystem://",
            "TICK_SECONDS": "1",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it has written so far, all its lives together."""
        path = self._folder / "worker.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *options: str) -> None:
        """With options of its own, else with as many processes as kills are to hit."""
        command = [sys.executable, "-m", "celery", "-A", "portal", "worker"]
        # Celery keeps a killed child's place for 10 seconds unless told otherwise.
        forks = ["-B", "--concurrency", "4"]
        common = ["--loglevel", "WARNING", "--", "worker.lost_wait=0.2"]
        with (self._folder / "worker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *(options or forks), *common],
                cwd=settings.BASE_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL to the worker, its beat and all its children at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=10)
            self._process = None


def _database_url() -> str:
    """The address of the database that this test run uses, which is not the configured one."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))
