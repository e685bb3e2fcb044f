"""Travis CI's whole numbers: of repositories, builds, jobs and people.

Made of names, so that they are the same in the next process; a build's tell where it belongs.
"""

import zlib

from ..engine import Instance
from ..objects import Build, Pipeline

_BUILDS = 100_000  # of one repository
_JOBS = 1_000  # of one build
_FIRST = 1_000_000


def person_id(login: str) -> int:
    return _FIRST + zlib.crc32(f"person {login}".encode()) % 9_000_000


def repository_id(instance: Instance, pipeline: Pipeline) -> int:
    """Kept under the first name, so that one that is renamed or defined anew keeps its own."""
    return _known(instance)[0][_first_name(pipeline)]


def _first_name(pipeline: Pipeline) -> str:
    return str(pipeline.details.get("first_name", pipeline.name))


def _known(instance: Instance) -> tuple[dict[str, int], dict[int, str]]:
    ids, names = instance.memory.setdefault("repositories", ({}, {}))
    if len(ids) < len(instance.pipelines):
        for name in map(_first_name, instance.pipelines.values()):
            if name not in ids:
                number = _FIRST + zlib.crc32(name.encode()) % 16_000_000
                while number in names:
                    number += 1
                ids[name], names[number] = number, name
    return ids, names


def repository_of(instance: Instance, number: int) -> Pipeline | None:
    name = _known(instance)[1].get(number)
    pipeline = instance.pipelines.get(name) if name else None
    if pipeline is not None and _first_name(pipeline) == name:
        return pipeline
    renamed = (p for p in instance.pipelines.values() if _first_name(p) == name)
    return next(renamed, None)


def build_id(instance: Instance, build: Build) -> int:
    return repository_id(instance, build.pipeline) * _BUILDS + build.number


def build_of(instance: Instance, number: int) -> Build | None:
    pipeline = repository_of(instance, number // _BUILDS)
    return pipeline.builds.get(number % _BUILDS) if pipeline else None


def job_id(instance: Instance, build: Build, index: int) -> int:
    return build_id(instance, build) * _JOBS + index


def job_of(instance: Instance, number: int) -> tuple[Build, int] | None:
    build = build_of(instance, number // _JOBS)
    return (build, number % _JOBS) if build else None


def whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
