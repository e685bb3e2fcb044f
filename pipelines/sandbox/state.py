"""Keeps builds in a JSON file, so that a demo that is started again shows what it ran before.

Definitions (pipelines, tokens) come from code each time; the file holds what happened to them, and
the webhooks that were registered over a vendor's API.
"""

import json
import threading
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from .engine import Instance, World
from .journal import Accepted
from .objects import Ask, Build, Hook, Person, QueueItem
from .script import Course, Step

VERSION = 1


class BadState(ValueError):
    """The file is not one that this module wrote."""


def save(world: World, path: Path) -> None:
    """Writes the file in one step: a reader sees the old or the new one, never half."""
    with world.lock:
        state = {
            "version": VERSION,
            "instances": {i.prefix: _dump(i) for i in world.instances.values()},
            "accepted": [asdict(entry) for entry in world.journal.accepted],
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.touch(mode=0o600)  # it holds the secrets of webhooks
    fresh.write_text(json.dumps(state), encoding="utf-8")
    fresh.replace(path)


def restore(world: World, path: Path) -> bool:
    """Brings back what the file holds; False when there is none. Raises BadState.

    Builds of pipelines that are no longer defined are left out.
    """
    with suppress(FileNotFoundError):
        text = path.read_text(encoding="utf-8")
        try:
            state = json.loads(text)
            if state["version"] != VERSION:
                raise BadState(f"{path} was written by another version of the sandbox.")
            for prefix, kept in state["instances"].items():
                if prefix in world.instances:
                    _load(world.instances[prefix], kept)
            world.journal.accepted = [Accepted(**entry) for entry in state["accepted"]]
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise BadState(f"{path} is no state of the sandbox; delete it.") from error
        return True
    return False


def _dump(instance: Instance) -> dict[str, Any]:
    return {
        "next_queue_id": instance.next_queue_id,
        "next_numbers": {p.name: p.next_number for p in instance.pipelines.values()},
        "details": {p.name: p.details for p in instance.pipelines.values() if p.details},
        "hooks": [asdict(hook) for hook in instance.hooks.values() if hook.lasting],
        "builds": [_dump_build(build) for build in instance.builds],
        "queue": [_dump_item(item) for item in instance.queue.values() if item.waiting],
    }


_APART = {"pipeline", "course", "who", "unblocked_by", "_final"}
_BUILD_FIELDS = tuple(each.name for each in fields(Build) if each.name not in _APART)


def _dump_build(build: Build) -> dict[str, Any]:
    kept = {name: getattr(build, name) for name in _BUILD_FIELDS}
    return kept | {
        "pipeline": build.pipeline.name,
        "course": asdict(build.course),
        "who": asdict(build.who) if build.who else None,
        "unblocked_by": {index: asdict(who) for index, who in build.unblocked_by.items()},
    }


def _dump_item(item: QueueItem) -> dict[str, Any]:
    ask = {name: getattr(item.ask, name) for name in item.ask.__dataclass_fields__}
    return {
        "id": item.id,
        "pipeline": item.pipeline.name,
        "entered_at": item.entered_at,
        "quiet_until": item.quiet_until,
        "due_at": item.due_at,
        "ask": ask | {"who": asdict(item.ask.who) if item.ask.who else None},
    }


def _load(instance: Instance, kept: dict[str, Any]) -> None:
    instance.builds.clear()
    for pipeline in instance.pipelines.values():
        pipeline.builds.clear()
        pipeline.next_number = kept["next_numbers"].get(pipeline.name, 1)
        pipeline.details.update(kept.get("details", {}).get(pipeline.name, {}))
    for entry in kept["builds"]:
        known = instance.pipelines.get(entry["pipeline"])
        if known is not None:
            values = entry | {
                "pipeline": known,
                "course": _course(entry["course"]),
                "who": _person(entry["who"]),
                "unblocked_by": {
                    int(index): Person(**who) for index, who in entry["unblocked_by"].items()
                },
            }
            instance.keep(Build(**values))
    instance.next_queue_id = kept["next_queue_id"]
    for entry in kept["queue"]:
        known = instance.pipelines.get(entry["pipeline"])
        if known is not None:
            ask = Ask(**(entry["ask"] | {"who": _person(entry["ask"]["who"])}))
            item = QueueItem(**(entry | {"pipeline": known, "ask": ask}))
            instance.queue[item.id] = item
    for entry in kept.get("hooks", ()):
        hook = Hook(**entry)
        instance.hooks.setdefault(hook.id, hook)
    instance.watch.begin(instance.builds, instance.now())


def _person(entry: dict[str, str] | None) -> Person | None:
    return Person(**entry) if entry else None


def _course(entry: dict[str, Any]) -> Course:
    steps = tuple(
        Step(**{name: tuple(v) if isinstance(v, list) else v for name, v in s.items()})
        for s in entry["steps"]
    )
    forced = tuple(entry["forced"]) if entry["forced"] else None
    indexed = {
        name: {int(index): value for index, value in entry[name].items()}
        for name in ("retries", "unblocked")
    }
    return Course(**(entry | indexed | {"steps": steps, "forced": forced}))


class Keeper:
    """Saves in the background, at most once a second, and once more at the end."""

    def __init__(self, world: World, path: Path, every: float = 1.0) -> None:
        self._world = world
        self._path = path
        self._every = every
        self._saved = -1
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-state", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._save()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self._save()

    def _save(self) -> None:
        changes = sum(instance.changes for instance in self._world.instances.values())
        if changes != self._saved:
            save(self._world, self._path)
            self._saved = changes
