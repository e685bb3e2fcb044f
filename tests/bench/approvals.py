"""`python -m tests.bench.approvals`: 1,000 schedules of approve, change, withdraw, revoke, send.

As tests/pipelines/test_approval_races.py, on a PostgreSQL of its own. Ends with 1 if anything was
sent that enough people had not approved just so. `--without-decision` takes dispatch's second
decision out, to show that the schedules find what it is for.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack

from tests.plugins.postgres import postgres

STACK = ExitStack()
FOLDER = STACK.enter_context(tempfile.TemporaryDirectory(prefix="stagedoor-bench-"))
os.environ.update(
    PYTHON_DOTENV_DISABLED="1",
    LOG_LEVEL="CRITICAL",
    STAGEDOOR_ENV="test",
    STAGEDOOR_DATA_DIR=FOLDER,
    DJANGO_SETTINGS_MODULE="portal.settings",
    OUTGOING_ALLOW="127.0.0.1",
    DATABASE_URL=STACK.enter_context(postgres()),
)

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402  Django has to be set up first
from django.db import connection  # noqa: E402

from pipelines import approvals, dispatch  # noqa: E402
from pipelines.models import Server  # noqa: E402
from pipelines.sandbox.engine import World  # noqa: E402
from pipelines.sandbox.server import Sandbox  # noqa: E402
from tests.pipelines.four_eyes import make_guarded, make_link  # noqa: E402
from tests.pipelines.interleavings import PARAMETERS, Stage  # noqa: E402
from tests.pipelines.outbox_storm import without_budget  # noqa: E402
from tests.pipelines.sandbox_fixture import InstanceHandle, SandboxHandle  # noqa: E402
from tests.pipelines.world import make_server  # noqa: E402

SHOWN = 3  # faults told in full


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.approvals", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-decision", action="store_true")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    sandbox = Sandbox(World(speed=40.0), control_token="bench")
    sandbox.start()
    make_guarded()
    handle = SandboxHandle(sandbox)
    link = make_link(handle, server_at, parameters=PARAMETERS)
    without_budget(link.pipeline.server)
    stage = Stage(handle, link)
    for module in (approvals, dispatch):
        module.reached = stage.reached
    if options.without_decision:
        dispatch._still_allowed = lambda trigger: True
    began = time.perf_counter()
    faults = list(found(stage, range(options.seed, options.seed + options.count)))
    seconds = time.perf_counter() - began
    sandbox.stop()
    connection.close()
    connection.close_pool()  # the server ends when nobody is connected
    outcomes = ", ".join(f"{number} {state}" for state, number in stage.outcomes.most_common())
    print(f"| schedules | |\n|---|---|\n| {options.count:,} in {seconds:,.0f} s | {outcomes} |")
    print(f"| sent without enough approvals of just that | {len(faults) or 'none'} |")
    for fault in faults[:SHOWN]:
        print(fault)
    return 1 if faults else 0


def found(stage: Stage, seeds: range) -> Iterator[str]:
    for seed in seeds:
        fault = stage.play(seed)
        if fault:
            yield fault


def server_at(handle: InstanceHandle, **fields: object) -> Server:
    """As the tests' fixture of that name."""
    slug = handle.instance.prefix
    variable = f"STAGEDOOR_CREDENTIAL_{slug.upper()}"
    os.environ[variable] = handle.credential
    values = {"base_url": handle.base_url, "credential_ref": f"env:{variable}", **fields}
    return make_server(slug, handle.instance.vendor, **values)


if __name__ == "__main__":
    with STACK:
        status = main()
    sys.exit(status)
