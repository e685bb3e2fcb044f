"""`python -m tests.bench.catalog`: reading and asking a catalog of 1,000 to 100,000 components.

A whole portal (web server, worker with beat) on SQLite and on PostgreSQL: from empty to queryable,
the same again, one file changed, and then pages and the API under load, each asked for by the same
address again and again ("same") and by many different ones ("varied"), which nothing kept helps.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.bench.generate import write
from tests.bench.load import measure
from tests.e2e.stack import ROOT, Stack
from tests.plugins.postgres import postgres

API = "/api/catalog"
LIST = f"{API}/entities/by-query?filter=kind=component&limit=20&orderField=metadata.name,asc"
SEARCHED = "&fullTextFilterFields=metadata.name,metadata.title,metadata.description"
FACETS = f"{API}/entity-facets?facet=kind&facet=spec.type&facet=spec.owner"
WORDS = (
    "gateway",
    "api",
    "worker",
    "sync",
    "cache",
    "refund",
    "ticket",
    "console",
    "queue",
    "till",
)
MB = 1_048_576
VARIED = 400  # different offsets


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.catalog", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--catalog", type=Path, action="append", default=[], help="its all.yaml")
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgres"])
    parser.add_argument("--connections", type=int, nargs="*", default=[8, 32])
    parser.add_argument("--seconds", type=int, default=8, help="each measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stagedoor-bench-") as name:
        folder = Path(name)
        roots = [write(size, folder / f"catalog-{size}") for size in options.sizes]
        for number, root in enumerate([*roots, *options.catalog]):
            for database in options.databases:
                # One file is changed, so it has to be a copy.
                here = folder / f"{database}-{number}"
                shutil.copytree(root.parent, here / "catalog")
                with server(database) as variables:
                    bench(here, here / "catalog" / root.name, variables, options)
                shutil.rmtree(here)


@contextmanager
def server(database: str) -> Iterator[dict[str, str]]:
    if database == "sqlite":
        yield {}
        return
    with postgres() as url:
        yield {"DATABASE_URL": url}


def bench(folder: Path, root: Path, variables: dict[str, str], options: argparse.Namespace) -> None:
    quiet = {"PYTHON_DOTENV_DISABLED": "1", "LOG_LEVEL": "ERROR", "STAGEDOOR_ENV": "test"}
    where = {"CATALOG_PATHS": str(root.parent), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    with Stack(folder, **quiet, **where, **variables) as stack:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.ingest", str(root)],
            cwd=ROOT,
            env=stack.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        seen = json.loads(done.stdout.splitlines()[-1])
        database = "PostgreSQL" if variables else "SQLite"
        print(f"\n| {seen['components']:,} components on {database} | |\n|---|---|")
        row("entities", f"{seen['entities']:,}")
        rate = seen["entities"] / seen["first"]
        row("from empty to queryable", f"{seen['first']:.1f} s, {rate:,.0f} entities a second")
        row("read again, nothing changed", f"{seen['second']:.2f} s")
        row("read again, one file changed", f"{seen['third']:.2f} s")
        row("database", f"{seen['database']:.0f} MB")
        row("memory of all processes", memory(stack))
        for what, headers, same, varied in questions(seen):
            for kind, paths in (("same", same), ("varied", varied)):
                loads = [
                    str(measure(stack.url, paths, headers, connections, options.seconds))
                    for connections in options.connections
                ]
                row(f"{what}, {kind}", " · ".join(loads))
        row("memory of all processes, afterwards", memory(stack))


def questions(seen: dict[str, Any]) -> list[tuple[str, dict[str, str], list[str], list[str]]]:
    """(what, headers, the one address, many addresses) of everything that is measured."""
    token = {"Authorization": f"Bearer {seen['token']}"}
    cookie = {"Cookie": f"stagedoor_session={seen['session']}", "Accept-Encoding": "gzip"}
    last = max(seen["components"] - 20, 1)
    offsets = [number * 7919 % last for number in range(VARIED)]
    half = last // 2
    names = seen["names"]
    by_name = [f"{API}/entities/by-name/component/default/{name}" for name in names]
    by_owner = [LIST.replace("&", f",spec.owner={owner}&", 1) for owner in seen["owners"]]
    return [
        ("API list", token, [LIST], [f"{LIST}&offset={n % 200}" for n in range(VARIED)]),
        (
            "API full text",
            token,
            [f"{LIST}&fullTextFilterTerm=gateway{SEARCHED}"],
            [
                f"{LIST}&offset={n}&fullTextFilterTerm={w}{SEARCHED}"
                for w in WORDS
                for n in range(9)
            ],
        ),
        ("API by owner", token, by_owner[:1], by_owner),
        ("API by name", token, by_name[:1], by_name),
        ("API facets", token, [FACETS], [f"{FACETS}&filter=metadata.tags={w}" for w in WORDS]),
        (
            "API page by offset, middle",
            token,
            [f"{LIST}&offset={half}"],
            [f"{LIST}&offset={n}" for n in offsets],
        ),
        ("list page", cookie, ["/catalog/"], [f"/catalog/?page={n % 20 + 1}" for n in range(20)]),
        (
            "service page",
            cookie,
            [f"/catalog/default/component/{names[0]}/"],
            [f"/catalog/default/component/{name}/" for name in names],
        ),
    ]


def row(what: str, value: str) -> None:
    print(f"| {what} | {value} |", flush=True)


def memory(stack: Stack) -> str:
    """Of the web server and the worker with beat, as a production's supervisor would run them.

    `manage.py run` itself and its forks, which relay what these print, are not counted.
    """
    found = psutil.Process(stack.process.pid).children(recursive=True)
    ours = [process for process in found if {"granian", "celery"} & set(process.cmdline())]
    each = [process.memory_full_info() for process in ours]
    whole = sum(one.rss for one in each) / MB
    sizes = " + ".join(f"{one.rss / MB:.0f}" for one in each)
    # Each maps the same files of Python and its libraries, which stand in memory once.
    once = (sum(one.uss for one in each) + max(one.rss - one.uss for one in each)) / MB
    return f"{whole:.0f} MB resident ({sizes}), {once:.0f} MB with shared pages counted once"


if __name__ == "__main__":
    os.environ.pop("DATABASE_URL", None)
    main()
