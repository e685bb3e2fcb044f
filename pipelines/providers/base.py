"""The contract of a CI provider: frozen dataclasses in, frozen dataclasses out.

An adapter sees no database, settings, Celery or models. The caller hands it a `ServerConfig`, an
HTTP client and a credential; every failure leaves as a `ProviderError`, whose class decides
whether dispatch may try again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from portal.credentials import Secret
from portal.http import HttpClient


class State(StrEnum):
    """The states everywhere; an unlisted vendor word is UNKNOWN and never renders green."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PASSED = "passed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


MOVING = (State.QUEUED, State.RUNNING, State.WAITING)
# Nothing more is expected, though a vendor may reopen a build. UNKNOWN is neither of the two.
FINAL = (State.PASSED, State.FAILED, State.CANCELLED, State.SKIPPED)


class Capability(StrEnum):
    """What an adapter can do; the UI shows nothing else."""

    START = "start"
    CANCEL = "cancel"
    RETRY = "retry"
    STEPS = "steps"
    LOG = "log"
    BRANCH = "branch"  # start() takes any branch
    COMMIT = "commit"  # start() pins the commit
    FIND_BY_REQUEST_ID = "find_by_request_id"


# --- Errors: the class carries the retry decision --------------------------------------------
class ProviderError(Exception):
    """Base of all. The text is for people: no response body, no token, no credential in it."""


class Misconfigured(ProviderError):
    """The server's configuration can't work; an admin has to change it."""


class NotAuthorized(ProviderError):
    """The credential is not accepted."""


class Forbidden(ProviderError):
    """The credential is accepted and lacks a right."""


class NotFound(ProviderError):
    """Absent, or hidden from this credential."""


class Rejected(ProviderError):
    """The vendor understood and refused (bad parameter, disabled job, nothing to cancel)."""


class Unsupported(ProviderError):
    """This provider has no such thing."""


class InvalidResponse(ProviderError):
    """The answer is not what the vendor's API gives (HTML with 200, broken JSON, too large)."""


class RateLimited(ProviderError):
    """Asked too often; `retry_after` in seconds, None when the vendor did not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(ProviderError):
    """Not reached, or a failure on the vendor's side. For a write: certainly not carried out."""


class OutcomeUnknown(ProviderError):
    """A write was sent and its answer is lost (timeout, reset, 5xx). Never repeated by itself."""


# --- What goes in ----------------------------------------------------------------------------
@dataclass(frozen=True)
class ServerConfig:
    """One installation: `base_url` without a trailing slash, `options` as the adapter documents."""

    slug: str
    base_url: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class StartRequest:
    """A build to start. `labels` travel to the vendor's own place (see LABELS)."""

    pipeline: str  # the pipeline's external id
    request_id: str
    branch: str = ""
    commit: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    message: str = ""


# Every started build carries these, as STAGEDOOR_<NAME> where the vendor has variables.
LABELS = ("request_id", "person", "team", "service", "repository", "environment")


# --- What comes out --------------------------------------------------------------------------
@dataclass(frozen=True)
class RemoteParameter:
    """A parameter that a pipeline declares; `type` is string, text, choice, boolean, password."""

    name: str
    type: str = "string"
    default: str = ""
    choices: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class RemotePipeline:
    """What a server can run. `runnable` is False for folders and disabled jobs."""

    external_id: str
    name: str
    web_url: str = ""
    repository: str = ""
    default_branch: str = ""
    parameters: tuple[RemoteParameter, ...] = ()
    runnable: bool = True


@dataclass(frozen=True)
class RemoteBuild:
    """One run as the vendor tells it. `external_id` is what get_build() takes.

    `request_id` is set only where the build itself carries one that was given at its start.
    """

    pipeline: str
    external_id: str
    state: State
    raw_state: str
    number: int | None = None
    message: str = ""
    branch: str = ""
    commit: str = ""
    who: str = ""
    web_url: str = ""
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    request_id: str = ""


