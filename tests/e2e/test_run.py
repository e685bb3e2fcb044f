"""`manage.py run` as a newcomer meets it: what it prints, how it ends, and what it refuses."""

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from portal.demo_idp.people import PEOPLE
from tests.e2e.stack import READY, ROOT, Stack

pytestmark = pytest.mark.stack


def test_it_says_where_it_is_and_who_can_sign_in_and_a_second_start_keeps_all(
    tmp_path: Path,
) -> None:
    stack = Stack(tmp_path)
    with stack:
        said = stack.output()
        assert f"{READY}:  {stack.url}/" in said
        for person in PEOPLE:
            line = rf"{person.username} +{person.password} +{re.escape(person.may)}"
            assert re.search(line, said), person.username
        with urllib.request.urlopen(stack.url + "/signin/", timeout=10) as page:
            assert b"Continue with" in page.read()
    first = stack.output()
    assert "Loading the demo organisation" in first
    assert "Traceback" not in first

    again = Stack(tmp_path)
    with again:
        pass
    # Neither migrated, nor collected, nor loaded a second time.
    assert re.split("[0-9]", again.output())[0].startswith("Starting sandbox")


def test_ctrl_c_ends_all_with_a_word(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        assert stack.stop(signal.SIGINT) == []
        assert stack.process.returncode == 0
        stack.wait_until_read()
        assert stack.output().rstrip().endswith("Stopped.")


def test_when_one_process_dies_the_others_end_and_it_is_named(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        everything = psutil.Process(stack.process.pid).children(recursive=True)
        stack.part("celery .*worker").kill()
        stack.process.wait(30)
        assert psutil.wait_procs(everything, timeout=5)[1] == []
        stack.wait_until_read()
        assert "worker ended by itself, so everything was stopped" in stack.output()
        assert stack.process.returncode == 1


def test_a_taken_port_is_said_before_anything_is_made(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    port = urlsplit(stack.provider_url).port or 0
    with socket.create_server(("127.0.0.1", port)):
        refused = subprocess.run(
            [sys.executable, "manage.py", "run"],
            cwd=ROOT,
            env=stack.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert refused.returncode == 1
    assert f"Port {port} is in use, which idp needs." in refused.stderr
    assert f"OIDC_ISSUER=http://127.0.0.1:{port + 100}" in refused.stderr
    assert not (tmp_path / "var" / "db.sqlite3").exists()


def test_an_interrupted_setup_ends_without_a_traceback(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-u", "manage.py", "run"],
        cwd=ROOT,
        env=stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell's background job would hand on that this signal is to be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdout
    assert "Migrating" in process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert "Traceback" not in output
    assert "Stopped before the start." in output
