"""`python -m tests.bench.forgeries`: 10,000 requests of the run page, and 10,000 calls of the API,
that say somebody else sent them.

As tests/pipelines/test_forged_actors.py, with more of them. Ends with 1 if one changed the recorded
person, or was not recorded although its sender may do it.
"""

import argparse
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

FOLDER = tempfile.TemporaryDirectory(prefix="stagedoor-bench-")
os.environ.update(
    PYTHON_DOTENV_DISABLED="1",
    LOG_LEVEL="CRITICAL",
    STAGEDOOR_ENV="test",
    STAGEDOOR_DATA_DIR=FOLDER.name,
    DJANGO_SETTINGS_MODULE="portal.settings",
    DATABASE_URL=f"sqlite:///{FOLDER.name}/bench.sqlite3",
)

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402  Django has to be set up first
from django.test.utils import setup_test_environment  # noqa: E402

from pipelines.models import Trigger  # noqa: E402
from tests.pipelines import forged_calls, forgeries  # noqa: E402

SHOWN = 3  # faults told in full


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.forgeries", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    setup_test_environment()
    logging.disable(logging.CRITICAL)  # each refusal is a line, and thousands are meant to be
    scene, chance = forgeries.make_scene(), random.Random(options.seed)
    callers = forged_calls.make_callers(scene.link, scene.ana, scene.boss)
    print("| forged requests | sent | taken, as those of who sent them | as somebody else's |")
    print("|---|---|---|---|")
    of_page = played(
        "of the run page",
        options.count,
        lambda: forgeries.forge(chance, scene.boss),
        lambda forgery: forgeries.found(scene, forgery),
    )
    of_api = played(
        "of the API",
        options.count,
        lambda: forged_calls.forge(chance, callers),
        lambda call: forged_calls.found(callers, call),
    )
    for fault in [*of_page[:SHOWN], *of_api[:SHOWN]]:
        print(*fault)
    return 1 if of_page or of_api else 0


def played(
    what: str, count: int, forge: Callable[[], Any], found: Callable[[Any], str]
) -> list[tuple[str, Any]]:
    """The faults, each with the request that has it."""
    faults, before, began = [], Trigger.objects.count(), time.perf_counter()
    for _ in range(count):
        forgery = forge()
        fault = found(forgery)
        if fault:
            faults.append((fault, forgery))
    seconds, taken = time.perf_counter() - began, Trigger.objects.count() - before
    print(f"| {what} | {count:,} in {seconds:,.0f} s | {taken:,} | {len(faults) or 'none'} |")
    return faults


if __name__ == "__main__":
    sys.exit(main())
