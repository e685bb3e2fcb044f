"""`python -m tests.bench.hooks`: how long a webhook takes to the database and to an open page.

A whole portal runs (web server, worker, beat); a sandbox Buildkite in this process signs and sends.
Each sample is a pipeline of its own, so that none waits for the budget of another.
"""

import argparse
import hashlib
import hmac
import json
import os
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import django
import requests

from tests.e2e.stack import Stack

FOLDER = tempfile.TemporaryDirectory(prefix="stagedoor-bench-")
SECRET, TOKEN = "s3cret-of-the-bench", "bkua_" + "0" * 32
STACK = Stack(
    Path(FOLDER.name),
    "--without",
    "sandbox",
    "--without",
    "idp",
    PYTHON_DOTENV_DISABLED="1",
    LOG_LEVEL="ERROR",
    TICK_SECONDS="5",
    STAGEDOOR_CREDENTIAL_BENCH=TOKEN,
    STAGEDOOR_CREDENTIAL_HOOK=SECRET,
)
os.environ.update(STACK.environment, DJANGO_SETTINGS_MODULE="portal.settings")
django.setup()

from django.conf import settings  # noqa: E402  Django has to be set up first
from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402

from pipelines.models import Build, PipelineLink, Server  # noqa: E402
from pipelines.sandbox.engine import World  # noqa: E402
from pipelines.sandbox.objects import Ask  # noqa: E402
from pipelines.sandbox.server import Sandbox  # noqa: E402
from tests.bench.ingest import BACKEND  # noqa: E402
from tests.pipelines.sandbox_fixture import SandboxHandle  # noqa: E402
from tests.pipelines.world import (  # noqa: E402
    BUILDKITE_KEY,
    confirmed_link,
    make_pipeline,
    make_server,
    make_service,
)

# How often an open page looks while something moves (pipelines/panels.py).
PAGE_SECONDS = 3.0
PATIENCE = 60.0


