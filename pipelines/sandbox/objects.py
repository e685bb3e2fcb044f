"""What the sandbox knows: people, tokens, pipelines, builds and what waits in a queue."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .script import Course, Snapshot, Step, snapshot


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
    """A credential. `rights` are Buildkite scopes or Jenkins permissions.

    `only` limits it to pipelines of these names and below (empty: all).
    """

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
class Hook:
    """Where webhooks go. `pipeline` limits it to that pipeline and those below it (empty: all).

    `details` are a vendor's own: events, mode, description. A `lasting` one is kept in the state.
    """

    id: str
    url: str
    secret: str = field(default="", repr=False)
    pipeline: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    lasting: bool = True

    def wants(self, name: str) -> bool:
        return not self.pipeline or name == self.pipeline or name.startswith(f"{self.pipeline}/")


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
    head: bool = False  # asked for "HEAD": the commit is known once an agent has begun
    cancel_reason: str = ""
    unblocked_by: dict[int, Person] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)  # a vendor's own, as JSON types
    _final: Snapshot | None = field(default=None, repr=False)

    def at(self, now: float) -> Snapshot:
        """How it stands at `now`; a final answer is kept until something is done to it."""
        if self._final is not None:
            return self._final
        seen = snapshot(self.course, now)
        if seen.final:
            self._final = seen
        return seen

    def shown_parameters(self) -> dict[str, str]:
        """The parameters as logs and pages may show them."""
        secret = {p.name for p in self.pipeline.parameters if p.type == "password"}
        return {n: "****" if n in secret else v for n, v in self.parameters.items()}

    def touched(self) -> None:
        """Call when `course` changes."""
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
    active: bool = True  # False: known to the vendor and not switched on
    allow_rebuilds: bool = True
    log_lost: bool = False
    keep_builds: int = 1000
    every_seconds: float = 0.0  # commits arrive this often and are built; 0: never
    committers: tuple[Person, ...] = ()  # whose commits those are, in turn
    commits: tuple[str, ...] = ()  # their messages, in turn
    created_at: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)  # a vendor's own, as JSON types
    builds: dict[int, Build] = field(default_factory=dict)
    next_number: int = 1

    @property
    def short_name(self) -> str:
        return self.name.rsplit("/", 1)[-1]

    @property
    def first_name(self) -> str:
        """The name before all renames, for ids that outlive them."""
        return str(self.details.get("first_name", self.name))

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
    head: bool = False
    message: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    meta_data: Mapping[str, str] = field(default_factory=dict)
    author: Mapping[str, str] | None = None
    source: str = "api"
    rebuilt_from: int | None = None
    queue_id: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    created_at: float | None = None
    starts_at: float | None = None


def pushed(pipeline: Pipeline, **fields: Any) -> Ask:
    """The ask of somebody's push: committers and messages take turns by build number."""
    turn = pipeline.next_number
    return Ask(
        who=pipeline.committers[turn % len(pipeline.committers)] if pipeline.committers else None,
        message=pipeline.commits[turn % len(pipeline.commits)] if pipeline.commits else "",
        source="scm",
        **fields,
    )


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


def stable_uuid(*parts: object) -> str:
    """The same id for the same parts, in every process."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(str(part) for part in parts)))


def commit_of(*parts: object) -> str:
    """A commit hash that looks like one and is the same each time."""
    text = "/".join(str(part) for part in parts)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def by_name(pipelines: Iterable[Pipeline]) -> list[Pipeline]:
    return sorted(pipelines, key=lambda pipeline: pipeline.name)
