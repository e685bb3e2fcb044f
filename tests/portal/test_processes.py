"""Processes that begin and end together: no test may leave one running."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings as stagedoor
from pytest_django import Settings

from portal.processes import DEMO_CREDENTIALS, Part, busy, environment, parts
from tests.plugins.ports import free_port

# Runs the parts given as "name=command" and says at the end who ended by itself.
SCRIPT = """
import shlex, sys
import django
django.setup()
from portal.processes import Part, Supervisor
named = [argument.split("=", 1) for argument in sys.argv[1:]]
supervisor = Supervisor(Part(name, shlex.split(command)) for name, command in named)
supervisor.loop()
print("ended by itself:", supervisor.ended_by_itself or "nobody")
"""


class Supervised:
    """A supervisor in a process of its own, since signals reach main threads only."""

    def __init__(self, *named: str) -> None:
        variables = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *named],
            cwd=stagedoor.BASE_DIR,
            env=variables,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_running(self, *commands: str) -> list[psutil.Process]:
        """Its descendants, once each of these commands is among them."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            below = psutil.Process(self.process.pid).children(recursive=True)
            lines = [command_line(process) for process in below]
            if all(any(line == command for line in lines) for command in commands):
                return below
            time.sleep(0.05)
        raise AssertionError(f"{commands} do not run")

    def end(self) -> str:
        output, _ = self.process.communicate(timeout=20)
        return output


def command_line(process: psutil.Process) -> str:
    """Empty for one that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.fixture
def supervised() -> Iterator[list[Supervised]]:
    started: list[Supervised] = []
    yield started
    for supervisor in started:
        if supervisor.process.poll() is None:
            supervisor.process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all(supervised: list[Supervised], number: signal.Signals) -> None:
    supervisor = Supervised("one=sleep 601", "two=sleep 602")
    supervised.append(supervisor)
    below = supervisor.wait_until_running("sleep 601", "sleep 602")
    supervisor.process.send_signal(number)
    assert "ended by itself: nobody" in supervisor.end()
    assert psutil.wait_procs(below, timeout=5)[1] == []


def test_a_signal_before_all_have_begun_ends_all(supervised: list[Supervised]) -> None:
    supervisor = Supervised(*[f"part{number}=sleep 61{number}" for number in range(8)])
    supervised.append(supervisor)
    deadline = time.monotonic() + 20
    own = psutil.Process(supervisor.process.pid)
    while not own.children() and time.monotonic() < deadline:
        time.sleep(0.001)
    below = own.children(recursive=True)
    supervisor.process.send_signal(signal.SIGTERM)
    supervisor.end()
    assert psutil.wait_procs(below, timeout=5)[1] == []
    running = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert [line for line in running if line[:1] == ["sleep"] and line[1].startswith("61")] == []


def test_when_one_ends_the_others_end_and_it_is_named(supervised: list[Supervised]) -> None:
    supervisor = Supervised("steady=sleep 603", "brittle=sh -c 'sleep 0.2; exit 3'")
    supervised.append(supervisor)
    assert "ended by itself: brittle" in supervisor.end()


def test_one_that_ignores_the_signal_is_killed(supervised: list[Supervised]) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(604)"
    stubborn = shlex.join([sys.executable, "-c", deaf])
    supervisor = Supervised("steady=sleep 605", f"stubborn={stubborn}")
    supervised.append(supervisor)
    below = supervisor.wait_until_running("sleep 605")
    time.sleep(0.5)
    supervisor.process.send_signal(signal.SIGTERM)
    supervisor.end()
    assert psutil.wait_procs(below, timeout=5)[1] == []


def test_a_busy_port_is_found_before_anything_is_started() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        there = Part("web", [], taken.getsockname())
        free = Part("idp", [], ("127.0.0.1", free_port()))
        assert busy([there, free, Part("worker", [])]) == [there]


def test_the_demo_has_a_sandbox_and_a_provider_and_others_have_not(
    settings: Settings,
) -> None:
    settings.ENVIRONMENT = "demo"
    assert [part.name for part in parts()] == ["sandbox", "idp", "web", "worker"]
    settings.ENVIRONMENT = "production"
    assert [part.name for part in parts()] == ["web", "worker"]


def test_beat_is_a_thread_of_the_worker_unless_it_is_left_out(settings: Settings) -> None:
    settings.ENVIRONMENT = "production"
    assert "--with-beat" in parts()[-1].command
    assert "--with-beat" not in parts(without=["beat"])[-1].command
    assert [part.name for part in parts(without=["web", "beat"])] == ["worker"]


def test_the_web_server_listens_where_listen_url_says(settings: Settings) -> None:
    settings.PORTAL_URL = "https://stagedoor.example"
    settings.LISTEN_URL = "http://127.0.0.1:8123"
    web = next(part for part in parts() if part.name == "web")
    assert web.listens == ("127.0.0.1", 8123)
    assert web.command[-1] == "portal.asgi:application"


def test_demo_credentials_are_new_at_each_start_and_never_outside_the_demo(
    settings: Settings,
) -> None:
    settings.ENVIRONMENT = "demo"
    first, second = environment(), environment()
    for name in DEMO_CREDENTIALS:
        assert len(first[name]) >= 40
        assert first[name] != second[name]
    settings.ENVIRONMENT = "production"
    assert not set(DEMO_CREDENTIALS) & set(environment())


def test_commands_survive_a_path_with_spaces(supervised: list[Supervised], tmp_path: Path) -> None:
    script = tmp_path / "a folder" / "say hello.py"
    script.parent.mkdir()
    script.write_text("print('hello from', __file__)")
    supervisor = Supervised(f"talker={shlex.join([sys.executable, str(script)])}")
    supervised.append(supervisor)
    assert f"hello from {script}" in supervisor.end()
