"""The Bitbucket adapter. A pipeline's external id is `workspace/repository`, a build's its number.

Source: developer.atlassian.com/cloud/bitbucket/rest, group Pipelines.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pipelines.providers.base import (
    FINAL,
    AnnotatedPipeline,
    Capability,
    CheckResult,
    Hint,
    Hook,
    HookKeys,
    HookScope,
    HookTarget,
    Limit,
    LogChunk,
    Receipt,
    RemoteBuild,
    RemoteParameter,
    RemotePipeline,
    ServerConfig,
    StartRequest,
    State,
    Step,
)
from pipelines.providers.bitbucket import activate, hooks
from pipelines.providers.bitbucket.check import check
from pipelines.providers.bitbucket.credential import authority_for
from pipelines.providers.bitbucket.log import read_log
from pipelines.providers.bitbucket.names import (
    ANNOTATIONS,
    build_path,
    named,
    repository_path,
    web_of,
)
from pipelines.providers.bitbucket.parse import (
    BUILD_FIELDS,
    REPOSITORY_FIELDS,
    STATES,
    WAITS,
    parse_build,
    parse_repository,
    parse_step,
    waits_for_a_person,
)
from pipelines.providers.bitbucket.start import again, body
from pipelines.providers.bitbucket.wire import DATA_CENTER, PAGE, BitbucketWire
from pipelines.providers.bitbucket.yml import FILE, FREE, MAX_BYTES, parameters_of
from pipelines.providers.errors import (
    InvalidResponse,
    Misconfigured,
    NotFound,
    Rejected,
)
from pipelines.providers.options import names
from pipelines.providers.provider import Provider
from pipelines.providers.wire import mapping, segment, text
from portal.credentials import Secret
from portal.http import HttpClient

HOUR = 3600.0
REPOSITORIES = "repositories"  # everything below /repositories is counted as one
_STEP_ID = re.compile(r"[0-9A-Za-z{}-]{1,64}")
# Words by which a build could turn out to wait for a person; see waits_for_a_person().
_RUNS = ("RUNNING", "IN_PROGRESS")


class Bitbucket(Provider):
    """Bitbucket Cloud; the credential is an API token, an access token or an OAuth consumer."""

    slug: ClassVar[str] = "bitbucket"
    label: ClassVar[str] = "Bitbucket"
    annotation_keys: ClassVar[tuple[str, ...]] = ANNOTATIONS
    # No look-up of requests: a build shows nothing of what was given at its start, and to go by
    # branch and time could tie one build to two requests. An uncertain start is a person's.
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
            Capability.DETAILS,
            Capability.ACTIVATE,
            Capability.WEBHOOK,
        }
    )
    states: ClassVar[Mapping[str, State]] = STATES
    limits: ClassVar[tuple[Limit, ...]] = (Limit(REPOSITORIES, 1000, HOUR),)
    hook_scope: ClassVar[HookScope] = HookScope.PIPELINE

    def __init__(self, server: ServerConfig, http: HttpClient, credential: Secret) -> None:
        if "rest" in urlsplit(server.base_url).path.split("/"):
            raise Misconfigured(DATA_CENTER)
        self._web = web_of(server.base_url)
        self._workspaces = names(server, "workspaces", "workspace slugs")
        if not self._workspaces:
            raise Misconfigured(
                'The option "workspaces" names at least one workspace by its slug: Bitbucket has '
                "no list of repositories over all workspaces."
            )
        address = _token_url(server, self._web)
        authority = authority_for(credential, server.options, http, address)
        self._wire = BitbucketWire(http, server.base_url, authority)

    @classmethod
    def parse_annotations(cls, annotations: Mapping[str, str]) -> list[AnnotatedPipeline]:
        """`[server:]workspace/repository[,…]`, or a repository's address."""
        return named(annotations)

    # --- Pipelines ---------------------------------------------------------------------------
    def check(self) -> CheckResult:
        """Asks for one repository of each workspace, whose headers tell the scopes."""
        return check(self._wire, self._workspaces)

    def list_pipelines(self) -> list[RemotePipeline]:
        """Every workspace's repositories, the oldest first: so a new one shifts no page."""
        params = {"pagelen": str(PAGE), "sort": "created_on", "fields": REPOSITORY_FIELDS}
        return [
            parse_repository(row, self._web)
            for workspace in self._workspaces
            for row in self._wire.all_rows(f"/repositories/{segment(workspace)}", params)
        ]

    def get_pipeline(self, pipeline: str) -> RemotePipeline:
        """One repository with what its pipelines ask for; also by its `{uuid}` after a rename."""
        path = repository_path(pipeline)
        found = parse_repository(self._wire.one(path), self._web)
        on = self._is_on(path)
        parameters = self._parameters(path, found.default_branch)
        return replace(found, parameters=parameters, active=on, runnable=on)

    def _parameters(self, path: str, branch: str) -> tuple[RemoteParameter, ...]:
        """By commit: a branch whose name holds a slash has no address among the sources."""
        if not branch:
            return ()
        answer = self._wire.get(f"{path}/refs/branches/{_slashed(branch)}", expect=(404,))
        if answer.status == 404:
            return ()
        commit = text(mapping(mapping(self._wire.json(answer)).get("target")).get("hash"))
        file = self._wire.get(
            f"{path}/src/{segment(commit)}/{FILE}",
            accept="*/*",
            max_bytes=MAX_BYTES + 1,
            truncate=True,
            expect=(301, 302, 307, 404),
        )
        if file.status == 404:
            return ()
        if file.content_type == "text/html":
            raise InvalidResponse("Bitbucket answered a page in place of a file.")
        # A redirect leads to the store of large files.
        return parameters_of(file.body) if file.status == 200 else (FREE,)

    def _is_on(self, path: str) -> bool:
        """Whether Pipelines is on; only administrators may ask, and "unknown" counts as on."""
        answer = self._wire.get(f"{path}/pipelines_config", expect=(403, 404))
        if answer.status != 200:
            return True
        return mapping(self._wire.json(answer)).get("enabled") is not False

    # --- Builds ------------------------------------------------------------------------------
    def list_builds(self, pipeline: str, *, branch: str = "", limit: int = 20) -> list[RemoteBuild]:
        """One page, so at most 100. Without `sort` the oldest come first."""
        params = {
            "sort": "-created_on",
            "pagelen": str(min(max(limit, 1), PAGE)),
            "fields": BUILD_FIELDS,
        }
        if branch:
            params["target.branch"] = branch
        rows = self._wire.rows(f"{repository_path(pipeline)}/pipelines", params)
        builds = [parse_build(row, pipeline, self._web) for row in rows]
        # Read again here: filters that are not known are ignored.
        wanted = [build for build in builds if branch in ("", build.branch)]
        return sorted(wanted, key=lambda build: build.number or 0, reverse=True)[:limit]

    def get_build(self, pipeline: str, build: str) -> RemoteBuild:
        """One build by its number."""
        path = build_path(pipeline, build)
        found = parse_build(self._wire.one(path), pipeline, self._web)
        if found.raw_state in _RUNS and waits_for_a_person(self._steps(path)):
            return replace(found, state=State.WAITING, reason=WAITS)
        return found

    def _steps(self, path: str) -> list[Mapping[str, Any]]:
        return self._wire.all_rows(f"{path}/steps", {"pagelen": str(PAGE)})

    def steps(self, pipeline: str, build: str) -> list[Step]:
        """The steps in their order; none while the file is being parsed."""
        rows = self._steps(build_path(pipeline, build))
        return [parse_step(row, number) for number, row in enumerate(rows, start=1)]

    def log(self, pipeline: str, build: str, log_id: str = "", offset: int = 0) -> LogChunk:
        """A step's log; an ended one's is whole."""
        if not _STEP_ID.fullmatch(log_id):
            raise NotFound("Bitbucket keeps a log per step; name the step.")

        def ended() -> bool:
            found = [step for step in self.steps(pipeline, build) if step.log_id == log_id]
            if not found:
                raise NotFound("This build has no such step, or the step has no log.")
            return found[0].state in FINAL

        path = f"{build_path(pipeline, build)}/steps/{segment(log_id)}/log"
        return read_log(self._wire, path, offset, ended)

    # --- Writing -----------------------------------------------------------------------------
    def start(self, request: StartRequest) -> Receipt:
        """Starts a pipeline; the answer is the build itself."""
        path = repository_path(request.pipeline)
        default = ""
        if not request.branch:
            default = parse_repository(self._wire.one(path), self._web).default_branch
        return self._create(path, request, body(request, self._branch(request, default)))

    def retry(self, request: StartRequest, build: str) -> Receipt:
        """Starts the build's target once more. Here `request.parameters` count: Bitbucket does not
        tell a build's variables, and the portal has kept those that it sent."""
        old = self._wire.one(build_path(request.pipeline, build))
        return self._create(repository_path(request.pipeline), request, again(request, old))

    def _create(self, path: str, request: StartRequest, fields: Mapping[str, object]) -> Receipt:
        """The build of the answer is this request's, whatever it says of itself."""
        answer = self._wire.write("POST", f"{path}/pipelines", json=fields)
        build = self._wire.written(
            answer, lambda row: parse_build(mapping(row), request.pipeline, self._web)
        )
        return Receipt(build=replace(build, request_id=request.request_id))

    def cancel(self, pipeline: str, build: str) -> None:
        """Asks to stop. A paused build answers that it will, and then does not."""
        if self._unended(pipeline, build).state is State.WAITING:
            raise Rejected(
                "Bitbucket can't stop a build that waits for a manual step: its request to stop "
                "has no effect then. Stop it on its page in Bitbucket."
            )
        self._wire.write("POST", f"{build_path(pipeline, build)}/stopPipeline")

    def activate(self, pipeline: str, hook: HookTarget | None) -> Sequence[str]:
        """Pipelines on, and the webhook; needs a credential that administers the repository."""
        path = repository_path(pipeline)
        done = [activate.switch_on(self._wire, path)]
        if hook is not None:
            done.append(activate.register(self._wire, path, hook))
        return done

    # --- Webhooks and limits -------------------------------------------------------------------
    @classmethod
    def verify_webhook(cls, hook: Hook, keys: HookKeys, now: datetime) -> str:
        """Bitbucket signs no time, so only the replay cache tells an old delivery."""
        return hooks.verify(hook, keys)

    @classmethod
    def parse_webhook(cls, hook: Hook) -> Sequence[Hint]:
        """Statuses that link to a build, and what starts builds."""
        return hooks.parse(hook)

    @classmethod
    def read_limits(cls, headers: Mapping[str, str]) -> Sequence[Limit]:
        """Told to access tokens only: the limit, and whether less than a fifth of it is left."""
        lower = {name.lower(): value for name, value in headers.items()}
        told = lower.get("x-ratelimit-limit", "").strip()
        if not (told.isascii() and told.isdigit()) or not 0 < int(told[:9]) < 10_000_000:
            return ()
        limit = int(told[:9])
        near = lower.get("x-ratelimit-nearlimit", "").strip().lower() == "true"
        left = limit // 5 if near else None
        return (Limit(REPOSITORIES, limit, HOUR, remaining=left),)


def _token_url(server: ServerConfig, web: str) -> str:
    """Where OAuth tokens come from; never less safe than the API itself."""
    address = text(server.options.get("token_url")) or f"{web}/site/oauth2/access_token"
    if server.base_url.startswith("https://") and not address.startswith("https://"):
        raise Misconfigured('The option "token_url" is an address that begins with https://.')
    return address


def _slashed(branch: str) -> str:
    """A branch's path: the API takes its slashes as they are."""
    return "/".join(segment(part) for part in branch.split("/"))
