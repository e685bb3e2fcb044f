"""`make test`: the whole suite, once for each kind of place that Stagedoor runs in.

- sqlite: everything, in the way `make run` runs: SQLite and a broker of files
- postgres: the same on PostgreSQL, less the tests that start a whole portal (the broker pass does
  that on PostgreSQL) and those of Node, which never come near a database
- broker: the stack on PostgreSQL with a real Redis-protocol broker
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.plugins.postgres import postgres
from tests.plugins.valkey import valkey

ROOT = Path(__file__).parent.parent
SELECTIONS = {
    "sqlite": "not broker",
    "postgres": "not broker and not e2e and not stack and not node",
    "broker": "broker",
}
CLOSING = re.compile(r"\d+ \w+.* in [\d.]+s")
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


@contextmanager
def surroundings(name: str) -> Iterator[dict[str, str]]:
    """The environment variables of a pass, with the servers that they name."""
    if name == "sqlite":
        yield {}
        return
    with postgres() as database_url:
        if name == "postgres":
            yield {"DATABASE_URL": database_url}
            return
        with valkey() as broker_url:
            yield {"DATABASE_URL": database_url, "CELERY_BROKER_URL": broker_url}


def run_pass(name: str, arguments: list[str]) -> tuple[int, dict[str, int]]:
    """Runs pytest, relaying what it prints: its exit status, and its closing line as numbers."""
    print(f"\n===== {name} =====", flush=True)
    command = [sys.executable, "-m", "pytest", "-m", SELECTIONS[name], *arguments]
    environment = {k: v for k, v in os.environ.items() if k not in _FOREIGN}
    with surroundings(name) as variables:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment | variables, stdout=subprocess.PIPE, text=True
        )
        last = ""
        for line in process.stdout or ():
            print(line, end="", flush=True)
            last = line if CLOSING.search(line) else last
        status = process.wait()
    counts: dict[str, int] = {}
    for number, word in COUNT.findall(last):
        counts[word.rstrip("s")] = int(number)
    return status, counts


# Where a developer's own portal keeps its data is no place for tests.
_FOREIGN = {"DATABASE_URL", "DATABASE_URL_FILE", "CELERY_BROKER_URL", "CELERY_BROKER_URL_FILE"}


def main() -> int:
    """Runs the passes; 0 when none failed."""
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument(
        "--pass", dest="passes", action="append", choices=SELECTIONS, help="only this one"
    )
    options, arguments = parser.parse_known_args()
    failed, total = [], {"passed": 0, "failed": 0, "error": 0, "skipped": 0}
    for name in options.passes or SELECTIONS:
        began = time.monotonic()
        status, counts = run_pass(name, arguments)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
        if status:
            failed.append(name)
        for word, number in counts.items():
            total[word] = total.get(word, 0) + number
    if failed:
        print(f"Failed: {', '.join(failed)}. Run one alone: python -m tests --pass {failed[0]}")
    bad = total["failed"] + total["error"]
    print(f"{total['passed']} passed, {bad} failed, {total['skipped']} skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
