"""The Drone adapter. A pipeline's external id is `namespace/name`, a build's its number.

Source: the server's own code (drone 2.25) and recorded answers of a real server.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pipelines.providers.base import (
    Capability,
    CheckResult,
    Gate,
    Hint,
    Hook,
    HookKeys,
    HookScope,
    HookTarget,
    LogChunk,
    Receipt,
    RemoteBuild,
    RemotePipeline,
    ServerConfig,
    StartRequest,
    State,
    Step,
)
from pipelines.providers.drone import hooks
from pipelines.providers.drone.check import check
from pipelines.providers.drone.log import read_log
from pipelines.providers.drone.parse import (
    MOVING,
    STATES,
    parse_build,
    parse_gates,
    parse_pipeline,
    parse_steps,
    slug_of,
)
from pipelines.providers.drone.rights import NEEDS_ADMIN, NEEDS_WRITE, require
from pipelines.providers.drone.start import deploy, run_again, start
from pipelines.providers.drone.wire import PAGE, DroneWire, repository
from pipelines.providers.errors import NotFound, Rejected
from pipelines.providers.provider import Provider
from pipelines.providers.wire import is_number, mapping, text
from portal.credentials import Secret
from portal.http import HttpClient, Response

# So many builds that move are read one by one, since a list does not tell which of them wait.
MAX_LOOKS = 10
# How many builds a look-up of a request reads; further than NEAR only while they are new enough.
NEAR, LOOK_BACK = 2 * PAGE, 50 * PAGE
# Drone answers `null` to a start that it accepted and that no pipeline applies to.
NOTHING = (
    "Nothing to run: no pipeline in the repository's configuration matches this branch and event, "
    "or the account that activated the repository is inactive in Drone."
)
CLOCKS_APART = timedelta(hours=1)


class Drone(Provider):
    """Drone's REST API; the credential is the token of a user."""

    slug: ClassVar[str] = "drone"
    label: ClassVar[str] = "Drone"
    annotation_keys: ClassVar[tuple[str, ...]] = ("drone.io/repo",)
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
            Capability.PROMOTE,
            Capability.ACTIVATE,
            Capability.FEED,
            Capability.WEBHOOK,
        }
    )
    states: ClassVar[Mapping[str, State]] = STATES
    hook_scope: ClassVar[HookScope] = HookScope.SERVER
    feed_most: ClassVar[int] = 25

    def __init__(self, server: ServerConfig, http: HttpClient, credential: Secret) -> None:
        self._wire = DroneWire(http, server.base_url, credential)

    # --- Reading ---------------------------------------------------------------------------------
    def check(self) -> CheckResult:
        return check(self._wire)

    def list_pipelines(self) -> Sequence[RemotePipeline]:
        rows = self._wire.repositories()
        return [parse_pipeline(row, self._wire.base) for row in rows]

    def get_pipeline(self, pipeline: str) -> RemotePipeline:
        return parse_pipeline(self._wire.one(repository(pipeline)), self._wire.base)

    def list_builds(
        self, pipeline: str, *, branch: str = "", limit: int = 20
    ) -> Sequence[RemoteBuild]:
        """By number, which is by creation; `timestamp` is the commit's and may be years old."""
        asked = {"branch": branch} if branch else {}
        rows = self._wire.pages(f"{repository(pipeline)}/builds", asked, limit)
        return self._read([(pipeline, row) for row in rows])

    def get_build(self, pipeline: str, build: str) -> RemoteBuild:
        return parse_build(self._row(pipeline, build), pipeline, self._wire.base)

    def feed(self, limit: int = 100) -> Sequence[RemoteBuild]:
        """Without stages, so a blocked build is told as queued."""
        repos = self._wire.rows("/api/user/builds")
        named = [(slug_of(repo), mapping(repo.get("build"))) for repo in repos]
        builds = [parse_build(row, slug, self._wire.base) for slug, row in named if slug and row]
        builds.sort(key=lambda build: (build.queued_at is not None, build.queued_at), reverse=True)
        return builds[:limit]

    def _read(self, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[RemoteBuild]:
        """Lists come without stages: what moves is read once more to see whether it waits."""
        looks, builds = MAX_LOOKS, []
        for pipeline, row in rows:
            whole = row
            if row.get("status") in MOVING and looks and pipeline.count("/") == 1:
                looks -= 1
                whole = self._row(pipeline, str(row.get("number")))
            builds.append(parse_build(whole, pipeline, self._wire.base))
        return builds

    def steps(self, pipeline: str, build: str) -> Sequence[Step]:
        return parse_steps(self._row(pipeline, build))

    def log(self, pipeline: str, build: str, log_id: str = "", offset: int = 0) -> LogChunk:
        return read_log(self._wire, _path(pipeline, build), log_id, offset)

    def gates(self, pipeline: str, build: str) -> Sequence[Gate]:
        return parse_gates(self._row(pipeline, build))

    def find_by_request_id(
        self, pipeline: str, request_id: str, *, branch: str = "", since: datetime | None = None
    ) -> Receipt | None:
        """Among the newest 200, and as far back as `since`. No branch is asked for: Drone's filter
        leaves some builds out."""
        oldest = since - CLOCKS_APART if since else None
        rows = self._wire.pages(f"{repository(pipeline)}/builds", {}, LOOK_BACK if oldest else NEAR)
        for place, row in enumerate(rows):
            build = parse_build(row, pipeline, self._wire.base)
            if request_id and build.request_id == request_id:
                return Receipt(build=build)
            if place >= NEAR and oldest and build.queued_at and build.queued_at < oldest:
                break
        return None

    def _row(self, pipeline: str, build: str) -> Mapping[str, Any]:
        return self._wire.one(_path(pipeline, build))

    # --- Writing ---------------------------------------------------------------------------------
    def start(self, request: StartRequest) -> Receipt:
        repo = require(self._wire, request.pipeline, NEEDS_WRITE)
        branch = self._branch(request, text(repo.get("default_branch")))
        return self._receipt(request, start(self._wire, request, branch))

    def retry(self, request: StartRequest, build: str) -> Receipt:
        """What was started by hand is started anew. What a push, a pull request or a tag caused
        is run again by Drone, for a new start would be of another event."""
        row = self._row(request.pipeline, build)
        require(self._wire, request.pipeline, NEEDS_WRITE)
        return self._receipt(request, run_again(self._wire, request, row))

    def promote(self, request: StartRequest, build: str, target: str) -> Receipt:
        row = self._row(request.pipeline, build)
        require(self._wire, request.pipeline, NEEDS_WRITE)
        return self._receipt(request, deploy(self._wire, request, row, target, "promote"))

    def _receipt(self, request: StartRequest, answer: Response) -> Receipt:
        def parse(row: object) -> RemoteBuild:
            if row is None:
                raise Rejected(NOTHING)
            return parse_build(mapping(row), request.pipeline, self._wire.base)

        return Receipt(build=self._wire.written(answer, parse))

    def cancel(self, pipeline: str, build: str) -> None:
        """Drone says "done" to cancelling what has ended, so that is looked at first; and it
        refuses with 409 what changes at the same moment, which is asked once more."""
        self._unended(pipeline, build)
        path = _path(pipeline, build)
        answer = self._wire.acknowledge("DELETE", path, expect=(409,))
        if answer.status == 409:
            self._unended(pipeline, build)
            self._wire.acknowledge("DELETE", path)

    def unblock(self, request: StartRequest, build: str, gate: str) -> None:
        """Drone keeps no word of who approved; the audit of Stagedoor does."""
        if request.parameters:
            raise Rejected("An approval at Drone takes no parameters.")
        if gate not in {waiting.id for waiting in self.gates(request.pipeline, build)}:
            raise Rejected("This stage does not wait for an approval any longer.")
        require(self._wire, request.pipeline, NEEDS_ADMIN)
        self._wire.acknowledge("POST", f"{_path(request.pipeline, build)}/approve/{gate}")

    def activate(self, pipeline: str, hook: HookTarget | None) -> Sequence[str]:
        repo = self._known(pipeline)
        done = [f"{pipeline} was switched on already."]
        if repo.get("active") is not True:
            # Doing it again would make this account the one that Drone asks the source host as.
            self._wire.acknowledge("POST", repository(pipeline))
            done = [f"{pipeline} is switched on in Drone."]
        if hook is not None:
            done.append(
                "Drone sends webhooks for all repositories at once. Its operator sets "
                f"DRONE_WEBHOOK_ENDPOINT to {hook.url} and DRONE_WEBHOOK_SECRET to the secret."
            )
        return done

    def _known(self, pipeline: str) -> Mapping[str, Any]:
        """The repository. One that is new at the source host Drone has to fetch first."""
        try:
            return require(self._wire, pipeline, NEEDS_ADMIN, active=False)
        except NotFound:
            repository(pipeline)  # what can't be reached, fetching would not help
            self._wire.acknowledge("POST", "/api/user/repos")
            return require(self._wire, pipeline, NEEDS_ADMIN, active=False)

    # --- What arrives ----------------------------------------------------------------------------
    @classmethod
    def verify_webhook(cls, hook: Hook, keys: HookKeys, now: datetime) -> str:
        return hooks.verify(hook, keys, now)

    @classmethod
    def parse_webhook(cls, hook: Hook) -> Sequence[Hint]:
        return hooks.parse(hook)


def _path(pipeline: str, build: str) -> str:
    if not is_number(build):
        raise NotFound(f"{build!r} is not the number of a build.")
    return f"{repository(pipeline)}/builds/{build}"
