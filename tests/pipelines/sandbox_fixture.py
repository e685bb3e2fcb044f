"""Fixture `sandbox`: a running stand-in CI on a free port, with a handle for tests.

Use it by `pytest_plugins = ["tests.pipelines.sandbox_fixture"]` in the root conftest. It runs in a
thread of the test's process, so a test reads and changes its world directly; other processes (a
worker under test) reach it by `sandbox.url` and, if they must steer it, by `/_control`.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.sandbox.control import build_of, fill_builds
from pipelines.sandbox.definitions import add_pipeline, add_token, load_instance
from pipelines.sandbox.engine import Instance, World
from pipelines.sandbox.faults import Fault
from pipelines.sandbox.hooks import Delivery
from pipelines.sandbox.journal import Accepted, Entry
from pipelines.sandbox.objects import Build, Hook, Pipeline
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.vendors import VENDORS

JENKINS_TOKEN = "11" + "a1b2c3d4" * 4
BUILDKITE_TOKEN = "bkua_" + "0123456789abcdef" * 2
TOKENS = {"jenkins": JENKINS_TOKEN, "buildkite": BUILDKITE_TOKEN}  # any will do for the others
CONTROL_TOKEN = "steer-the-sandbox"
SPEED = 40.0  # a step of 4 seconds takes 0.1


class InstanceHandle:
    """One instance of a vendor's product, as a test steers it."""

    def __init__(self, sandbox: "SandboxHandle", instance: Instance, user: str, token: str) -> None:
        self._sandbox = sandbox
        self.instance = instance
        self.user = user
        self.token = token

    @property
    def base_url(self) -> str:
        """What a Server row's base URL is: with the context path, or with /v2."""
        api = VENDORS[self.instance.vendor].api
        return f"{self._sandbox.url}/{self.instance.prefix}{api}"

    @property
    def credential(self) -> str:
        """The secret in the form of the vendor: `user:token`, or the token alone."""
        return VENDORS[self.instance.vendor].credential(self.user, self.token)

    def pipeline(self, name: str, **fields: Any) -> Pipeline:
        """Adds or replaces a pipeline; see definitions.add_pipeline for the fields."""
        with self._sandbox.world.lock:
            return add_pipeline(self.instance, {"name": name, **fields})

    def add_token(self, value: str, **fields: Any) -> str:
        """Another token: login, rights, expires_in_days, only."""
        with self._sandbox.world.lock:
            add_token(self.instance, {"value": value, **fields})
        return value

    def fault(self, kind: str, route: str = "any", **fields: Any) -> Fault:
        """Sets a fault: times, probability, seed, seconds, status (see faults.KINDS)."""
        with self._sandbox.world.lock:
            return self.instance.faults.add(Fault(kind, route, **fields))

    def clear_faults(self) -> None:
        with self._sandbox.world.lock:
            self.instance.faults.clear()

    def hook(self, url: str, secret: str = "", pipeline: str = "", **details: Any) -> Hook:
        """Sends webhooks to a receiver from now on, of one pipeline where it is named."""
        with self._sandbox.world.lock:
            return self.instance.add_hook(url, secret, pipeline, details)

    def deliveries(self) -> list[Delivery]:
        """The webhooks that were made, oldest first; `status` is the receiver's answer."""
        return self._sandbox.sandbox.courier.deliveries(self.instance.prefix)

    def builds(self, pipeline: str) -> list[Build]:
        """Newest first, with what was due in the queue."""
        with self._sandbox.world.lock:
            self.instance.settle()
            return self.instance.pipelines[pipeline].newest_first()

    def build(self, pipeline: str, number: int) -> Build:
        with self._sandbox.world.lock:
            self.instance.settle()
            return build_of(self.instance, pipeline, number)

    def state(self, pipeline: str, number: int) -> str:
        """queued, running, failing, waiting, cancelling, passed, failed, unstable, cancelled."""
        return self.build(pipeline, number).at(self.instance.now()).state

    def finish(self, pipeline: str, number: int, outcome: str = "passed") -> None:
        """Ends a build now."""
        build = self.build(pipeline, number)
        with self._sandbox.world.lock:
            self.instance.finish(build, outcome)


class SandboxHandle:
    """The running sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.world: World = sandbox.world
        self.instances = {slug: self.add(slug, slug) for slug in VENDORS}
        self.jenkins = self.instances["jenkins"]
        self.buildkite = self.instances["buildkite"]
        self.drone = self.instances["drone"]

    @property
    def url(self) -> str:
        return self.sandbox.url

    def add(self, vendor: str, prefix: str, **options: Any) -> InstanceHandle:
        """Another instance of a vendor, with one token that may do everything."""
        value = TOKENS.get(vendor, f"{vendor}-0123456789abcdef")
        entry = {
            "vendor": vendor,
            "prefix": prefix,
            "options": options,
            "tokens": [{"value": value, "login": "stagedoor", "name": "Stagedoor"}],
        }
        with self.world.lock:
            instance = load_instance(self.world, entry)
        return InstanceHandle(self, instance, "stagedoor", value)

    @property
    def speed(self) -> float:
        return self.world.clock.speed

    @speed.setter
    def speed(self, value: float) -> None:
        """Divides the durations of builds that start from now on."""
        self.world.clock.speed = value

    def advance(self, seconds: float) -> None:
        """Jumps ahead: what takes seconds (not divided by speed) is over at once."""
        self.world.clock.advance(seconds)

    def requests(self, instance: str = "", route: str = "") -> list[Entry]:
        """What was asked, oldest first."""
        with self.world.lock:
            return [
                entry
                for entry in self.world.journal.entries
                if instance in ("", entry.instance) and route in ("", entry.route)
            ]

    def accepted(self, instance: str = "", action: str = "") -> list[Accepted]:
        """The starts, retries and rebuilds that were carried out, with their build numbers."""
        with self.world.lock:
            fill_builds(self.sandbox)
            return [
                entry
                for entry in self.world.journal.accepted
                if instance in ("", entry.instance) and action in ("", entry.action)
            ]

    def stop(self) -> None:
        """Connections are refused until start()."""
        self.sandbox.stop()

    def start(self) -> None:
        self.sandbox.start()


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    """A fresh sandbox with an empty instance of every vendor, at /jenkins, /buildkite, …"""
    running = Sandbox(World(SPEED), control_token=CONTROL_TOKEN)
    running.start()
    yield SandboxHandle(running)
    running.stop()
    assert not running.courier.crashes
