"""What is read of a Jenkins: its jobs, their builds, the queue."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pipelines.providers.base import Receipt, RemoteBuild, RemotePipeline, ServerConfig, State
from pipelines.providers.errors import (
    InvalidResponse,
    Misconfigured,
    NotFound,
    Rejected,
    Unsupported,
)
from pipelines.providers.jenkins import parse, runs
from pipelines.providers.jenkins.names import (
    BuildRef,
    QueueRef,
    branch_of,
    job_path,
    parse_ref,
)
from pipelines.providers.jenkins.stages import StageReader
from pipelines.providers.jenkins.wire import JenkinsWire
from pipelines.providers.labels import REQUEST_ID
from pipelines.providers.options import names
from pipelines.providers.provider import Provider
from pipelines.providers.wire import EPOCH, epoch_ms, integer, mapping, mappings, text
from portal.credentials import Secret
from portal.http import HttpClient

MAX_DEPTH = 10
MAX_PIPELINES = 10_000
MAX_BRANCHES_READ = 20
BUILDS_MAX = 100  # Jenkins itself cuts `builds` there
BRANCH_PARAMETERS = ("BRANCH", "GIT_BRANCH", "branch", "GIT_REF", "ref")


class JenkinsReading(Provider):
    """The reading half of the adapter."""

    def __init__(self, server: ServerConfig, http: HttpClient, credential: Secret) -> None:
        self._wire = JenkinsWire(http, server.base_url, credential)
        self._stages = StageReader(self._wire)
        self._base = server.base_url.rstrip("/")
        chosen = text(server.options.get("branch_parameter"))
        self._branch_parameters: Sequence[str] = (chosen,) if chosen else BRANCH_PARAMETERS
        self._commit_parameter = text(server.options.get("commit_parameter"))
        self._folders = names(server, "folders", "folder names")

    # --- Pipelines ---------------------------------------------------------------------------
    def list_pipelines(self) -> list[RemotePipeline]:
        """Jobs, multibranch projects and, not runnable, folders; all below the option `folders`."""
        found: list[RemotePipeline] = []
        for folder in self._folders or [""]:
            for pipeline in self._walk(folder, MAX_DEPTH):
                found.append(pipeline)
                if len(found) > MAX_PIPELINES:
                    raise Misconfigured(
                        f"Jenkins has more than {MAX_PIPELINES:,} jobs. Name the folders to read "
                        'in the server\'s option "folders".'
                    )
        return found

    def _walk(self, folder: str, depth: int) -> Iterator[RemotePipeline]:
        path = job_path(folder) if folder else ""
        answer = self._wire.tree(path, f"jobs[{parse.ITEM}]")
        if not isinstance(answer.get("jobs"), list):
            raise InvalidResponse(f"Jenkins does not list the jobs of {folder or 'its root'}.")
        for item in mappings(answer["jobs"]):
            name = text(item.get("name"))
            if not name:
                continue
            full_name = f"{folder}/{name}" if folder else name
            yield self._pipeline(item, full_name)
            if parse.is_folder(item):
                if depth == 0:
                    raise Misconfigured(f"Jenkins' folder {full_name} is nested too deeply.")
                yield from self._walk(full_name, depth - 1)

    def get_pipeline(self, pipeline: str) -> RemotePipeline:
        """One job, folder or multibranch project by its full name."""
        return self._pipeline(self._wire.tree(job_path(pipeline), parse.ITEM), pipeline)

    def _pipeline(self, item: Mapping[str, Any], full_name: str) -> RemotePipeline:
        job = None
        if parse.is_multibranch(item):
            items = parse.branch_items(item)
            name = items.get(parse.default_branch(item)) or next(iter(items.values()), "")
            try:
                job = self._wire.tree(job_path(full_name, name), parse.JOB) if name else None
            except NotFound:
                job = None  # the branch went away in between
        return parse.parse_pipeline(item, full_name, self._base, self._branch_parameters, job)

    def _branch_job(self, pipeline: str, branch: str) -> tuple[str, Mapping[str, Any]]:
        """A job as it is now, and its name as a branch job, empty for a plain job. Raises Rejected
        for a folder and for a branch that has no job."""
        job = self._wire.tree(job_path(pipeline), parse.ITEM)
        if parse.is_folder(job):
            raise Rejected(f"{pipeline} is a folder; what runs is inside it.")
        if not parse.is_multibranch(job):
            return "", job
        items = parse.branch_items(job)
        branch = branch or parse.default_branch(job)
        if not branch:
            raise Rejected(f"{pipeline} has a job per branch: choose the branch.")
        item = items.get(branch)
        if item is None:
            raise Rejected(
                f"Jenkins has no job for the branch {branch} of {pipeline}. It makes one when it "
                "next looks for branches that hold a Jenkinsfile."
            )
        return item, self._wire.tree(job_path(pipeline, item), parse.JOB)

    # --- Builds ------------------------------------------------------------------------------
    def list_builds(self, pipeline: str, *, branch: str = "", limit: int = 20) -> list[RemoteBuild]:
        """Newest first. A multibranch project's builds come from its most recent branches."""
        limit = min(limit, BUILDS_MAX)
        count = BUILDS_MAX if branch else limit
        job = self._wire.tree(
            job_path(pipeline),
            f"builds[{runs.BUILD}]{{0,{count}}},jobs[name,lastBuild[number,timestamp]]",
        )
        if parse.is_folder(job):
            raise Rejected(f"{pipeline} is a folder; what runs is inside it.")
        if parse.is_multibranch(job):
            newest = _by_newest_build(job)
            if branch:
                newest = [(when, item) for when, item in newest if branch_of(item) == branch]
            builds = self._branch_builds(pipeline, newest, limit)
        else:
            builds = self._builds(job, pipeline, "")
            builds = [build for build in builds if branch in ("", build.branch)][:limit]
        return _only_first_carrier(builds)

    def _branch_builds(
        self, pipeline: str, branches: Sequence[tuple[datetime, str]], limit: int
    ) -> list[RemoteBuild]:
        """The newest builds over branches, which go from newest to oldest last build: reading
        stops where no branch can hold a newer build than those that are there already."""
        builds: list[RemoteBuild] = []
        for newest, item in branches[:MAX_BRANCHES_READ]:
            if len(builds) >= limit and newest < _when(builds[limit - 1]):
                break
            job = self._wire.tree(job_path(pipeline, item), f"builds[{runs.BUILD}]{{0,{limit}}}")
            builds += self._builds(job, pipeline, item)
            builds.sort(key=_when, reverse=True)
        return builds[:limit]

    def _builds(self, job: Mapping[str, Any], pipeline: str, item: str) -> list[RemoteBuild]:
        return [self._build(run, pipeline, item) for run in mappings(job.get("builds"))]

    def _build(self, run: Mapping[str, Any], pipeline: str, item: str) -> RemoteBuild:
        return runs.parse_build(run, pipeline, item, self._base, self._branch_parameters)

    def get_build(self, pipeline: str, build: str) -> RemoteBuild:
        """A build by its external id or queue reference."""
        ref = parse_ref(build)
        if isinstance(ref, QueueRef):
            return self._queued(pipeline, ref)
        return self._read(pipeline, ref)

    def _read(self, pipeline: str, ref: BuildRef) -> RemoteBuild:
        run = self._wire.tree(self._run_path(pipeline, ref), runs.BUILD)
        return self._build(run, pipeline, ref.item)

    def _run_path(self, pipeline: str, ref: BuildRef) -> str:
        return f"{job_path(pipeline, ref.item)}/{ref.number}"

    def _run_ref(self, build: str) -> BuildRef:
        ref = parse_ref(build)
        if isinstance(ref, QueueRef):
            raise NotFound("The build still waits in Jenkins' queue.")
        return ref

    # --- Queue -------------------------------------------------------------------------------
    def resolve(self, pipeline: str, queue_ref: str) -> Receipt:
        """The build, or the place in the queue while it waits there."""
        ref = parse_ref(queue_ref)
        if not isinstance(ref, QueueRef):
            raise NotFound(f"{queue_ref!r} is not a place in Jenkins' queue.")
        build = self._queued(pipeline, ref)
        waits = build.external_id == str(ref) and build.state is State.QUEUED
        return Receipt(queue_ref=str(ref)) if waits else Receipt(build=build)

    def _queued(self, pipeline: str, ref: QueueRef) -> RemoteBuild:
        """What a place in the queue stands for. Jenkins forgets an item some five minutes after it
        left the queue; then the build is found by the queue id that it keeps."""
        try:
            item = self._wire.tree(f"/queue/item/{ref.id}", parse.QUEUE)
        except NotFound:
            return self._by_queue_id(pipeline, ref)
        number = integer(mapping(item.get("executable")).get("number"))
        if number is not None:
            return self._read(pipeline, BuildRef(number, ref.item))
        return runs.parse_queue_item(item, pipeline, ref)

    def _by_queue_id(self, pipeline: str, ref: QueueRef) -> RemoteBuild:
        job = self._wire.tree(
            job_path(pipeline, ref.item), f"builds[{runs.BUILD}]{{0,{BUILDS_MAX}}}"
        )
        for run in mappings(job.get("builds")):
            if integer(run.get("queueId")) == ref.id:
                return self._build(run, pipeline, ref.item)
        raise NotFound("Jenkins no longer has this queue item, and no build came of it.")

    def find_by_request_id(
        self, pipeline: str, request_id: str, *, branch: str = "", since: datetime | None = None
    ) -> Receipt | None:
        """Certain only where the job declares STAGEDOOR_REQUEST_ID: Jenkins drops it elsewhere.

        The queue is read first, since items leave it towards the builds.
        """
        try:
            item, job = self._branch_job(pipeline, branch)
        except Rejected as error:
            raise Unsupported(str(error)) from None
        if REQUEST_ID not in {parameter.name for parameter in parse.parse_parameters(job)}:
            raise Unsupported(
                f"The job does not declare the parameter {REQUEST_ID}, so Jenkins can't tell which "
                "build a request became."
            )
        for waiting in mappings(self._wire.tree("/queue", f"items[{parse.QUEUE}]").get("items")):
            queue_id = integer(waiting.get("id"))
            if parse.parameter_values(waiting).get(REQUEST_ID) == request_id and queue_id:
                return Receipt(queue_ref=str(QueueRef(queue_id, item)))
        recent = self._wire.tree(
            job_path(pipeline, item), f"builds[{runs.BUILD}]{{0,{BUILDS_MAX}}}"
        )
        builds = self._builds(recent, pipeline, item)
        carriers = [build for build in builds if build.request_id == request_id]
        if carriers:
            return Receipt(build=carriers[-1])
        if since and len(builds) >= BUILDS_MAX and _when(builds[-1]) > since:
            raise Unsupported(
                f"Jenkins has started more than {BUILDS_MAX} builds since; it lists no older ones."
            )
        return None


def _by_newest_build(project: Mapping[str, Any]) -> list[tuple[datetime, str]]:
    found = []
    for job in mappings(project.get("jobs")):
        newest = epoch_ms(mapping(job.get("lastBuild")).get("timestamp"))
        if newest and text(job.get("name")):
            found.append((newest, text(job["name"])))
    return sorted(found, reverse=True)


def _when(build: RemoteBuild) -> datetime:
    return build.queued_at or EPOCH


def _only_first_carrier(builds: Sequence[RemoteBuild]) -> list[RemoteBuild]:
    """Only the oldest build of a request id is the one that was asked for: whoever runs a build
    again in Jenkins copies its parameters, the request id included."""
    seen: set[str] = set()
    kept = []
    for build in reversed(builds):
        kept.append(replace(build, request_id="") if build.request_id in seen else build)
        seen.add(build.request_id)
    return kept[::-1]
