"""`python -m tests.bench.forgeries`: 10,000 requests that say somebody else sent them.

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
from tests.pipelines.forgeries import forge, found, make_scene  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.forgeries", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    setup_test_environment()
    logging.disable(logging.CRITICAL)  # each refusal is a line, and thousands are meant to be
    scene, chance, faults = make_scene(), random.Random(options.seed), []
    began = time.perf_counter()
    for _ in range(options.count):
        forgery = forge(chance, scene.boss)
        fault = found(scene, forgery)
        if fault:
            faults.append((fault, forgery))
    seconds = time.perf_counter() - began
    print("| forged requests | |\n|---|---|")
    print(f"| sent | {options.count:,} in {seconds:,.0f} s |")
    print(f"| taken, each as that of who sent it | {Trigger.objects.count():,} |")
    print(f"| recorded as somebody else's | {len(faults) or 'none'} |")
    for fault in faults[:3]:
        print(*fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
