"""The vendor-neutral world of the sandbox: instances, pipelines, builds, queue and clock.

Every call happens under `World.lock` (the server takes it), so nothing here locks for itself.
"""

import hashlib
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from . import script
from .faults import FaultBoard
from .journal import Journal
from .script import Course, Snapshot, Step, snapshot


class Clock:
    """Wall time plus what a test has jumped ahead; `speed` divides the durations of new builds."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._ahead = 0.0

    def now(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


@dataclass(frozen=True)
class Person:
    """A user of an instance."""

    login: str
    name: str
    email: str

    @property
    def id(self) -> str:
        return stable_uuid("person", self.login)


@dataclass(frozen=True)
class Token:
    """A credential. `rights` are Buildkite scopes or Jenkins permissions; `only` limits it to

    pipelines whose name is one of these or lies below one (empty: all)."""

    value: str = field(repr=False)
    person: Person
    rights: frozenset[str]
    created_at: float = 0.0
    expires_at: float | None = None
    only: tuple[str, ...] = ()

    def sees(self, name: str) -> bool:
        if not self.only:
            return True
        return any(name == part or name.startswith(f"{part}/") for part in self.only)


@dataclass(frozen=True)
class Parameter:
    """A declared parameter; `type` is string, text, choice, boolean or password."""

    name: str
    type: str = "string"
    default: str = ""
    choices: tuple[str, ...] = ()
    description: str = ""


@dataclass(eq=False)
class Build:
    """One run. What moves is in `course`; the rest is fixed when it is created."""

    id: str
    pipeline: "Pipeline"
    number: int
    created_at: float
    course: Course
    branch: str
    commit: str
    message: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    meta_data: dict[str, str] = field(default_factory=dict)
    author: dict[str, str] | None = None
    who: Person | None = None
    source: str = "api"
    rebuilt_from: int | None = None
    queue_id: int | None = None
    cancel_reason: str = ""
    unblocked_by: dict[int, Person] = field(default_factory=dict)
    _final: Snapshot | None = field(default=None, repr=False)

    def at(self, now: float) -> Snapshot:
        """How it stands at `now`; a final answer is kept until something is done to it."""
        if self._final is not None:
            return self._final
        seen = snapshot(self.course, now)
        if seen.final:
            self._final = seen
        return seen

    def touched(self) -> None:
        """Call after changing `course`."""
        self._final = None

    def job_id(self, index: int, attempt: int = 0) -> str:
        return stable_uuid(self.id, index, attempt)


@dataclass(eq=False)
class Pipeline:
    """What an instance can run. `name` is unique on it: "folder/job" or "organisation/slug"."""

    name: str
    steps: tuple[Step, ...]
    kind: str = "pipeline"  # or "freestyle"
    title: str = ""
    description: str = ""
    repository: str = ""
    default_branch: str = "main"
    branches: tuple[str, ...] = ("main",)
    branch: str = ""  # set on the job of one branch of a multibranch project
    branch_parameter: str = "BRANCH"
    branch_filter: str = ""
    parameters: tuple[Parameter, ...] = ()
    late_parameters: bool = False  # declared only once a first build has run
    quiet_seconds: float = 0.0
    queue_seconds: float = 1.0
    concurrent: bool = True
    disabled: bool = False
    archived: bool = False
    allow_rebuilds: bool = True
    log_lost: bool = False
    keep_builds: int = 1000
    created_at: float = 0.0
    builds: dict[int, Build] = field(default_factory=dict)
    next_number: int = 1

    @property
    def short_name(self) -> str:
        return self.name.rsplit("/", 1)[-1]

    def declared(self) -> tuple[Parameter, ...]:
        return () if self.late_parameters and not self.builds else self.parameters

    def newest_first(self) -> list[Build]:
        return [self.builds[number] for number in sorted(self.builds, reverse=True)]


@dataclass(eq=False)
class Folder:
    """A level that holds pipelines: a folder, a multibranch project or an organisation folder."""

    name: str
    kind: str = "folder"  # folder, multibranch, organization
    children: dict[str, None] = field(default_factory=dict)  # full names, in order


@dataclass(frozen=True)
class Ask:
    """A request to run something."""

    who: Person | None = None
    branch: str = ""
    commit: str = ""
    message: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    meta_data: Mapping[str, str] = field(default_factory=dict)
    author: Mapping[str, str] | None = None
    source: str = "api"
    rebuilt_from: int | None = None
    queue_id: int | None = None
    created_at: float | None = None
    starts_at: float | None = None


@dataclass(eq=False)
class QueueItem:
    """A start that waits for its build (Jenkins)."""

    id: int
    pipeline: Pipeline
    ask: Ask
    entered_at: float
    quiet_until: float
    due_at: float
    cancelled_at: float | None = None
    left_at: float | None = None
    build: Build | None = None
    blocked_by: int | None = None

    @property
    def waiting(self) -> bool:
        return self.cancelled_at is None and self.build is None


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
        child = pipeline.name
        while child:
            parent = child.rpartition("/")[0]
            folder = self.folders.setdefault(parent, Folder(parent))
            folder.kind = (folder_kinds or {}).get(parent, folder.kind)
            folder.children.setdefault(child)
            child = parent
        return pipeline

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
            message=ask.message,
            parameters=dict(ask.parameters),
            env=dict(ask.env),
            meta_data=dict(ask.meta_data),
            author=dict(ask.author) if ask.author else None,
            who=ask.who,
            source=ask.source,
            rebuilt_from=ask.rebuilt_from,
            queue_id=ask.queue_id,
        )
        self.keep(build)
        return build

    def keep(self, build: Build) -> None:
        """Stores a build and drops the oldest beyond what its pipeline keeps."""
        pipeline = build.pipeline
        pipeline.builds[build.number] = build
        self.builds.append(build)
        if len(pipeline.builds) > pipeline.keep_builds:
            oldest = pipeline.builds.pop(min(pipeline.builds))
            self.builds.remove(oldest)

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
    def cancel(self, build: Build, reason: str = "") -> bool:
        """Asks a build to stop; False when it had ended already."""
        now = self.now()
        if build.at(now).final:
            return False
        if build.course.cancelled_at is None:
            build.course.cancelled_at = now
            build.cancel_reason = reason
            build.touched()
        return True

    def retry(self, build: Build, index: int) -> None:
        """Runs one step of a build again, from now on."""
        build.course.retries.setdefault(index, []).append(self.now())
        build.touched()

    def unblock(self, build: Build, index: int, who: Person | None) -> None:
        """Opens a gate."""
        build.course.unblocked[index] = self.now()
        if who is not None:
            build.unblocked_by[index] = who
        build.touched()

    def finish(self, build: Build, outcome: str = script.PASSED) -> None:
        """Ends a build now, by hand (tests)."""
        now = self.now()
        build.course.starts_at = min(build.course.starts_at, now)
        build.course.forced = (now, outcome)
        build.touched()


class World:
    """All instances of one sandbox process."""

    def __init__(self, speed: float = 1.0) -> None:
        self.clock = Clock(speed)
        self.instances: dict[str, Instance] = {}
        self.journal = Journal()
        self.lock = threading.RLock()

    def add(
        self, vendor: str, prefix: str, options: Mapping[str, object] | None = None
    ) -> Instance:
        """Adds an instance at `/prefix` (one path segment, unique)."""
        if prefix in self.instances:
            raise ValueError(f"There is already an instance at /{prefix}.")
        self.instances[prefix] = Instance(vendor, prefix, self.clock, options)
        return self.instances[prefix]


def stable_uuid(*parts: object) -> str:
    """The same id for the same parts, in every process."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(str(part) for part in parts)))


def commit_of(*parts: object) -> str:
    """A commit hash that looks like one and is the same each time."""
    text = "/".join(str(part) for part in parts)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def by_name(pipelines: Iterable[Pipeline]) -> list[Pipeline]:
    return sorted(pipelines, key=lambda pipeline: pipeline.name)