@dataclass(frozen=True)
class Step:
    """A stage, step or job of a build. `log_id` is what log() takes, empty when it has no log.

    A vendor with one log per build (Jenkins) gives it to a first step that stands for the build.
    """

    id: str
    name: str
    state: State
    raw_state: str
    log_id: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs or where the vendor does not say."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class LogChunk:
    """Plain text from `offset` on. `next_offset` continues it; `done` when no more will come.

    `restarted` says that the log is shorter than the offset asked for: begin anew.
    """

    text: str
    next_offset: int
    done: bool
    restarted: bool = False
    truncated: bool = False  # the beginning was left out because the log is too large


@dataclass(frozen=True)
class Receipt:
    """What a start gave: a build, or a queue reference that becomes one (see resolve()).

    A queue reference also stands for the build in get_build() and cancel() until there is one.
    """

    build: RemoteBuild | None = None
    queue_ref: str = ""


@dataclass(frozen=True)
class CheckResult:
    """A connection test: who the credential is, what it lacks, and when it expires.

    `lacks` and `unused` are (right, what it would be for) pairs.
    """

    who: str
    version: str = ""
    lacks: tuple[tuple[str, str], ...] = ()
    unused: tuple[tuple[str, str], ...] = ()
    expires_at: datetime | None = None
    notes: tuple[str, ...] = ()


class Provider(Protocol):
    """What every adapter offers. An instance belongs to one server and one credential."""

    slug: ClassVar[str]
    label: ClassVar[str]
    annotation_keys: ClassVar[tuple[str, ...]]
    capabilities: ClassVar[frozenset[Capability]]
    states: ClassVar[Mapping[str, State]]  # vendor word -> our word

    def __init__(self, server: ServerConfig, http: HttpClient, credential: Secret) -> None: ...

    @classmethod
    def parse_annotations(cls, annotations: Mapping[str, str]) -> Sequence["PipelineClaim"]:
        """Which pipelines an entity's annotations name."""

    def check(self) -> CheckResult:
        """Who am I, which rights are lacking."""

    def list_pipelines(self) -> Sequence[RemotePipeline]:
        """All that the credential can see, with parameters; complete, or an error."""

    def get_pipeline(self, pipeline: str) -> RemotePipeline:
        """One pipeline with its parameters."""

    def list_builds(
        self, pipeline: str, *, branch: str = "", limit: int = 20
    ) -> Sequence[RemoteBuild]:
        """Newest first."""

    def get_build(self, pipeline: str, build: str) -> RemoteBuild:
        """One build by its external id."""

    def steps(self, pipeline: str, build: str) -> Sequence[Step]:
        """In the order in which they run."""

    def log(self, pipeline: str, build: str, log_id: str = "", offset: int = 0) -> LogChunk:
        """From `offset` (as a previous chunk's next_offset gave it; opaque to the caller)."""

    def start(self, request: StartRequest) -> Receipt:
        """Starts one build. Raises OutcomeUnknown when it may or may not have started."""

    def resolve(self, pipeline: str, queue_ref: str) -> Receipt:
        """The build that a queue reference became, or the same reference while it waits.

        One that was cancelled in the queue gives a cancelled build, whose external id is the
        reference. Raises NotFound when the vendor has forgotten it without a build.
        """

    def find_by_request_id(
        self, pipeline: str, request_id: str, *, branch: str = "", since: datetime | None = None
    ) -> Receipt | None:
        """The build, or the place in the queue, that carries this request id.

        None when there is none at the time of asking; vendors take a while to index a new build,
        so one None is no proof (see providers/README.md). `branch` and `since`, when the request
        was sent, narrow the search. Raises Unsupported when the vendor can't tell.
        """

    def cancel(self, pipeline: str, build: str) -> None:
        """Asks to stop; the build is read again to see whether it did.

        Raises Rejected when there is nothing to stop.
        """

    def retry(self, request: StartRequest, build: str) -> Receipt:
        """Runs a build again as a new build under the new request id.

        Branch, commit and parameters come from `build`; of `request` only the pipeline, request
        id, labels and message are used.
        """


@dataclass(frozen=True)
class PipelineClaim:
    """One pipeline that an annotation names. `server` is an instance prefix, empty for any."""

    annotation: str
    value: str
    pipeline: str
    server: str = ""
