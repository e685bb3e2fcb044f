"""The contract of a CI provider: what every adapter offers.

An adapter sees no database, settings, Celery or models. The caller hands it a `ServerConfig`, an
HTTP client and a credential; every failure leaves as a `ProviderError`, whose class decides
whether dispatch may try again.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from pipelines.providers.annotations import claims
from pipelines.providers.base import (
    FINAL,
    AnnotatedPipeline,
    Capability,
    CheckResult,
    Gate,
    Hint,
    Hook,
    HookKeys,
    HookScope,
    HookTarget,
    Limit,
    LogChunk,
    Receipt,
    RemoteBuild,
    RemotePipeline,
    ServerConfig,
    StartRequest,
    State,
    Step,
)
from pipelines.providers.errors import Rejected, Unsupported
from portal.credentials import Secret
from portal.http import HttpClient


class Provider(ABC):
    """An instance belongs to one server and one credential.

    What a vendor lacks keeps the answer given here, Unsupported, and is absent from
    `capabilities`.
    """

    slug: ClassVar[str]
    label: ClassVar[str]
    annotation_keys: ClassVar[tuple[str, ...]]
    capabilities: ClassVar[frozenset[Capability]]
    states: ClassVar[Mapping[str, State]]  # vendor word -> our word
    limits: ClassVar[tuple[Limit, ...]] = ()  # what holds where the vendor's answers do not say
    hook_scope: ClassVar[HookScope] = HookScope.NONE
    feed_most: ClassVar[int] = 100  # builds that feed() gives at most

    @abstractmethod
    def __init__(self, server: ServerConfig, http: HttpClient, credential: Secret) -> None:
        """Sends nothing. Raises Misconfigured for options or a credential of the wrong form."""

    @classmethod
    def parse_annotations(cls, annotations: Mapping[str, str]) -> Sequence[AnnotatedPipeline]:
        """Which pipelines an entity's annotations name: `[server:]name[,…]` under any key."""
        return claims(annotations, cls.annotation_keys)

    # --- Reading: may be repeated at will --------------------------------------------------------
    @abstractmethod
    def check(self) -> CheckResult:
        """Who am I, which rights are lacking, which are held and never used."""

    @abstractmethod
    def list_pipelines(self) -> Sequence[RemotePipeline]:
        """All that the credential can see; complete, or an error."""

    @abstractmethod
    def get_pipeline(self, pipeline: str) -> RemotePipeline:
        """One pipeline with its parameters."""

    @abstractmethod
    def list_builds(
        self, pipeline: str, *, branch: str = "", limit: int = 20
    ) -> Sequence[RemoteBuild]:
        """Newest first."""

    @abstractmethod
    def get_build(self, pipeline: str, build: str) -> RemoteBuild:
        """One build by its external id."""

    def feed(self, limit: int = 100) -> Sequence[RemoteBuild]:
        """The newest builds over all pipelines that the credential sees, newest first.

        Of one that moves it may say less than get_build(): not that it waits at a gate.
        """
        raise self._lacks("a list of builds over all pipelines")

    def steps(self, pipeline: str, build: str) -> Sequence[Step]:
        """In the order in which they run."""
        raise self._lacks("steps")

    def log(self, pipeline: str, build: str, log_id: str = "", offset: int = 0) -> LogChunk:
        """From `offset` (as a previous chunk's next_offset gave it; opaque to the caller)."""
        raise self._lacks("logs")

    def gates(self, pipeline: str, build: str) -> Sequence[Gate]:
        """Where the build waits for a person at this moment."""
        raise self._lacks("gates")

    def resolve(self, pipeline: str, queue_ref: str) -> Receipt:
        """The build that a queue reference became, or the same reference while it waits.

        One that was cancelled in the queue gives a cancelled build, whose external id is the
        reference. Raises NotFound when the vendor has forgotten it without a build. Where a start
        gives the build at once, a reference is that build's external id.
        """
        return Receipt(build=self.get_build(pipeline, queue_ref))

    def find_by_request_id(
        self, pipeline: str, request_id: str, *, branch: str = "", since: datetime | None = None
    ) -> Receipt | None:
        """The build, or the place in the queue, that carries this request id.

        None when there is none at the time of asking; vendors take a while to index a new build,
        so one None is no proof (see README.md). `branch` and `since`, when the request was sent,
        narrow the search. Raises Unsupported when the vendor can't tell.
        """
        raise self._lacks("a look-up of requests")

    # --- Writing: one request goes out, and nothing is repeated ----------------------------------
    def start(self, request: StartRequest) -> Receipt:
        """Starts one build. Raises OutcomeUnknown when it may or may not have started."""
        raise self._lacks("starting builds")

    def cancel(self, pipeline: str, build: str) -> None:
        """Asks to stop; the build is read again to see whether it did.

        Raises Rejected when there is nothing to stop.
        """
        raise self._lacks("cancelling builds")

    def retry(self, request: StartRequest, build: str) -> Receipt:
        """Runs a build again as a new build under the new request id.

        Branch, commit and parameters come from `build`. Those of `request` are what Stagedoor
        itself sent when it started that build, empty where it did not: for vendors that can't
        tell them again. Where a vendor can only run the same build again, it is that build.
        """
        raise self._lacks("retrying builds")

    def unblock(self, request: StartRequest, build: str, gate: str) -> None:
        """Opens a gate with `request.parameters`. Raises Rejected when it waits no longer."""
        raise self._lacks("unblocking builds")

    def promote(self, request: StartRequest, build: str, target: str) -> Receipt:
        """Runs what a build made on the vendor's deployment target of that name, as a new build."""
        raise self._lacks("promoting builds")

    def activate(self, pipeline: str, hook: HookTarget | None) -> Sequence[str]:
        """Makes a pipeline ready to build, and lets it send webhooks; sentences of what was done.

        May be repeated: what is there already is left as it is.
        """
        raise self._lacks("activating pipelines")

    # --- What arrives and what answers tell: no requests -----------------------------------------
    @classmethod
    def verify_webhook(cls, hook: Hook, keys: HookKeys, now: datetime) -> str:
        """An id that is the same whenever this delivery comes again. Raises HookRefused.

        Compares in constant time. No secret or key at all is a reason to refuse.
        """
        raise cls._lacks("webhooks")

    @classmethod
    def parse_webhook(cls, hook: Hook) -> Sequence[Hint]:
        """What a verified delivery is about; empty when it is of no interest.

        Raises HookRefused for a body that can't be read.
        """
        raise cls._lacks("webhooks")

    @classmethod
    def read_limits(cls, headers: Mapping[str, str]) -> Sequence[Limit]:
        """What an answer's headers (names in any case) tell of the limits; empty when nothing."""
        return ()

    # --- What adapters share ---------------------------------------------------------------------
    def _branch(self, request: StartRequest, default: str | None = None) -> str:
        """The branch that was asked for, else the default one, which is read where it is not known
        yet. Raises Rejected without any: policy has judged a branch, and not just any."""
        branch = request.branch or default
        if not branch and default is None:
            branch = self.get_pipeline(request.pipeline).default_branch
        if not branch:
            raise Rejected(f"{request.pipeline} has no default branch: choose the branch.")
        return branch

    def _unended(self, pipeline: str, build: str) -> RemoteBuild:
        """A build that can still be stopped. Raises Rejected when it has ended."""
        found = self.get_build(pipeline, build)
        if found.state in FINAL:
            raise Rejected(f"The build has ended already ({found.raw_state}).")
        return found

    @classmethod
    def _lacks(cls, what: str) -> Unsupported:
        return Unsupported(f"{cls.label} has nothing for {what}.")
