"""The Travis CI adapter. A pipeline's external id is `owner/repository`, a build's Travis' own id.

Sources: developer.travis-ci.com, docs.travis-ci.com, travis-ci/travis-api; facts in README.md.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pipelines.providers.base import (
    FINAL,
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
    RemotePipeline,
    ServerConfig,
    StartRequest,
    State,
    Step,
)
from pipelines.providers.errors import (
    Misconfigured,
    NotFound,
    Rejected,
)
from pipelines.providers.options import names
from pipelines.providers.provider import Provider
from pipelines.providers.travis import hooks
from pipelines.providers.travis.check import check
from pipelines.providers.travis.log import is_settled, read_log
from pipelines.providers.travis.parse import (
    REQUEST_STATES,
    STATES,
    Places,
    parse_build,
    parse_job,
    parse_repository,
    vcs_of,
)
from pipelines.providers.travis.requesting import BUILD_PARTS, Requests, is_reference, reference
from pipelines.providers.travis.start import again, body
from pipelines.providers.travis.wire import Answer, TravisWire
from pipelines.providers.wire import integer, is_number, iso_time, mapping, segment, text, web_link
from portal.credentials import Secret
from portal.http import HttpClient

PAGE = 100
VCS = ("github", "bitbucket", "gitlab", "assembla")
HOSTED = "api.travis-ci.com"
SOURCES = {vcs: f"https://{vcs}.{'org' if vcs == 'bitbucket' else 'com'}" for vcs in VCS[:3]}
# What a branch's list is made of: a pull request's build stands under the branch it would go to.
OF_A_BRANCH = "push,api,cron"


class Travis(Provider):
    """Travis CI's API v3; the credential is a user's API token."""

    slug: ClassVar[str] = "travis"
    label: ClassVar[str] = "Travis CI"
    annotation_keys: ClassVar[tuple[str, ...]] = ("travis-ci.com/repo-slug",)
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
            Capability.ACTIVATE,
            Capability.WEBHOOK,
        }
    )
    states: ClassVar[Mapping[str, State]] = {**STATES, **REQUEST_STATES}
    # Travis tells neither in a header. 50 POSTs in any 30 s shut the token out for an hour; so half
    # of that in each of ours, of which two make up any such time.
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("requests", 2000, 60),
        Limit("writes", 24, 30, writes=True),
    )
    hook_scope: ClassVar[HookScope] = HookScope.PIPELINE

    def __init__(self, server: ServerConfig, http: HttpClient, credential: Secret) -> None:
        self._wire = TravisWire(http, server.base_url, credential)
        self._owners = names(server, "owners", "logins")
        vcs = server.options.get("vcs", VCS[0])
        if vcs not in VCS:
            raise Misconfigured(f'The option "vcs" is one of {", ".join(VCS)}.')
        self._places = _places(server, str(vcs))

    def check(self) -> CheckResult:
        """GET /user, and GET /config for the key of webhooks."""
        return check(self._wire, self._places.vcs)

    # --- Pipelines ---------------------------------------------------------------------------
    def list_pipelines(self) -> list[RemotePipeline]:
        """The owners' repositories, or all that the token's user has. Travis learns of a new one
        when it syncs the user with the host of the repositories."""
        paths = [f"/owner/{self._of_vcs(segment(login))}/repos" for login in self._owners]
        found: dict[str, RemotePipeline] = {}
        for path in paths or ["/repos"]:
            for row in self._wire.all_rows(path, "repositories", {"sort_by": "id"}):
                if vcs_of(row) in ("", self._places.vcs):
                    pipeline = parse_repository(Answer(row), row, self._places)
                    found[pipeline.stable_id] = pipeline
        return list(found.values())

    def get_pipeline(self, pipeline: str) -> RemotePipeline:
        """One repository. Those declare no parameters."""
        answer = self._wire.ask(self._repo(pipeline))
        return parse_repository(answer, answer.data, self._places)

    def _repo(self, pipeline: str) -> str:
        """The path of a repository. Its slash must stay encoded, else it is another address."""
        owner, _, name = pipeline.partition("/")
        if not owner or not name:
            raise NotFound(f"{pipeline!r} is no repository.")
        return f"/repo/{self._of_vcs(segment(pipeline))}"

    def _of_vcs(self, name: str) -> str:
        vcs = self._places.vcs
        return name if vcs == VCS[0] else f"{vcs}/{name}"

    # --- Builds ------------------------------------------------------------------------------
    def list_builds(self, pipeline: str, *, branch: str = "", limit: int = 20) -> list[RemoteBuild]:
        """One page, so at most 100. Sorted by id, since numbers are texts."""
        params = {"sort_by": "id:desc", "limit": str(min(limit, PAGE)), "include": BUILD_PARTS}
        if branch:
            params |= {"branch.name": branch, "build.event_type": OF_A_BRANCH}
        answer = self._wire.ask(f"{self._repo(pipeline)}/builds", params)
        rows = answer.rows("builds")
        builds = [parse_build(answer, row, pipeline, self._places) for row in rows]
        # The filter reads a comma as a list; a branch is meant literally here.
        return [build for build in builds if branch in ("", build.branch)]

    def get_build(self, pipeline: str, build: str) -> RemoteBuild:
        """One build by its id, or what stands for it while there is only a request."""
        if is_reference(build):
            found = self._requests(pipeline).look(build)
            if isinstance(found, RemoteBuild):
                return found
            build = found
        answer = self._build(pipeline, build)
        return parse_build(answer, answer.data, pipeline, self._places)

    def _build(self, pipeline: str, build: str, include: str = BUILD_PARTS) -> Answer:
        """Ids hold for the whole server, so it is made sure that this build is the pipeline's."""
        self._repo(pipeline)
        answer = self._wire.ask(_build_path(build), {"include": include})
        self._require(pipeline, answer, answer.data)
        return answer

    def _require(self, pipeline: str, answer: Answer, row: Mapping[str, Any]) -> None:
        slug = text(answer.at(row, "repository").get("slug"))
        if slug.casefold() != pipeline.casefold():
            raise NotFound(f"Travis CI has no such thing in {pipeline}.")

    def _requests(self, pipeline: str) -> Requests:
        return Requests(self._wire, self._places, pipeline, self._repo(pipeline))

    def resolve(self, pipeline: str, queue_ref: str) -> Receipt:
        """A rejected request is a failed build of its own, one that nothing came of an unknown."""
        build = self.get_build(pipeline, queue_ref)
        if is_reference(build.external_id) and build.state is State.QUEUED:
            return Receipt(queue_ref=queue_ref)
        return Receipt(build=build)

    def find_by_request_id(
        self, pipeline: str, request_id: str, *, branch: str = "", since: datetime | None = None
    ) -> Receipt | None:
        """By what start() wrote into the message and the variables."""
        return self._requests(pipeline).find(request_id, branch, since)

    # --- Steps and log -----------------------------------------------------------------------
    def steps(self, pipeline: str, build: str) -> list[Step]:
        """The build's jobs in their order; stages are in their names."""
        answer = self._richer(f"{_build_path(build)}/jobs", "job.config")
        rows = answer.rows("jobs")
        if not rows:
            self._build(pipeline, build)
            return []
        self._require(pipeline, answer, rows[0])
        stages = [integer(answer.at(row, "stage").get("id")) for row in rows]
        steps = [
            parse_job(answer, row, alone=stages.count(stage) == 1)
            for row, stage in zip(rows, stages, strict=True)
        ]
        return sorted(steps, key=lambda step: int(step.id))

    def _richer(self, path: str, include: str) -> Answer:
        """With what an older Enterprise may not know."""
        try:
            return self._wire.ask(path, {"include": include})
        except Rejected:
            return self._wire.ask(path)

    def log(self, pipeline: str, build: str, log_id: str = "", offset: int = 0) -> LogChunk:
        """A job's log. Its state is read before the log, so that an ended job's log is whole."""
        _build_path(build)
        if not is_number(log_id):
            raise NotFound("Travis CI keeps a log per job; name the job.")
        path = f"/job/{log_id}"
        answer = self._richer(path, "job.log_complete")
        job = answer.data
        if str(integer(answer.at(job, "build").get("id"))) != build:
            raise NotFound("This build has no such job.")
        self._require(pipeline, answer, job)
        over = STATES.get(text(job.get("state"))) in FINAL
        settled = is_settled(job.get("log_complete"), iso_time(job.get("finished_at")), answer.now)
        return read_log(self._wire, path, offset, settled=over and settled)

    # --- Writing -----------------------------------------------------------------------------
    def start(self, request: StartRequest) -> Receipt:
        """Asks for a build; the answer is the request that becomes one."""
        path = f"{self._repo(request.pipeline)}/requests"
        answer = self._wire.write("POST", path, json=body(request, self._branch(request)))
        now = self._wire.clock(answer)
        ref = self._wire.written(answer, lambda told: self._accepted(told, request, now))
        return Receipt(queue_ref=ref)

    def _accepted(self, told: object, request: StartRequest, now: datetime) -> str:
        answer = Answer(mapping(told), now)
        if answer.data.get("@type") != "pending":
            raise self._wire.misshapen()
        return reference(answer.at(answer.data, "request"), request.request_id, now)

    def retry(self, request: StartRequest, build: str) -> Receipt:
        """Asks for a new build of the same branch, commit and variables.

        Not by the vendor's restart: that runs the same build again under its old id, erases its
        log, and leaves nothing by which a lost answer could be looked up.
        """
        if is_reference(build):
            raise Rejected("Travis CI made no build of this, so none can run again: start one.")
        answer = self._build(request.pipeline, build, f"{BUILD_PARTS},build.request")
        asked: Mapping[str, object] = {}
        number = integer(answer.at(answer.data, "request").get("id"))
        if number is not None and answer.data.get("event_type") == "api":
            asked = self._wire.ask(f"{self._repo(request.pipeline)}/request/{number}").data
        return self.start(again(request, answer, asked))

    def cancel(self, pipeline: str, build: str) -> None:
        """Asks to stop, which Travis does a moment later."""
        found = self._unended(pipeline, build)
        if is_reference(found.external_id):
            raise Rejected("Travis CI can't stop a request before it has become a build.")
        self._wire.write("POST", f"{_build_path(found.external_id)}/cancel")

    def activate(self, pipeline: str, hook: HookTarget | None) -> Sequence[str]:
        """Switches the repository on. Where webhooks go can only be said in its own file."""
        done = []
        if self.get_pipeline(pipeline).active:
            done.append(f"{pipeline} was switched on already.")
        else:
            self._wire.write("POST", f"{self._repo(pipeline)}/activate")
            done.append(f"{pipeline} is switched on in Travis CI.")
        if hook is not None:
            done.append(
                "To have news at once, add to .travis.yml: "
                f"notifications: {{webhooks: {{urls: ['{hook.url}'], on_start: always, "
                "on_success: always, on_failure: always, on_cancel: always, on_error: always}} "
                "-- Travis CI takes webhooks from that file only."
            )
        return done

    # --- Webhooks ----------------------------------------------------------------------------
    @classmethod
    def verify_webhook(cls, hook: Hook, keys: HookKeys, now: datetime) -> str:
        """By Travis' public key; there is neither a secret nor a time to check."""
        return hooks.verify(hook, keys)

    @classmethod
    def parse_webhook(cls, hook: Hook) -> Sequence[Hint]:
        return hooks.parse(hook)


def _build_path(build: str) -> str:
    if not is_number(build):
        raise NotFound(f"{build!r} is not a Travis CI build.")
    return f"/build/{build}"


def _places(server: ServerConfig, vcs: str) -> Places:
    """Pages of people: those of travis-ci.com, of an Enterprise without its /api, or as told."""
    base = server.base_url.rstrip("/")
    hosted = urlsplit(base).hostname == HOSTED
    web, source = server.options.get("web_url", ""), server.options.get("source_url", "")
    if not isinstance(web, str) or not isinstance(source, str):
        raise Misconfigured('The options "web_url" and "source_url" are addresses.')
    if (web and not web_link(web)) or (source and not web_link(source)):
        raise Misconfigured('The options "web_url" and "source_url" begin with https://.')
    usual = "https://app.travis-ci.com" if hosted else base.removesuffix("/api")
    known = SOURCES.get(vcs, "") if hosted else ""
    return Places(web.rstrip("/") or usual, source.rstrip("/") or known, vcs)
