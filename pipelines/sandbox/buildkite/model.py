"""Buildkite's JSON objects: organisations, pipelines, builds and jobs."""

import base64
from datetime import UTC, datetime
from typing import Any

from .. import script
from ..engine import Instance
from ..objects import Build, Person, Pipeline, Token, stable_uuid
from ..script import Run, Snapshot, Step

_STATES = {
    script.QUEUED: "scheduled",
    script.RUNNING: "running",
    script.FAILING: "failing",
    script.WAITING: "passed",  # the last state stands beside blocked: true
    script.PASSED: "passed",
    script.UNSTABLE: "passed",
    script.FAILED: "failed",
    script.CANCELLING: "canceling",
    script.CANCELLED: "canceled",
}
_JOB_STATES = {
    script.RUNNING: "running",
    script.PASSED: "passed",
    script.UNSTABLE: "passed",
    script.FAILED: "failed",
    script.SOFT_FAILED: "failed",
    script.CANCELLED: "canceled",
    script.SKIPPED: "waiting_failed",
}
_GATE_STATES = {
    script.PENDING: "blocked",
    script.WAITING: "blocked",
    script.PASSED: "unblocked",
    script.CANCELLED: "canceled",
    script.SKIPPED: "blocked_failed",
}
_UNSKIPPED: dict[str, Any] = {
    "skip_queued_branch_builds": False,
    "skip_queued_branch_builds_filter": None,
    "cancel_running_branch_builds": False,
    "cancel_running_branch_builds_filter": None,
}
FINISHED = frozenset({"passed", "failed", "blocked", "canceled"})


