"""`python -m tests.bench.dry_run`: how long the dry run takes for 5,000 people and 2,000 services.

`--property N` tries N random companies instead, as tests/pipelines/test_policy_targets.py does with
a few, and ends with 1 at the first prediction that is not exact. Both in a database of its own.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module

import django
from django.core.management import call_command


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.dry_run", description=__doc__)
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--services", type=int, default=2000)
    parser.add_argument("--property", type=int, default=0, metavar="N")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STAGEDOOR_DATA_DIR"] = folder
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
        django.setup()
        call_command("migrate", verbosity=0)
        # Only now are there models.
        module = import_module("tests.bench.dry_run_world")
        if asked.property:
            return try_companies(module, asked.property)
        return measure(module, asked.people, asked.services)


def try_companies(world: object, count: int) -> int:
    for seed in range(1000, 1000 + count):
        world.try_company(seed)
    print(f"{count:,} companies, every prediction is exact")
    return 0


def measure(world: object, people: int, services: int) -> int:
    world.fill(people, services)
    print(f"{people:,} people, {services:,} services, {world.mappings():,} mappings")
    for label, change in world.changes():
        tell(label, lambda change=change: world.try_out(change))
    return 0


def tell(label: str, run: Callable[[], object]) -> None:
    """Reading both policies, then comparing them."""
    begun = time.perf_counter()
    dry = run()
    read = time.perf_counter() - begun
    _ = dry.digest
    hashed = time.perf_counter() - begun - read
    _ = dry.lines
    compared = time.perf_counter() - begun - read - hashed
    cells = sum(line.count for line in dry.lines)
    print(
        f"{label:40} read {read:5.2f} s  digest {hashed:5.2f} s  compared {compared:5.2f} s"
        f"  {len(dry.lines):>6,} lines  {cells:>12,} changes"
    )


if __name__ == "__main__":
    sys.exit(main())