@dataclass
class Sample:
    """One pipeline and its build; times in seconds since the vendor's build changed."""

    name: str
    link: PipelineLink
    takes: float = 0.0  # seconds until the change, after it was asked for
    changed: float = 0.0
    look: float = 0.0
    in_database: float | None = None
    on_page: float | None = None

    def happened(self) -> None:
        """The vendor's build changes now; somebody's open page looks at some moment after."""
        self.changed = time.perf_counter() + self.takes
        self.in_database = self.on_page = None
        self.look = self.changed + random.uniform(0, PAGE_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hooks", description=__doc__)
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two builds")
    options = parser.parse_args()
    running = Sandbox(World(1.0), control_token="bench")
    running.start()
    sandbox = SandboxHandle(running)
    with STACK:
        make_server_ready(sandbox)
        long = make_samples(sandbox, "long", options.samples, seconds=3600)
        short = make_samples(sandbox, "short", options.samples, seconds=1)
        time.sleep(5)  # until the worker has listed and read them
        print("\n| webhooks | |\n|---|---|")
        bench_answers(200)
        measure("a build begins", long, sandbox, "running", options.pause)
        time.sleep(15)  # until the budget of each pipeline allows another reading
        measure("a build ends", long, sandbox, "passed", options.pause)
        for sample in short:
            sample.takes = 1.0
        measure("a build of one second ends", short, sandbox, "passed", options.pause)
    running.stop()


def make_server_ready(sandbox: SandboxHandle) -> None:
    """A server that tells of its builds."""
    sandbox.buildkite.add_token(TOKEN, login="bench")
    Server.objects.all().delete()  # the demo's, whose sandbox is not there
    make_server(
        "bench",
        base_url=sandbox.buildkite.base_url,
        credential_ref="env:STAGEDOOR_CREDENTIAL_BENCH",
        webhook_secret_ref="env:STAGEDOOR_CREDENTIAL_HOOK",
        options={"organizations": ["acme"]},
    )
    sandbox.buildkite.hook(f"{STACK.url}/hooks/bench/", SECRET)


def make_samples(sandbox: SandboxHandle, kind: str, count: int, *, seconds: float) -> list[Sample]:
    """Linked pipelines whose builds begin at once and take so long."""
    samples = []
    for number in range(count):
        name = f"acme/{kind}{number}"
        steps = [{"name": "Test", "seconds": seconds}]
        sandbox.buildkite.pipeline(name, steps=steps, queue_seconds=0)
        service = make_service(f"{kind}{number}", {BUILDKITE_KEY: name}, source="demo")
        link = confirmed_link(service, make_pipeline(Server.objects.get(), name))
        samples.append(Sample(name, link))
    return samples


def change(sandbox: SandboxHandle, sample: Sample, state: str) -> None:
    """Begins a build; where it is to end by itself, that follows from its steps."""
    handle = sandbox.buildkite
    if state == "passed" and not sample.takes:
        handle.finish(sample.name, 1, "passed")
        return
    with sandbox.world.lock:
        handle.instance.start(handle.instance.pipelines[sample.name], Ask())


def measure(
    what: str, samples: Sequence[Sample], sandbox: SandboxHandle, state: str, pause: float
) -> None:
    """Lets all builds come to a state, one after the other, and watches database and pages."""
    client = requests.Session()
    client.headers["Cookie"] = cookie()
    waiting, open_samples = list(samples), []
    due = time.perf_counter()
    while waiting or open_samples:
        now = time.perf_counter()
        if waiting and now >= due:
            sample, due = waiting.pop(0), now + pause
            sample.happened()
            change(sandbox, sample, state)
            open_samples.append(sample)
        watch(open_samples, state, client)
        open_samples = [s for s in open_samples if s.on_page is None and age(s) < PATIENCE]
        time.sleep(0.005)
    for place, times in (
        ("in the database", [s.in_database for s in samples]),
        ("on an open page", [s.on_page for s in samples]),
    ):
        row(f"{what}: {place}", times)


def watch(samples: Sequence[Sample], state: str, client: requests.Session) -> None:
    """Notes which builds have arrived."""
    missing = [sample.link.pipeline_id for sample in samples if sample.in_database is None]
    rows = Build.objects.filter(pipeline__in=missing, state=state)
    arrived = set(rows.values_list("pipeline_id", flat=True))
    for sample in samples:
        if sample.link.pipeline_id in arrived:
            sample.in_database = age(sample)
        if time.perf_counter() >= sample.look:
            sample.look += PAGE_SECONDS
            page = client.get(f"{STACK.url}/pipelines/{sample.link.pk}/", timeout=30)
            page.raise_for_status()
            if f"state--{state}" in page.text:
                sample.on_page = age(sample)
                sample.in_database = sample.in_database or sample.on_page  # looked at once before


def bench_answers(count: int) -> None:
    """How long a vendor waits for its answer; each delivery is another, signed and kept."""
    times = []
    with requests.Session() as session:
        for number in range(count):
            body = json.dumps({"event": "ping", "number": number, "room": "x" * 8_000}).encode()
            answer = session.post(
                f"{STACK.url}/hooks/bench/", data=body, headers=signed(body), timeout=30
            )
            answer.raise_for_status()
            times.append(answer.elapsed.total_seconds())
    row("a delivery of 8 kB is answered", times)


def signed(body: bytes) -> dict[str, str]:
    """As Buildkite signs."""
    now = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "X-Buildkite-Event": "ping",
        "X-Buildkite-Signature": f"timestamp={now},signature={signature}",
        "Content-Type": "application/json",
    }


def cookie() -> str:
    client = Client(SERVER_NAME=settings.ALLOWED_HOSTS[0])
    user, _ = User.objects.get_or_create(username="bench")
    client.force_login(user, backend=BACKEND)
    return f"{settings.SESSION_COOKIE_NAME}={client.session.session_key}"


def age(sample: Sample) -> float:
    return time.perf_counter() - sample.changed


def row(what: str, times: Sequence[float | None]) -> None:
    arrived = sorted(seconds for seconds in times if seconds is not None)
    lost = len(times) - len(arrived)
    said = f"p50 {at(arrived, 0.5)}, p95 {at(arrived, 0.95)}, {len(times)} samples"
    print(f"| {what} | {said}{f', {lost} never' if lost else ''} |", flush=True)


def at(ordered: Sequence[float], share: float) -> str:
    seconds = ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


if __name__ == "__main__":
    main()
