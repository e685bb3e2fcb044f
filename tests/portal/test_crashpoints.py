"""A crash point kills where the plan says so, once, and only under test."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

CODE = "import django; django.setup(); from portal.crashpoints import reached; reached('here', 7)"


def run(folder: Path, environment: str, plan: str) -> int:
    """The exit status of a process that comes to the crash point "here:7"."""
    variables = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "STAGEDOOR_ENV": environment,
        "STAGEDOOR_DATA_DIR": str(folder),
        "STAGEDOOR_CRASH_AT": plan,
    }
    command = [sys.executable, "-c", CODE]
    return subprocess.run(command, cwd=settings.BASE_DIR, env=variables, check=False).returncode


def test_it_kills_once(tmp_path):
    assert run(tmp_path, "test", "there:7,here:7") == -signal.SIGKILL
    assert run(tmp_path, "test", "there:7,here:7") == 0


@pytest.mark.parametrize(
    ("environment", "plan"), [("test", ""), ("test", "here:8"), ("demo", "here:7")]
)
def test_it_is_inert_otherwise(tmp_path, environment, plan):
    assert run(tmp_path, environment, plan) == 0
