"""The Buildkite adapter. A pipeline's external id is `organization/pipeline`, a build's its number.

Source: buildkite.com/docs/apis/rest-api (builds, jobs, pipelines, access-token).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from pipelines.providers.base import (
    FINAL,
    Capability,
    CheckResult,
    Gate,
    Hint,
    Hook,
    HookKeys,
    HookScope,
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
from pipelines.providers.buildkite import hooks, limits
from pipelines.providers.buildkite.check import ORGANIZATIONS, check
from pipelines.providers.buildkite.gates import BLOCKED, open_gates
from pipelines.providers.buildkite.log import read_log
from pipelines.providers.buildkite.parse import (
    REQUEST_ID_KEY,
    STATES,
    parse_build,
    parse_job,
    parse_pipeline,
)
from pipelines.providers.buildkite.start import again, body
from pipelines.providers.buildkite.wire import PAGE, BuildkiteWire
from pipelines.providers.errors import (
    Forbidden,
    Misconfigured,
    NotFound,
    OutcomeUnknown,
    Rejected,
)
from pipelines.providers.options import names
from pipelines.providers.provider import Provider
from pipelines.providers.wire import EPOCH, is_number, mapping, mappings, segment, text
from portal.credentials import Secret
from portal.http import HttpClient

MAX_JOBS = 500
# Without their jobs a build is a few kB; with them it may be megabytes.
SLIM = {"exclude_jobs": "true"}
_JOB_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


class Buildkite(Provider):
    """Buildkite's REST API; the credential is an API access token."""

    slug: ClassVar[str] = "buildkite"
    label: ClassVar[str] = "Buildkite"
    annotation_keys: ClassVar[tuple[str, ...]] = (
        "buildkite.com/pipeline-slug",
        "buildkite.com/project-slug",
    )
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.START,
            Capability.CANCEL,
            Capability.RETRY,
            Capability.STEPS,
            Capability.LOG,
            Capability.BRANCH,
            Capability.COMMIT,
            Capability.VARIABLES,
            Capability.FIND_BY_REQUEST_ID,
            Capability.UNBLOCK,
            Capability.FEED,
            Capability.WEBHOOK,
        }
    )
    states: ClassVar[Mapping[str, State]] = STATES
    limits: ClassVar[tuple[Limit, ...]] = limits.LIMITS
    hook_scope: ClassVar[HookScope] = HookScope.SERVER

    def __init__(self, server: ServerConfig, http: HttpClient, credential: Secret) -> None:
        self._wire = BuildkiteWire(http, server.base_url, credential)
        self._organizations = names(server, "organizations", "organization slugs")

    # --- Pipelines ---------------------------------------------------------------------------
    def list_pipelines(self) -> list[RemotePipeline]:
        """Every organization's pipelines; archived ones are listed as not runnable."""
        return [
            parse_pipeline(row, organization)
            for organization in self._organizations or self._find_organizations()
            for row in self._wire.all_rows(f"/organizations/{segment(organization)}/pipelines")
        ]

    def _find_organizations(self) -> list[str]:
        try:
            rows = self._wire.all_rows("/organizations")
        except Forbidden:
            raise Misconfigured(
                f"The token lacks the scope {ORGANIZATIONS}, so name the organizations in the "
                'server\'s option "organizations".'
            ) from None
        found = [slug for row in rows if (slug := text(row.get("slug")))]
        if not found:
            # Nothing is "all gone": a token that an organization has removed looks just so.
            raise Forbidden("The token reaches no organization, or none any more.")
        return found

    def get_pipeline(self, pipeline: str) -> RemotePipeline:
        """One pipeline. Buildkite's pipelines declare no parameters."""
        organization, path = _pipeline_path(pipeline)
        return parse_pipeline(self._wire.one(path), organization)

    # --- Builds ------------------------------------------------------------------------------
    def list_builds(self, pipeline: str, *, branch: str = "", limit: int = 20) -> list[RemoteBuild]:
        """One page, so at most 100."""
        params = {**SLIM, "exclude_pipeline": "true", "per_page": str(min(limit, PAGE))}
        if branch:
            params["branch"] = branch
        rows = self._wire.rows(f"{_pipeline_path(pipeline)[1]}/builds", params)
        builds = [parse_build(row, pipeline) for row in rows]
        # The filter reads `*` and commas as patterns; a branch is meant literally here.
        return [build for build in builds if branch in ("", build.branch)]

    def get_build(self, pipeline: str, build: str) -> RemoteBuild:
        """One build by its number."""
        return parse_build(self._wire.one(_build_path(pipeline, build), SLIM), pipeline)

    def feed(self, limit: int = 100) -> list[RemoteBuild]:
        """One page of each organization, or one of all where none is named."""
        params = {**SLIM, "exclude_pipeline": "true", "per_page": str(min(limit, PAGE))}
        places = [f"/organizations/{segment(slug)}/builds" for slug in self._organizations]
        rows = [row for place in places or ["/builds"] for row in self._wire.rows(place, params)]
        named = [(row, hooks.pipeline_at(row.get("url"))) for row in rows]
        builds = [parse_build(row, pipeline) for row, pipeline in named if pipeline]
        return sorted(builds, key=lambda build: build.queued_at or EPOCH, reverse=True)[:limit]

    def find_by_request_id(
        self, pipeline: str, request_id: str, *, branch: str = "", since: datetime | None = None
    ) -> Receipt | None:
        """By the meta-data that start() gave. How soon a new build is found is not documented."""
        params = {**SLIM, f"meta_data[{REQUEST_ID_KEY}]": request_id, "per_page": str(PAGE)}
        rows = self._wire.rows(f"{_pipeline_path(pipeline)[1]}/builds", params)
        # Read again here: a server that ignores the filter answers with other builds.
        builds = [parse_build(row, pipeline) for row in rows]
        found = [build for build in builds if build.request_id == request_id]
        if not found:
            return None
        return Receipt(build=min(found, key=lambda build: build.number or 0))

    # --- Steps and log -----------------------------------------------------------------------
    def steps(self, pipeline: str, build: str) -> list[Step]:
        """The build's jobs in their order, the first 500."""
        steps = map(parse_job, self._jobs(_build_path(pipeline, build)))
        return [step for step in steps if step]

    def _jobs(
        self, build_path: str, narrowed: Mapping[str, str] | None = None
    ) -> list[Mapping[str, Any]]:
        """By pages, since a build may hold 4,000 jobs; of the link only the cursor is used. An
        API without that list has them in the build."""
        jobs: list[Mapping[str, Any]] = []
        # Attempts that were retried are in the list unless they are declined.
        params = {"per_page": str(PAGE), "include_retried_jobs": "false", **(narrowed or {})}
        while len(jobs) < MAX_JOBS:
            try:
                page = self._wire.one(f"{build_path}/jobs", params)
            except NotFound:
                if jobs:
                    raise
                return mappings(self._wire.one(build_path).get("jobs"))
            jobs += mappings(page.get("items"))
            after = _cursor(mapping(page.get("links")).get("next"))
            if not after:
                break
            params["after"] = after
        return jobs[:MAX_JOBS]

    def log(self, pipeline: str, build: str, log_id: str = "", offset: int = 0) -> LogChunk:
        """A job's log. Its state is read before the log, so that an ended job's log is whole."""
        if not _JOB_ID.fullmatch(log_id):
            raise NotFound("Buildkite keeps a log per job; name the job.")
        build_path = _build_path(pipeline, build)
        found = [job for job in self._jobs(build_path) if job.get("id") == log_id]
        step = parse_job(found[0]) if found else None
        if step is None or not step.log_id:
            raise NotFound("This build has no such job, or the job has no log.")
        path = f"{build_path}/jobs/{log_id}"
        return read_log(self._wire, path, offset, over=step.state in FINAL)

    def gates(self, pipeline: str, build: str) -> list[Gate]:
        """The block steps that wait."""
        path = _build_path(pipeline, build)
        try:
            return open_gates(self._jobs(path, BLOCKED))
        except Rejected:
            # Which words the filter knows is not documented.
            return open_gates(self._jobs(path))

    # --- Writing -----------------------------------------------------------------------------
    def start(self, request: StartRequest) -> Receipt:
        """Creates a build; the answer is the build itself."""
        path = _pipeline_path(request.pipeline)[1]
        return self._create(path, request, body(request, self._branch(request)))

    def retry(self, request: StartRequest, build: str) -> Receipt:
        """Creates a new build of the same branch, commit and variables.

        Not by the vendor's rebuild: that copies the old request id along, and a lost answer could
        not be looked up, since a rebuild takes no meta-data of its own.
        """
        old = self._wire.one(_build_path(request.pipeline, build), SLIM)
        return self._create(_pipeline_path(request.pipeline)[1], request, again(request, old))

    def _create(self, path: str, request: StartRequest, fields: Mapping[str, object]) -> Receipt:
        answer = self._wire.write("POST", f"{path}/builds", json=fields)
        build = self._wire.written(answer, lambda row: parse_build(mapping(row), request.pipeline))
        return Receipt(build=build)

    def cancel(self, pipeline: str, build: str) -> None:
        """Asks to stop; the build is `canceling` until its jobs have ended."""
        self._unended(pipeline, build)
        self._wire.write("PUT", f"{_build_path(pipeline, build)}/cancel")

    def unblock(self, request: StartRequest, build: str, gate: str) -> None:
        """Opens a block step. Buildkite shows the token's owner as the one who did, always."""
        if request.parameters:
            raise Rejected("Buildkite does not tell what a block step asks for: open it there.")
        if gate not in [known.id for known in self.gates(request.pipeline, build)]:
            raise Rejected("The build does not wait at this step, or does so no longer.")
        path = f"{_build_path(request.pipeline, build)}/jobs/{segment(gate)}/unblock"
        answer = self._wire.write("PUT", path, json={})
        if self._wire.written(answer, lambda job: mapping(job).get("id")) != gate:
            raise OutcomeUnknown(
                "Buildkite took the request and answered something else than the step."
            )

    # --- Connection test ---------------------------------------------------------------------
    def check(self) -> CheckResult:
        """Whose token it is, and what it lacks, has for nothing, and how long."""
        return check(self._wire, named=bool(self._organizations))

    # --- Webhooks and limits -------------------------------------------------------------------
    @classmethod
    def verify_webhook(cls, hook: Hook, keys: HookKeys, now: datetime) -> str:
        """By signature and its moment, or by the token in the header."""
        return hooks.verify(hook, keys, now)

    @classmethod
    def parse_webhook(cls, hook: Hook) -> list[Hint]:
        """The build of a build.* or job.* event."""
        return hooks.parse(hook)

    @classmethod
    def read_limits(cls, headers: Mapping[str, str]) -> list[Limit]:
        """Of the organization and of the user."""
        return limits.read_limits(headers)


def _pipeline_path(pipeline: str) -> tuple[str, str]:
    """The organization, and the path of `organization/pipeline`."""
    organization, _, slug = pipeline.partition("/")
    return organization, f"/organizations/{segment(organization)}/pipelines/{segment(slug)}"


def _build_path(pipeline: str, build: str) -> str:
    if not is_number(build):
        raise NotFound(f"{build!r} is not a Buildkite build.")
    return f"{_pipeline_path(pipeline)[1]}/builds/{build}"


def _cursor(link: object) -> str:
    try:
        return parse_qs(urlsplit(text(link)).query).get("after", [""])[0]
    except ValueError:
        return ""