def stamp(at: float | None) -> str | None:
    """`2015-05-09T21:05:59.874Z`."""
    if at is None:
        return None
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def spaced_stamp(at: float | None) -> str | None:
    """`2025-07-23 06:07:42 UTC`, the form of access tokens."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def millis(at: float) -> int:
    return round(at * 1000)


def _graphql(kind: str, identifier: str) -> str:
    return base64.b64encode(f"{kind}---{identifier}".encode()).decode()


class Model:
    """The objects of one instance, with addresses as one client sees them."""

    def __init__(self, instance: Instance, base: str, now: float | None = None) -> None:
        self.instance = instance
        self.api = f"{base}/v2"
        self.web = base
        self.now = instance.now() if now is None else now

    # --- who ------------------------------------------------------------------------------------
    def user(self, person: Person) -> dict[str, Any]:
        return {
            "id": person.id,
            "graphql_id": _graphql("User", person.id),
            "name": person.name,
            "email": person.email,
            "avatar_url": "https://www.gravatar.com/avatar/00000000000000000000000000000000",
            "created_at": "2020-02-14T16:57:23.153Z",
        }

    def token(self, token: Token) -> dict[str, Any]:
        return {
            "uuid": stable_uuid("token", token.person.login, token.created_at),
            "scopes": sorted(token.rights),
            "description": "Stagedoor",
            "created_at": spaced_stamp(token.created_at),
            "expires_at": spaced_stamp(token.expires_at),
            "user": {"name": token.person.name, "email": token.person.email},
        }

    def organisation(self, slug: str) -> dict[str, Any]:
        identifier = stable_uuid(self.instance.prefix, slug)
        url = f"{self.api}/organizations/{slug}"
        return {
            "id": identifier,
            "graphql_id": _graphql("Organization", identifier),
            "url": url,
            "web_url": f"{self.web}/{slug}",
            "name": slug.replace("-", " ").title(),
            "slug": slug,
            "pipelines_url": f"{url}/pipelines",
            "agents_url": f"{url}/agents",
            "emojis_url": f"{url}/emojis",
            "created_at": "2020-02-14T16:57:23.153Z",
        }

    # --- pipelines ------------------------------------------------------------------------------
    def pipeline_url(self, pipeline: Pipeline) -> str:
        organisation, _, slug = pipeline.name.partition("/")
        return f"{self.api}/organizations/{organisation}/pipelines/{slug}"

    def pipeline(self, pipeline: Pipeline) -> dict[str, Any]:
        identifier = stable_uuid(self.instance.prefix, pipeline.first_name)
        url = self.pipeline_url(pipeline)
        return {
            "id": identifier,
            "graphql_id": _graphql("Pipeline", identifier),
            "url": url,
            "web_url": f"{self.web}/{pipeline.name}",
            "name": pipeline.title or pipeline.short_name,
            "description": pipeline.description or None,
            "slug": pipeline.short_name,
            "repository": pipeline.repository,
            "cluster_id": None,
            "branch_configuration": pipeline.branch_filter or None,
            "default_branch": pipeline.default_branch,
            "allow_rebuilds": pipeline.allow_rebuilds,
            "provider": {"id": "git", "settings": {}, "webhook_url": ""},
            "builds_url": f"{url}/builds",
            "badge_url": f"{self.web}/badges/{identifier}.svg",
            "created_by": None,
            "created_at": stamp(pipeline.created_at),
            "archived_at": stamp(pipeline.created_at) if pipeline.archived else None,
            "env": {},
            "visibility": pipeline.details.get("visibility", "private"),
            "tags": None,
            "emoji": None,
            "color": None,
            "steps": [_configured(step) for step in pipeline.steps],
            **_UNSKIPPED,
            **self._counts(pipeline),
        }

    def _counts(self, pipeline: Pipeline) -> dict[str, int]:
        recent = [build.at(self.now).state for build in pipeline.newest_first()[:100]]
        running = sum(state in {script.RUNNING, script.FAILING} for state in recent)
        return {
            "scheduled_builds_count": recent.count(script.QUEUED),
            "running_builds_count": running,
            "scheduled_jobs_count": 0,
            "running_jobs_count": running,
            "waiting_jobs_count": 0,
        }

    # --- builds ---------------------------------------------------------------------------------
    def build(
        self,
        build: Build,
        *,
        jobs: bool = True,
        pipeline: bool = True,
        retried: bool = False,
        seen: Snapshot | None = None,
    ) -> dict[str, Any]:
        """A build as it stands, or as it was `seen` at another moment."""
        seen = seen or build.at(self.now)
        shown = self._facts(build, seen)
        if pipeline:
            shown["pipeline"] = self.pipeline(build.pipeline)
        if jobs:
            shown["jobs"] = self.jobs(build, retried=retried)
        return shown

    def _facts(self, build: Build, seen: Snapshot) -> dict[str, Any]:
        url = f"{self.pipeline_url(build.pipeline)}/builds/{build.number}"
        blocked = seen.state == script.WAITING
        return {
            "id": build.id,
            "graphql_id": _graphql("Build", build.id),
            "url": url,
            "web_url": self.build_web_url(build),
            "number": build.number,
            "state": _STATES[seen.state],
            "blocked": blocked,
            "blocked_state": "passed" if blocked else "",
            "cancel_reason": build.cancel_reason or None,
            "message": build.message or None,
            "commit": "HEAD" if build.head and seen.started_at is None else build.commit,
            "branch": build.branch,
            "tag": None,
            "env": build.env,
            "source": "webhook" if build.source == "scm" else build.source,
            "author": build.author,
            "creator": self.user(build.who) if build.who else None,
            "created_at": stamp(build.created_at),
            "scheduled_at": stamp(build.created_at),
            "started_at": stamp(seen.started_at),
            "failing_at": self._failing_at(seen.runs),
            "finished_at": stamp(seen.finished_at),
            "meta_data": build.meta_data,
            "pull_request": None,
            "rebuilt_from": self._rebuilt_from(build),
            "triggered_from": None,
        }

    def build_web_url(self, build: Build) -> str:
        return f"{self.web}/{build.pipeline.name}/builds/{build.number}"

    @staticmethod
    def _failing_at(runs: tuple[Run, ...]) -> str | None:
        failed = [r.finished_at for r in runs if r.state == script.FAILED and r.finished_at]
        return stamp(min(failed)) if failed else None

    def _rebuilt_from(self, build: Build) -> dict[str, Any] | None:
        if build.rebuilt_from is None:
            return None
        old = build.pipeline.builds.get(build.rebuilt_from)
        url = f"{self.pipeline_url(build.pipeline)}/builds/{build.rebuilt_from}"
        identifier = old.id if old else stable_uuid(url)
        return {"id": identifier, "number": build.rebuilt_from, "url": url}

    # --- jobs -----------------------------------------------------------------------------------
    def jobs(self, build: Build, *, retried: bool = False) -> list[dict[str, Any]]:
        """The jobs in order, a waiter between steps that follow each other."""
        shown: list[dict[str, Any]] = []
        seen = build.at(self.now)
        previous: Run | None = None
        for run in seen.runs:
            if run.retried and not retried:
                continue
            if previous is not None and self._waits_for(previous, run):
                shown.append({"id": stable_uuid(build.id, "waiter", run.index), "type": "waiter"})
            shown.append(self.job(build, run))
            previous = run
        return shown

    @staticmethod
    def _waits_for(previous: Run, run: Run) -> bool:
        if previous.step.gate or run.step.gate or previous.index == run.index:
            return False
        return not (run.step.group and run.step.group == previous.step.group)

    def job(self, build: Build, run: Run) -> dict[str, Any]:
        identifier = build.job_id(run.index, run.attempt)
        common = {
            "id": identifier,
            "graphql_id": _graphql("Job", identifier),
            "type": "manual" if run.step.gate else "script",
            "web_url": f"{self.build_web_url(build)}#{identifier}",
        }
        return common | (self._gate(build, run) if run.step.gate else self._script(build, run))

    def job_url(self, build: Build, run: Run) -> str:
        identifier = build.job_id(run.index, run.attempt)
        return f"{self.pipeline_url(build.pipeline)}/builds/{build.number}/jobs/{identifier}"

    def _gate(self, build: Build, run: Run) -> dict[str, Any]:
        who = build.unblocked_by.get(run.index)
        return {
            "label": run.step.name,
            "state": _GATE_STATES.get(run.state, "blocked"),
            "step_key": key_of(run.step.name),
            "unblocked_by": self.user(who) if who else None,
            "unblocked_at": stamp(build.course.unblocked.get(run.index)),
            "unblockable": run.state == script.WAITING,
            "unblock_url": f"{self.job_url(build, run)}/unblock",
        }

    def _script(self, build: Build, run: Run) -> dict[str, Any]:
        url = self.job_url(build, run)
        ended = run.state in script.FINAL and run.started_at is not None
        retries = len(build.course.retries.get(run.index, []))
        next_id = build.job_id(run.index, run.attempt + 1) if run.retried else None
        return {
            "name": run.step.name,
            "step_key": key_of(run.step.name),
            "state": self._job_state(build, run),
            "build_url": f"{self.pipeline_url(build.pipeline)}/builds/{build.number}",
            "log_url": f"{url}/log",
            "raw_log_url": f"{url}/log.txt",
            "artifacts_url": f"{url}/artifacts",
            "command": command_of(run.step.name),
            "soft_failed": run.state == script.SOFT_FAILED,
            "exit_status": _exit_status(run) if ended else None,
            "signal": None,
            "signal_reason": None,
            "artifact_paths": "",
            "agent": None,
            "agent_query_rules": ["queue=default"],
            "created_at": stamp(build.created_at),
            "scheduled_at": stamp(build.created_at),
            "runnable_at": stamp(run.reached_at if run.started_at is not None else None),
            "started_at": stamp(run.started_at),
            "finished_at": stamp(run.finished_at),
            "expired_at": None,
            "retried": run.retried,
            "retried_in_job_id": next_id,
            "retries_count": retries or None,
            "retry_type": "manual" if run.retried else None,
            "retry_source": None,
            "parallel_group_index": None,
            "parallel_group_total": None,
            "group_key": run.step.group or None,
        }

    @staticmethod
    def _job_state(build: Build, run: Run) -> str:
        if run.state != script.PENDING:
            return _JOB_STATES[run.state]
        if run.index == 0:
            return "scheduled"
        behind_gate = any(step.gate for step in build.course.steps[: run.index])
        return "blocked" if behind_gate else "waiting"


def _exit_status(run: Run) -> int:
    if run.state == script.CANCELLED:
        return -1
    return 1 if run.state in {script.FAILED, script.SOFT_FAILED} else 0


def _configured(step: Step) -> dict[str, str]:
    if step.gate:
        return {"type": "manual", "label": step.name}
    return {"type": "script", "name": step.name, "command": command_of(step.name)}


def key_of(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def command_of(name: str) -> str:
    return f".buildkite/steps/{key_of(name)}.sh"
