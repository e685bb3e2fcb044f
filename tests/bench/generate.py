"""Writes a catalog of any size; the same number always gives the same files.

`python -m tests.bench.generate 10000 FOLDER` writes N components, and for them a system per 20, a
domain per 200, a group per 25 with two users each and an API per 4, in files of 100 documents
below one Location, FOLDER/all.yaml.
"""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

DOCUMENTS_PER_FILE = 100
SUBJECTS = (
    "seat",
    "hall",
    "ticket",
    "refund",
    "voucher",
    "queue",
    "show",
    "artist",
    "door",
    "till",
)
WORK = ("api", "worker", "gateway", "indexer", "console", "sync", "cache", "exporter")
LANGUAGES = ("go", "java", "kotlin", "python", "rust", "typescript")
LIFECYCLES = ("production",) * 7 + ("experimental",) * 2 + ("deprecated",)
TYPES = ("service",) * 11 + ("website",) * 4 + ("library",) * 5


def component_name(number: int) -> str:
    """The name of component `number`, counted from 0."""
    subject = SUBJECTS[number % len(SUBJECTS)]
    work = WORK[number // len(SUBJECTS) % len(WORK)]
    return f"{subject}-{work}-{number:05d}"


def documents(components: int) -> Iterator[str]:
    """Every descriptor of a catalog of this size, as YAML."""
    for number in range(0, components, 200):
        yield _document("Domain", f"domain-{number // 200:03d}", "owner: team-0000")
    for number in range(0, components, 25):
        yield from _team(number // 25)
    for number in range(0, components, 20):
        owner = f"team-{number // 25:04d}"
        spec = f"owner: {owner}\n  domain: domain-{number // 200:03d}"
        yield _document("System", f"system-{number // 20:04d}", spec)
    for number in range(components):
        if number % 4 == 0:
            yield _api(number)
        yield _component(number)


def write(components: int, folder: Path) -> Path:
    """Writes the catalog below `folder` and returns the Location's file."""
    folder.mkdir(parents=True, exist_ok=True)
    remaining, names = documents(components), []
    while batch := list(islice(remaining, DOCUMENTS_PER_FILE)):
        names.append(f"catalog-{len(names):04d}.yaml")
        (folder / names[-1]).write_text("---\n".join(batch), encoding="utf-8")
    targets = "".join(f"\n    - ./{name}" for name in names)
    root = folder / "all.yaml"
    root.write_text(_document("Location", "all", f"targets:{targets}"), encoding="utf-8")
    return root


def _document(kind: str, name: str, spec: str, metadata: str = "") -> str:
    return (
        f"apiVersion: backstage.io/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\n"
        f"  description: {kind} {name} of a made catalog.\n{metadata}spec:\n  {spec}\n"
    )


def _team(number: int) -> Iterator[str]:
    name = f"team-{number:04d}"
    yield _document("Group", name, "type: team\n  children: []")
    for letter in "ab":
        yield _document("User", f"person-{number:04d}-{letter}", f"memberOf: [{name}]")


def _api(number: int) -> str:
    spec = (
        f"type: openapi\n  lifecycle: production\n  owner: team-{number // 25:04d}\n"
        f"  system: system-{number // 20:04d}\n"
        f"  definition: |\n    openapi: 3.0.3\n    info: {{title: API {number}, version: 1.0.0}}\n"
        "    paths: {}"
    )
    return _document("API", f"{component_name(number)}-api", spec)


def _component(number: int) -> str:
    name, api = component_name(number), component_name(number - number % 4)
    provides = f"providesApis: [{name}-api]" if number % 4 == 0 else f"consumesApis: [{api}-api]"
    before = component_name(max(number - 1, 0))
    spec = (
        f"type: {TYPES[number % len(TYPES)]}\n  lifecycle: {LIFECYCLES[number % len(LIFECYCLES)]}\n"
        f"  owner: team-{number // 25:04d}\n  system: system-{number // 20:04d}\n  {provides}\n"
        f'  dependsOn: ["component:{before}"]'
    )
    metadata = (
        f"  tags: [{LANGUAGES[number % len(LANGUAGES)]}]\n  annotations:\n"
        f"    jenkins.io/job-full-name: jenkins:made/{name}\n"
    )
    return _document("Component", name, spec, metadata)


if __name__ == "__main__":
    print(write(int(sys.argv[1]), Path(sys.argv[2])))
