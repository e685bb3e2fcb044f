"""`python -m tests.bench.start`: how long Stagedoor takes until it is ready, and its memory."""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from tests.e2e.stack import ROOT, Stack

QUIET = {"PYTHON_DOTENV_DISABLED": "1", "LOG_LEVEL": "ERROR"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description=__doc__)
    parser.add_argument("--cold", action="store_true", help="also `make run` in a fresh clone")
    options = parser.parse_args()
    os.environ.update(QUIET)
    with tempfile.TemporaryDirectory(prefix="stagedoor-bench-") as name:
        bench_start(Path(name) / "warm")
        if options.cold:
            bench_cold_start(Path(name) / "clone")


def row(what: str, value: str) -> None:
    print(f"| {what} | {value} |", flush=True)


def resident(top: psutil.Process) -> float:
    """Megabytes of a process and everything below it; what they share counts once, where the
    system tells (Linux does)."""
    total = 0
    for process in [top, *top.children(recursive=True)]:
        memory = process.memory_full_info()
        total += getattr(memory, "pss", memory.rss)
    return total / 1_048_576


def bench_start(folder: Path) -> None:
    """`manage.py run` until it is ready: with an empty data folder, and again."""
    print("\n| start | |\n|---|---|")
    folder.mkdir()
    for what in ("manage.py run, empty data folder", "manage.py run again"):
        began = time.perf_counter()
        with Stack(folder) as stack:
            row(what, f"{time.perf_counter() - began:.1f} s")
            if what.endswith("again"):
                memory = resident(psutil.Process(stack.process.pid))
                row("memory of all processes together", f"{memory:.0f} MB")


def bench_cold_start(folder: Path) -> None:
    """`make run` in a fresh clone, the installation included."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    for what in ("make run in a fresh clone", "make run again"):
        began = time.perf_counter()
        with Stack(folder / "bench", command=["make", "run"], directory=folder):
            row(what, f"{time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
