"""The Jenkins adapter: what it writes, and the contract's methods that are more than reading."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import unquote

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
    LogChunk,
    Receipt,
    StartRequest,
    State,
    Step,
)
from pipelines.providers.errors import NotFound, OutcomeUnknown, Rejected
from pipelines.providers.jenkins import gates, hooks, parse, runs
from pipelines.providers.jenkins.check import check
from pipelines.providers.jenkins.form import branch_parameter, fill
from pipelines.providers.jenkins.log import read_log
from pipelines.providers.jenkins.names import QueueRef, job_path, parse_ref, queue_id
from pipelines.providers.jenkins.reading import JenkinsReading
from pipelines.providers.labels import PREFIX
from pipelines.providers.wire import integer, mapping

CONSOLE = "console"


class Jenkins(JenkinsReading):
    """One Jenkins controller, over its remote API; the credential is "user:token"."""

    slug: ClassVar[str] = "jenkins"
    label: ClassVar[str] = "Jenkins"
    annotation_keys: ClassVar[tuple[str, ...]] = (
        "jenkins.io/job-full-name",
        "jenkins.io/github-folder",
    )
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.START,
            Capability.CANCEL,
            Capability.RETRY,
            Capability.STEPS,
            Capability.LOG,
            Capability.BRANCH,
            Capability.FIND_BY_REQUEST_ID,
            Capability.UNBLOCK,
            Capability.WEBHOOK,
        }
    )
    states: ClassVar[Mapping[str, State]] = runs.STATES
    hook_scope: ClassVar[HookScope] = HookScope.PIPELINE

    @classmethod
    def parse_annotations(cls, annotations: Mapping[str, str]) -> list[AnnotatedPipeline]:
        """`[server:]folder/job[,…]`; names may be percent-encoded, as Backstage's plugin reads."""
        return claims(annotations, cls.annotation_keys, lambda name: unquote(name).strip("/"))

    def check(self) -> CheckResult:
        """Who the credential is, and what can be found out about its rights."""
        return check(self._wire)

    # --- Steps, log and gates ----------------------------------------------------------------
    def steps(self, pipeline: str, build: str) -> list[Step]:
        """The console, which stands for the whole build, then its stages."""
        path = self._run_path(pipeline, self._run_ref(build))
        run = self.get_build(pipeline, build)
        console = Step(
            id=CONSOLE,
            name="Console",
            state=run.state,
            raw_state=run.raw_state,
            log_id=CONSOLE,
            started_at=run.started_at,
            finished_at=run.finished_at,
        )
        return [console, *self._stages.read(path)]

    def log(self, pipeline: str, build: str, log_id: str = "", offset: int = 0) -> LogChunk:
        """The one log of the build."""
        if log_id not in ("", CONSOLE):
            raise NotFound("Jenkins keeps one log for the whole build.")
        path = self._run_path(pipeline, self._run_ref(build))
        return read_log(
            self._wire, path, offset, lambda: self.get_build(pipeline, build).state not in FINAL
        )

    def gates(self, pipeline: str, build: str) -> list[Gate]:
        """The input steps that are open now."""
        if isinstance(parse_ref(build), QueueRef):
            return []
        path = self._run_path(pipeline, self._run_ref(build))
        return [found.gate() for found in gates.read_inputs(self._wire, path)]

    # --- Writing -----------------------------------------------------------------------------
    def start(self, request: StartRequest) -> Receipt:
        """Queues the job. Jenkins answers with a place in its queue, never with a build."""
        item, job = self._branch_job(request.pipeline, request.branch)
        declared = parse.parse_parameters(job)
        fields = fill(
            request,
            declared,
            branch_parameters=self._branch_parameters,
            commit_parameter=self._commit_parameter,
            branch_is_job=bool(item),
        )
        return self._post(request.pipeline, item, job, fields if declared else None)

    def _post(
        self, pipeline: str, item: str, job: Mapping[str, Any], fields: dict[str, str] | None
    ) -> Receipt:
        """`fields` is None for a job without parameters: Jenkins has a route for each kind."""
        if job.get("buildable") is False:
            raise Rejected(f"{pipeline} is disabled in Jenkins.")
        verb = "build" if fields is None else "buildWithParameters"
        answer = self._wire.post(f"{job_path(pipeline, item)}/{verb}", data=fields or {})
        number = queue_id(answer.headers.get("Location", ""))
        if answer.status == 302 and number is None:
            raise Rejected("Jenkins would not queue the job; is it about to shut down?")
        already = integer(mapping(job.get("queueItem")).get("id"))
        if answer.status == 303 or (number is not None and number == already):
            raise Rejected(
                "The same build waits in Jenkins' queue already, so Jenkins started no second one."
            )
        if number is None:
            raise OutcomeUnknown("Jenkins took the request and did not say where it queued it.")
        return Receipt(queue_ref=str(QueueRef(number, item)))

    def cancel(self, pipeline: str, build: str) -> None:
        """Stops a run, or takes a waiting request out of the queue."""
        ref = parse_ref(build)
        if isinstance(ref, QueueRef):
            found = self.resolve(pipeline, build).build
            if found is None:
                self._wire.post("/queue/cancelItem", params={"id": str(ref.id)})
                return
            build = found.external_id
        self._unended(pipeline, build)
        self._wire.post(f"{self._run_path(pipeline, self._run_ref(build))}/stop")

    def retry(self, request: StartRequest, build: str) -> Receipt:
        """Starts the job anew with the build's parameters and a new request id.

        Jenkins' own replay and rebuild copy every parameter, so two builds would carry one request
        id, and they give no queue id. Passwords aren't readable: their defaults are used.
        """
        ref = self._run_ref(build)
        run = self._wire.tree(self._run_path(request.pipeline, ref), runs.BUILD)
        old = parse.parameter_values(run)
        job = self._wire.tree(job_path(request.pipeline, ref.item), parse.JOB)
        declared = parse.parse_parameters(job)
        names = {parameter.name for parameter in declared}
        kept = {k: v for k, v in old.items() if k in names and not k.startswith(PREFIX)}
        branch = (
            "" if ref.item else kept.pop(branch_parameter(declared, self._branch_parameters), "")
        )
        again = StartRequest(
            pipeline=request.pipeline,
            request_id=request.request_id,
            branch=branch,
            parameters=kept,
            labels=request.labels,
        )
        fields = fill(
            again,
            declared,
            branch_parameters=self._branch_parameters,
            commit_parameter="",
            branch_is_job=bool(ref.item),
        )
        return self._post(request.pipeline, ref.item, job, fields if declared else None)

    def unblock(self, request: StartRequest, build: str, gate: str) -> None:
        """Answers an input step, or leaves it when it is no longer the one that was seen."""
        path = self._run_path(request.pipeline, self._run_ref(build))
        gates.answer(self._wire, path, gate, request)

    # --- Webhooks ----------------------------------------------------------------------------
    @classmethod
    def verify_webhook(cls, hook: Hook, keys: HookKeys, now: datetime) -> str:
        """By a secret in the address or a header: the plugin signs and dates nothing."""
        return hooks.verify(hook, keys)

    @classmethod
    def parse_webhook(cls, hook: Hook) -> list[Hint]:
        """The run that the plugin Notification speaks of."""
        return hooks.parse(hook)
