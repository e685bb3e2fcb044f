"""`manage.py sandbox` as a process: begins, serves, ends cleanly, remembers."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

TOKEN = "handed-over"
BUILDS = "buildkite/v2/organizations/limelight/pipelines/search/builds"


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """The sandbox's address and process; ended by SIGTERM."""
    state = ["--state", str(folder / "s.json")]
    process = subprocess.Popen(
        [sys.executable, "manage.py", "sandbox", "--port", "0", *state, *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, "STAGEDOOR_CREDENTIAL_DEMO_BUILDKITE": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        lines = [process.stdout.readline()]
        while lines[-1] and "control" not in lines[-1]:
            lines.append(process.stdout.readline())
        url = re.match(r"Sandbox CI at (http://127\.0\.0\.1:\d+)/", lines[0])[1]
        assert f"{url}/buildkite/v2  " in "".join(lines)
        assert f"{url}/bitbucket/2.0  " in "".join(lines)
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    assert said.endswith("Sandbox ended.\n")
    assert process.returncode == 0


def test_serves_the_demo_and_remembers_what_it_ran(tmp_path):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with running(tmp_path) as (url, _):
        body = {"commit": "HEAD", "branch": "main", "message": "remember me"}
        made = requests.post(f"{url}/{BUILDS}", json=body, headers=bearer, timeout=10).json()
    with running(tmp_path) as (url, _):
        path = f"{url}/{BUILDS}/{made['number']}"
        again = requests.get(path, headers=bearer, timeout=10).json()
        assert (again["id"], again["message"]) == (made["id"], "remember me")
    with running(tmp_path, "--forget") as (url, _):
        path = f"{url}/{BUILDS}/{made['number']}"
        assert requests.get(path, headers=bearer, timeout=10).status_code == 404


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "loopback only"),
        (["--speed", "0"], "--speed must be more than 0"),
    ],
)
def test_refuses_with_a_sentence(tmp_path, arguments, said):
    with pytest.raises(CommandError, match=said):
        call_command("sandbox", "--state", str(tmp_path / "s.json"), *arguments)


def test_refuses_a_state_that_is_none(tmp_path):
    (tmp_path / "s.json").write_text("nonsense")
    with pytest.raises(CommandError, match="is no state of the sandbox; delete it"):
        call_command("sandbox", "--state", str(tmp_path / "s.json"), "--port", "0")


def test_refuses_a_port_that_is_taken(sandbox):
    with pytest.raises(CommandError, match=r"can't listen on 127\.0\.0\.1"):
        call_command("sandbox", "--forget", "--port", str(sandbox.sandbox.port))
