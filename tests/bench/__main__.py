"""`python -m tests.bench`: measures Stagedoor on this machine and prints a table."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.generate import write
from tests.bench.load import measure
from tests.e2e.stack import ROOT, Stack

# Memory is read once everything has been asked for at least once.
QUIET = {"PYTHON_DOTENV_DISABLED": "1", "LOG_LEVEL": "ERROR"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--seconds", type=float, default=10.0, help="per page")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument(
        "--catalog",
        type=Path,
        action="append",
        default=[],
        help="the Location file of a catalog that something else made",
    )
    parser.add_argument("--cold", action="store_true", help="also `make run` in a fresh clone")
    options = parser.parse_args()
    os.environ.update(QUIET)
    with tempfile.TemporaryDirectory(prefix="stagedoor-bench-") as name:
        folder = Path(name)
        catalogs = [write(size, folder / f"catalog-{size}") for size in options.sizes]
        for root in [*catalogs, *options.catalog]:
            bench_catalog(root.resolve(), folder / f"data-{root.parent.name}", options)
        bench_start(folder / "warm")
        if options.cold:
            bench_cold_start(folder / "clone")


def row(what: str, value: str) -> None:
    print(f"| {what} | {value} |", flush=True)


def bench_catalog(root: Path, data: Path, options: argparse.Namespace) -> None:
    """Ingest, queries a page, and the pages under load, over a real web server."""
    shutil.rmtree(data, ignore_errors=True)
    (data / "var").mkdir(parents=True)
    variables = {"CATALOG_PATHS": str(root.parent), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    stack = Stack(
        data, "--without", "sandbox", "--without", "idp", "--without", "beat", **variables
    )
    ingest = subprocess.run(
        [sys.executable, "-m", "tests.bench.ingest", str(root)],
        cwd=ROOT,
        env=stack.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seen = json.loads(ingest.stdout.splitlines()[-1])
    print(f"\n| {root.parent.name}: {seen['entities']:,} entities | |\n|---|---|")
    row("first reading", f"{seen['first']:.1f} s, {seen['entities'] / seen['first']:,.0f} a second")
    row("reading again, nothing changed", f"{seen['second']:.1f} s")
    row("memory of the reading process", f"{seen['megabytes']:.0f} MB")
    with stack:
        for page, path in seen["pages"].items():
            row(f"{page} page, queries", str(seen["queries"][page]))
            load = measure(stack.url + path, seen["cookie"], options.connections, options.seconds)
            row(
                f"{page} page, {options.connections} connections",
                f"{load.per_second:.0f} a second, p50 {load.percentile(0.5):.0f} ms, "
                f"p95 {load.percentile(0.95):.0f} ms, {load.failures} failures",
            )
        for part in ("granian", "celery .*worker"):
            row(f"memory of {part.split()[0]}", f"{resident(stack.part(part)):.0f} MB")


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
