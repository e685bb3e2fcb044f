"""The vendor-neutral engine: instances that start, queue and change builds, and their clock.

Every call happens under `World.lock` (the server takes it), so nothing here locks for itself.
"""

import math
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import script
from .faults import FaultBoard
from .journal import Journal
from .objects import (
    Ask,
    Build,
    Folder,
    Hook,
    Person,
    Pipeline,
    QueueItem,
    Token,
    commit_of,
    pushed,
    stable_uuid,
)
from .script import Course
from .watch import Watch


class Clock:
    """Wall time plus what a test has jumped ahead; `speed` divides the durations of new builds."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._ahead = 0.0

    def now(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


class Instance:
    """One installation of one vendor's product, at `/prefix`."""

    def __init__(
        self, vendor: str, prefix: str, clock: Clock, options: Mapping[str, object] | None = None
    ) -> None:
        self.vendor = vendor
        self.prefix = prefix
        self.clock = clock
        self.options: dict[str, object] = dict(options or {})
        self.tokens: dict[str, Token] = {}
        self.pipelines: dict[str, Pipeline] = {}
        self.folders: dict[str, Folder] = {"": Folder("")}
        self.builds: list[Build] = []  # every build in the order of creation
        self.queue: dict[int, QueueItem] = {}  # waiting, and those that left within 5 minutes
        self.next_queue_id = 1
        self.faults = FaultBoard()
        self.skew = 0.0
        self.scheduled: list[Pipeline] = []
        self._pushes_at = 0.0  # nobody pushes before that
        self.changes = 0  # counts whatever is worth keeping
        self.memory: dict[str, Any] = {}  # a vendor's own, such as rate-limit windows
        self.hooks: dict[str, Hook] = {}
        self.watch = Watch()
        self.base = ""  # the address up to the prefix, without a trailing slash

    def now(self) -> float:
        """This instance's own clock, which may be wrong."""
        return self.clock.now() + self.skew

    def add(self, pipeline: Pipeline, folder_kinds: Mapping[str, str] | None = None) -> Pipeline:
        """Adds a pipeline and the folders above it; a pipeline of that name keeps its builds."""
        known = self.pipelines.get(pipeline.name)
        if known is not None:
            pipeline.builds, pipeline.next_number = known.builds, known.next_number
            for build in pipeline.builds.values():
                build.pipeline = pipeline
        self.pipelines[pipeline.name] = pipeline
        if pipeline.every_seconds or known in self.scheduled:
            self.scheduled = [p for p in self.pipelines.values() if p.every_seconds]
        self._pushes_at = 0.0
        child = pipeline.name
        while child:
            parent = child.rpartition("/")[0]
            folder = self.folders.setdefault(parent, Folder(parent))
            folder.kind = (folder_kinds or {}).get(parent, folder.kind)
            folder.children.setdefault(child)
            child = parent
        return pipeline

    def rename(self, old: str, new: str) -> Pipeline:
        """Gives a pipeline another name in the same folder; what it ran before stays with it."""
        pipeline = self.pipelines.pop(old)
        pipeline.details.setdefault("first_name", old)
        pipeline.name = new
        self.folders[old.rpartition("/")[0]].children.pop(old)
        self.changes += 1
        return self.add(pipeline)

    # --- webhooks -------------------------------------------------------------------------------
    def add_hook(
        self,
        url: str,
        secret: str = "",
        pipeline: str = "",
        details: Mapping[str, Any] | None = None,
        *,
        lasting: bool = True,
    ) -> Hook:
        """Sends webhooks there from now on; one that goes there already is replaced."""
        if not self.hooks:
            self.watch.begin(self.builds, self.now())
        identifier = stable_uuid(self.prefix, url, pipeline)
        hook = Hook(identifier, url, secret, pipeline, details or {}, lasting)
        self.hooks[hook.id] = hook
        self.changes += 1
        return hook

    def drop_hook(self, identifier: str) -> bool:
        """False when there is none of that id."""
        self.changes += 1
        return self.hooks.pop(identifier, None) is not None

    # --- starting -----------------------------------------------------------------------------
    def start(self, pipeline: Pipeline, ask: Ask) -> Build:
        """Creates a build at once."""
        now = self.now()
        created = ask.created_at if ask.created_at is not None else now
        speed = self.clock.speed
        starts = ask.starts_at
        if starts is None:
            starts = created + pipeline.queue_seconds / speed
        number = pipeline.next_number
        pipeline.next_number += 1
        branch = ask.branch or pipeline.branch or pipeline.default_branch
        build = Build(
            id=str(uuid.uuid4()),
            pipeline=pipeline,
            number=number,
            created_at=created,
            course=Course(pipeline.steps, starts, speed),
            branch=branch,
            commit=ask.commit or commit_of(pipeline.name, branch, number),
            head=ask.head,
            message=ask.message,
            parameters=dict(ask.parameters),
            env=dict(ask.env),
            meta_data=dict(ask.meta_data),
            author=dict(ask.author) if ask.author else None,
            who=ask.who,
            source=ask.source,
            rebuilt_from=ask.rebuilt_from,
            queue_id=ask.queue_id,
            details=dict(ask.details),
        )
        self.keep(build)
        return build

    def keep(self, build: Build) -> None:
        """Stores a build and drops the oldest beyond what its pipeline keeps."""
        pipeline = build.pipeline
        pipeline.builds[build.number] = build
        self.builds.append(build)
        self.changes += 1
        if self.hooks:
            self.watch.born(build)
        if len(pipeline.builds) > pipeline.keep_builds:
            oldest = pipeline.builds.pop(min(pipeline.builds))
            self.builds.remove(oldest)
            self.watch.drop(oldest)

    def enqueue(self, pipeline: Pipeline, ask: Ask, quiet: float | None = None) -> QueueItem:
        """Puts a start into the queue; settle() makes a build of it when it is due."""
        now = self.now()
        wait = pipeline.quiet_seconds if quiet is None else quiet
        quiet_until = now + wait / self.clock.speed
        item = QueueItem(
            id=self.next_queue_id,
            pipeline=pipeline,
            ask=ask,
            entered_at=now,
            quiet_until=quiet_until,
            due_at=quiet_until + pipeline.queue_seconds / self.clock.speed,
        )
        self.next_queue_id += 1
        self.queue[item.id] = item
        self.changes += 1
        return item

    def settle(self, keep_left: float = 300.0) -> None:
        """Lets due queue items become builds and forgets those that left long ago.

        `keep_left`: 5 minutes, as Jenkins keeps a LeftItem.
        """
        now = self.now()
        for item in list(self.queue.values()):
            if item.left_at is not None and now - item.left_at > keep_left:
                del self.queue[item.id]
            elif item.waiting and item.due_at <= now:
                self._leave(item, now)
        if now >= self._pushes_at:
            self._pushes_at = min((self._push(p, now) for p in self.scheduled), default=math.inf)

    def _push(self, pipeline: Pipeline, now: float) -> float:
        """Lets a commit arrive if one is due; the earliest moment for the next."""
        last = next(reversed(pipeline.builds.values()), None)
        due = (pipeline.created_at if last is None else last.created_at) + pipeline.every_seconds
        if now < due or not (last is None or last.at(now).final):
            return due
        return self.start(pipeline, pushed(pipeline)).created_at + pipeline.every_seconds

    def _leave(self, item: QueueItem, now: float) -> None:
        free_at = item.due_at
        if not item.pipeline.concurrent:
            for other in item.pipeline.builds.values():
                seen = other.at(now)
                if not seen.final:
                    item.blocked_by = other.number
                    return
                free_at = max(free_at, seen.finished_at or free_at)
        item.blocked_by = None
        ask = replace(item.ask, queue_id=item.id, created_at=free_at, starts_at=free_at)
        item.build = self.start(item.pipeline, ask)
        item.left_at = now

    # --- what is done to a build ----------------------------------------------------------------
    def cancel_queued(self, item: QueueItem) -> None:
        """Takes a start out of the queue."""
        item.cancelled_at = item.left_at = self.now()
        self.changes += 1

    def cancel(self, build: Build, reason: str = "") -> bool:
        """Asks a build to stop; False when it had ended already."""
        now = self.now()
        if build.at(now).final:
            return False
        if build.course.cancelled_at is None:
            self._touch(build)
            build.course.cancelled_at = now
            build.cancel_reason = reason
        return True

    def retry(self, build: Build, index: int) -> None:
        """Runs one step of a build again, from now on."""
        self._touch(build)
        build.course.retries.setdefault(index, []).append(self.now())

    def unblock(self, build: Build, index: int, who: Person | None) -> None:
        """Opens a gate."""
        self._touch(build)
        build.course.unblocked[index] = self.now()
        if who is not None:
            build.unblocked_by[index] = who

    def finish(self, build: Build, outcome: str = script.PASSED) -> None:
        """Ends a build now, by hand (tests)."""
        now = self.now()
        self._touch(build)
        build.course.starts_at = min(build.course.starts_at, now)
        build.course.forced = (now, outcome)

    def restart(self, build: Build) -> None:
        """Runs a whole build again under its number; what was is gone (Travis CI)."""
        self._touch(build)
        again = tuple(
            replace(step, outcomes=step.outcomes[1:] or step.outcomes)
            for step in build.course.steps
        )
        speed = self.clock.speed
        build.course = Course(again, self.now() + build.pipeline.queue_seconds / speed, speed)
        build.cancel_reason = ""

    def _touch(self, build: Build) -> None:
        """Call before changing a build's course."""
        if self.hooks:
            self.watch.stir(build, self.now())
        build.touched()
        self.changes += 1


class World:
    """All instances of one sandbox process."""

    def __init__(self, speed: float = 1.0) -> None:
        self.clock = Clock(speed)
        self.instances: dict[str, Instance] = {}
        self.journal = Journal()
        self.lock = threading.RLock()
        self.origin = ""

    def add(
        self, vendor: str, prefix: str, options: Mapping[str, object] | None = None
    ) -> Instance:
        """Adds an instance at `/prefix` (one path segment, unique)."""
        if prefix in self.instances:
            raise ValueError(f"There is already an instance at /{prefix}.")
        self.instances[prefix] = Instance(vendor, prefix, self.clock, options)
        self.serve_at(self.origin)
        return self.instances[prefix]

    def serve_at(self, origin: str) -> None:
        """Tells the instances their address, for the links in webhooks."""
        self.origin = origin
        for instance in self.instances.values():
            instance.base = f"{origin}/{instance.prefix}"
