"""`python -m tests.bench.triggers`: many triggers at every provider while answers get lost.

As tests/pipelines/test_outbox_kill.py, with 10,000 and with a clock: how fast requests are taken,
how fast they are carried out, and how long a request whose answer was lost stays uncertain.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

FOLDER = tempfile.TemporaryDirectory(prefix="stagedoor-bench-")
os.environ.update(
    PYTHON_DOTENV_DISABLED="1",
    LOG_LEVEL="CRITICAL",
    STAGEDOOR_ENV="test",
    STAGEDOOR_DATA_DIR=FOLDER.name,
    DJANGO_SETTINGS_MODULE="portal.settings",
    OUTGOING_ALLOW="127.0.0.1",
)
if not os.environ.get("DATABASE_URL"):
    os.environ["DATABASE_URL"] = f"sqlite:///{FOLDER.name}/bench.sqlite3"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402  Django has to be set up first
from django.db.models import F  # noqa: E402
from django.utils import timezone  # noqa: E402

from pipelines.models import Pipeline, Server, Trigger  # noqa: E402
from pipelines.outbox import MAX_LOOKUPS  # noqa: E402
from pipelines.providers import PROVIDERS  # noqa: E402
from pipelines.providers.base import Capability  # noqa: E402
from pipelines.sandbox.engine import World  # noqa: E402
from pipelines.sandbox.server import Sandbox  # noqa: E402
from tests.pipelines.outbox_storm import (  # noqa: E402
    BLIND,
    Storm,
    ask_for_builds,
    find_fault,
    make_links,
    open_triggers,
    set_faults,
)
from tests.pipelines.sandbox_fixture import InstanceHandle, SandboxHandle  # noqa: E402
from tests.pipelines.worker import Worker  # noqa: E402
from tests.pipelines.world import make_server  # noqa: E402

LOST = 10  # requests a provider whose answer is lost, to measure how long they stay uncertain
# The whole worker is killed whenever such a part of them is settled.
KILL_EVERY = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.triggers", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    sandbox = Sandbox(World(speed=40.0), control_token="bench")
    sandbox.start()
    handle = SandboxHandle(sandbox)
    storm = Storm(handle, make_links(handle, server_at))
    print("| triggers | |\n|---|---|")
    measure_lost(storm)
    measure_storm(storm, options.count, options.seed)
    sandbox.stop()
    faults = [fault for slug in (*sorted(PROVIDERS), BLIND) if (fault := find_fault(storm, slug))]
    row("lost, started twice, or told wrongly", "; ".join(faults) or "none")
    sys.exit(1 if faults else 0)


def row(what: str, value: str) -> None:
    print(f"| {what} | {value} |", flush=True)


def server_at(handle: InstanceHandle, **fields: object) -> Server:
    """As the tests' fixture of that name; the worker inherits the credential."""
    slug = handle.instance.prefix
    variable = f"STAGEDOOR_CREDENTIAL_{slug.upper()}"
    os.environ[variable] = handle.credential
    values = {"base_url": handle.base_url, "credential_ref": f"env:{variable}", **fields}
    return make_server(slug, handle.instance.vendor, **values)


def measure_lost(storm: Storm) -> None:
    """With the pauses that an installation has, where the vendor can look a request up."""
    able = [
        link
        for link in storm.links
        if link.pipeline.server.slug != BLIND
        and Capability.FIND_BY_REQUEST_ID in PROVIDERS[link.pipeline.server.provider].capabilities
    ]
    for link in able:
        storm.sandbox.instances[link.pipeline.server.slug].fault("lose_answer", "write")
    ask_for_builds(Storm(storm.sandbox, able), LOST * len(able), random.Random(0))
    # Just read, so that no reading that was due anyway finds them.
    Pipeline.objects.update(builds_tried_at=timezone.now(), builds_read_at=timezone.now())
    run(TICK_SECONDS="5")
    for link in able:
        storm.sandbox.instances[link.pipeline.server.slug].clear_faults()
    rows = Trigger.objects.filter(state="linked", finished_at__isnull=False)
    times = rows.annotate(took=F("finished_at") - F("sent_at")).values_list("took", flat=True)
    seconds = sorted(took.total_seconds() for took in times)
    row(
        f"{len(seconds)} of {LOST * len(able)} lost answers found",
        f"p50 {at(seconds, 0.5):.1f} s, p95 {at(seconds, 0.95):.1f} s after they were sent",
    )


def at(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def measure_storm(storm: Storm, count: int, seed: int) -> None:
    began = time.perf_counter()
    ask_for_builds(storm, count, random.Random(seed))
    seconds = time.perf_counter() - began
    row(f"{count:,} accepted, each submitted twice", f"{count / seconds:,.0f} a second")
    set_faults(storm, seed)
    began = time.perf_counter()
    kills = run(KILL_EVERY, DISPATCH_LEASE_SECONDS="3", RECONCILE_SECONDS="0", TICK_SECONDS="1")
    seconds = time.perf_counter() - began
    row(f"settled, the worker killed {kills} times", f"{count / seconds:,.1f} a second")
    states = {
        state: Trigger.objects.filter(state=state).count()
        for state in ("linked", "failed", "uncertain")
    }
    listed = Trigger.objects.filter(state="uncertain", lookups__gte=MAX_LOOKUPS).count()
    row(
        "outcome",
        ", ".join(f"{number:,} {state}" for state, number in states.items())
        + f" ({listed:,} of them in people's list)",
    )


def run(kill_every: float = 0.0, **environment: str) -> int:
    """Runs a worker until nothing is open; how often it was killed."""
    worker, kills, total = Worker(Path(FOLDER.name), **environment), 0, open_triggers()
    worker.start()
    try:
        while left := open_triggers():
            if kill_every and 1 - left / total >= (kills + 1) * kill_every:
                kills += 1
                worker.kill()
            if not worker.running:
                worker.start()
            time.sleep(0.3)
    finally:
        worker.kill()
    return kills


if __name__ == "__main__":
    main()
