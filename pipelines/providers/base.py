"""The vocabulary of CI providers: frozen dataclasses in, frozen dataclasses out.

The contract that uses it is in provider.py, what can go wrong in errors.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from portal.credentials import Secret


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
    VARIABLES = "variables"  # start() takes parameters that the pipeline does not declare
    FIND_BY_REQUEST_ID = "find_by_request_id"
    UNBLOCK = "unblock"  # gates() and unblock()
    PROMOTE = "promote"
    ACTIVATE = "activate"
    FEED = "feed"  # feed(): one question for the newest builds of all pipelines
    DETAILS = "details"  # parameters are told by get_pipeline() only
    WEBHOOK = "webhook"


class Cause(StrEnum):
    """Why a build runs, where the vendor tells; NONE where it does not."""

    NONE = ""
    PUSH = "push"
    PULL_REQUEST = "pull_request"
    TAG = "tag"
    SCHEDULE = "schedule"
    API = "api"
    MANUAL = "manual"  # by hand in the vendor's own UI
    UPSTREAM = "upstream"  # by another build
    PROMOTE = "promote"


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


@dataclass(frozen=True)
class HookTarget:
    """Where activate() lets the vendor send webhooks, and with which secret."""

    url: str
    secret: Secret


@dataclass(frozen=True)
class Hook:
    """A delivery as it arrived: header names in lower case, the raw body.

    `path_secret` is the part of the address behind the server's slug, where there was one.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    path_secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class HookKeys:
    """What a delivery is checked with. Several secrets while one replaces another."""

    secrets: tuple[Secret, ...] = ()
    public_keys: tuple[str, ...] = ()  # PEM, as check() read them


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
    """What a server can run. `runnable` is False for folders and disabled jobs.

    `stable_id` is the vendor's own id that outlives a rename, empty where there is none. `active`
    is False where activate() would have to come first. `parameters` is None where a list does not
    tell them (Capability.DETAILS).
    """

    external_id: str
    name: str
    web_url: str = ""
    repository: str = ""
    default_branch: str = ""
    parameters: tuple[RemoteParameter, ...] | None = ()
    runnable: bool = True
    stable_id: str = ""
    active: bool = True


@dataclass(frozen=True)
class RemoteBuild:
    """One run as the vendor tells it. `external_id` is what get_build() takes.

    `branch` is a branch's name; of a tag or a pull request it is a ref (`refs/tags/v1`), for policy
    judges by it, and a tag or a fork's branch called "main" must not pass for the branch.
    `request_id` is set only where the build itself carries one that was given at its start.
    `who` is a name for people; `who_id` is the vendor's own id of that account, by which a person
    is recognised. `reason` says in a sentence what a state alone does not ("timed out").
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
    who_id: str = ""
    cause: Cause = Cause.NONE
    reason: str = ""


@dataclass(frozen=True)
class Gate:
    """A place where a build waits for a person: input step, block step, blocked stage.

    `parameters` are what the person is asked for; `id` is what unblock() takes.
    """

    id: str
    name: str
    message: str = ""
    parameters: tuple[RemoteParameter, ...] = ()


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
        """How long it took; None while it runs or where the vendor does not say.

        Never negative: a runner's clock and its server's may differ.
        """
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.started_at).total_seconds())


# A line of a log that begins with these opens a fold (its title follows) or closes the last one.
# Adapters make them of the vendor's own marks, and drop these characters where a build wrote them.
FOLD_START = "\x1d+"
FOLD_END = "\x1d-"


@dataclass(frozen=True)
class LogChunk:
    """Plain text from `offset` on, with ANSI escapes and fold marks.

    `next_offset` continues it; `done` when no more will come.

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
    who_id: str = ""  # as in RemoteBuild
    public_keys: tuple[str, ...] = ()  # PEM, by which the vendor signs webhooks


@dataclass(frozen=True)
class Hint:
    """What a delivery says has changed; it is read again before anything is believed.

    `pipelines` are external ids that may be meant, the likeliest first.
    """

    event: str
    pipelines: tuple[str, ...] = ()
    build: str = ""  # external id


@dataclass(frozen=True)
class Limit:
    """What a vendor allows one credential: `limit` requests in `seconds`.

    `remaining` and `reset_after` (seconds) are None where only the rule is known. Where `writes`,
    only requests that change something are counted.
    """

    name: str
    limit: int
    seconds: float
    remaining: int | None = None
    reset_after: float | None = None
    writes: bool = False


class HookScope(StrEnum):
    """How far one webhook of a vendor reaches, and so what a delivery says of being alive."""

    NONE = ""
    SERVER = "server"
    PIPELINE = "pipeline"


@dataclass(frozen=True)
class AnnotatedPipeline:
    """One pipeline that an annotation names. `server` is an instance prefix, empty for any.

    `implied`: not named for CI (a source location), so that finding none is no problem.
    """

    annotation: str
    value: str
    pipeline: str
    server: str = ""
    implied: bool = False
