"""Requests, which become builds a moment later, or are rejected, or wait for ever.

One that waits is an item of the engine's queue; one that became a build is told by that build.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..engine import Instance
from ..objects import Ask, Build, Pipeline, QueueItem
from .ids import build_id

PENDING, FINISHED = "pending", "finished"
NEVER = 1e12  # seconds


@dataclass(frozen=True)
class Asked:
    """A request as it stands."""

    id: int
    pipeline: Pipeline
    created_at: float
    event: str
    branch: str
    state: str
    result: str | None = None
    build: Build | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    sha: str = ""
    message: str | None = None  # Travis' own, on a rejection
    code: str = ""


def event_of(build: Build) -> str:
    told = build.details.get("event")
    return str(told) if told else {"scm": "push"}.get(build.source, build.source)


def enter(instance: Instance, pipeline: Pipeline, ask: Ask) -> Asked:
    """Takes a request. Option `no_credits`: it then stays pending."""
    quiet = NEVER if instance.options.get("no_credits") else None
    item = instance.enqueue(pipeline, ask, quiet)
    return _waiting(instance, item)


def reject(instance: Instance, pipeline: Pipeline, ask: Ask, message: str, code: str) -> Asked:
    """Takes a request that will never be a build; forgotten when the sandbox ends."""
    number = instance.next_queue_id
    instance.next_queue_id += 1
    asked = Asked(
        id=number,
        pipeline=pipeline,
        created_at=instance.now(),
        event="api",
        branch=ask.branch,
        state=FINISHED,
        result="rejected",
        config=ask.details.get("config", {}),
        sha=ask.commit,
        message=message,
        code=code,
    )
    instance.memory.setdefault("rejected", {})[number] = asked
    return asked


def _waiting(instance: Instance, item: QueueItem) -> Asked:
    """Approved a while before its build is there."""
    middle = (item.entered_at + item.due_at) / 2
    approved = instance.now() >= middle
    return Asked(
        id=item.id,
        pipeline=item.pipeline,
        created_at=item.entered_at,
        event="api",
        branch=item.ask.branch,
        state=FINISHED if approved else PENDING,
        result="approved" if approved else None,
        config=item.ask.details.get("config", {}),
        sha=item.ask.commit,
    )


def of_build(instance: Instance, build: Build) -> Asked:
    return Asked(
        id=build.queue_id or build_id(instance, build),
        pipeline=build.pipeline,
        created_at=build.details.get("asked_at", build.created_at),
        event=event_of(build),
        branch=build.branch,
        state=FINISHED,
        result="approved",
        build=build,
        config=build.details.get("config", {}),
        sha=build.commit,
    )


def newest_first(instance: Instance, pipeline: Pipeline) -> list[Asked]:
    """Every request of a repository."""
    found = [
        _waiting(instance, item)
        for item in instance.queue.values()
        if item.waiting and item.pipeline.name == pipeline.name
    ]
    found += [asked for asked in _rejected(instance) if asked.pipeline.name == pipeline.name]
    found += [of_build(instance, build) for build in pipeline.builds.values()]
    return sorted(found, key=lambda asked: (asked.created_at, asked.id), reverse=True)


def one(instance: Instance, pipeline: Pipeline, number: int) -> Asked | None:
    """By its id, without a look at all the others."""
    item = instance.queue.get(number)
    if item is not None and item.pipeline.name == pipeline.name:
        return of_build(instance, item.build) if item.build else _waiting(instance, item)
    asked: Asked | None = instance.memory.get("rejected", {}).get(number)
    if asked is not None:
        return asked if asked.pipeline.name == pipeline.name else None
    builds = pipeline.builds.values()
    found = (build for build in builds if number in (build.queue_id, build_id(instance, build)))
    build = next(found, None)
    return of_build(instance, build) if build else None


def _rejected(instance: Instance) -> Iterator[Asked]:
    yield from instance.memory.get("rejected", {}).values()
