"""Bitbucket's JSON objects: accounts, repositories, pipelines' runs and their steps."""

from datetime import UTC, datetime
from typing import Any

from .. import script
from ..engine import Instance
from ..objects import Build, Person, Pipeline, commit_of, stable_uuid
from ..script import Run, Snapshot

# `links` of runs lead to a host that only Bitbucket reaches.
INTERNAL = "http://bitbucket-pipelines.internal"
RESULTS = {
    script.PASSED: "SUCCESSFUL",
    script.UNSTABLE: "SUCCESSFUL",
    script.SOFT_FAILED: "SUCCESSFUL",
    script.FAILED: "FAILED",
    script.CANCELLED: "STOPPED",
    script.SKIPPED: "NOT_RUN",
}
PARSING_PART = 0.4  # of the time in the queue


def stamp(at: float | None) -> str | None:
    """`2026-10-06T12:00:05.123456000Z`: nine digits, as Pipelines writes them."""
    if at is None:
        return None
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "000Z")


def braced(identifier: str) -> str:
    return "{" + identifier + "}"


class Model:
    """The objects of one instance at one moment, with addresses as one client sees them."""

    def __init__(self, instance: Instance, base: str, now: float | None = None) -> None:
        self.instance = instance
        self.api = f"{base}/2.0"
        self.web = base
        self.now = instance.now() if now is None else now

    # --- Accounts and workspaces ------------------------------------------------------------------
    def account(self, person: Person) -> dict[str, Any]:
        return {
            "type": "user",
            "uuid": braced(person.id),
            "account_id": f"557058:{person.id}",
            "display_name": person.name,
            "nickname": person.login,
            "created_on": stamp(0),
            "links": {"self": {"href": f"{self.api}/users/{braced(person.id)}"}},
        }

    def workspace(self, slug: str) -> dict[str, Any]:
        links = {
            "self": {"href": f"{self.api}/workspaces/{slug}"},
            "html": {"href": f"{self.web}/{slug}/"},
            "repositories": {"href": f"{self.api}/repositories/{slug}"},
        }
        return {
            "type": "workspace",
            "uuid": braced(stable_uuid(self.instance.prefix, slug)),
            "slug": slug,
            "name": slug.replace("-", " ").title(),
            "is_private": True,
            "links": links,
        }

    # --- Repositories -----------------------------------------------------------------------------
    def repository_uuid(self, pipeline: Pipeline) -> str:
        """Outlives a rename: details may hold the one from before."""
        known = pipeline.details.get("uuid")
        return str(known or braced(stable_uuid(self.instance.prefix, pipeline.name)))

    def repository_url(self, pipeline: Pipeline) -> str:
        return f"{self.api}/repositories/{pipeline.name}"

    def repository(self, pipeline: Pipeline) -> dict[str, Any]:
        workspace, _, slug = pipeline.name.partition("/")
        url, page = self.repository_url(pipeline), f"{self.web}/{pipeline.name}"
        main = {"type": "branch", "name": pipeline.default_branch}
        return {
            "type": "repository",
            "uuid": self.repository_uuid(pipeline),
            "full_name": pipeline.name,
            "name": pipeline.title or slug,
            "slug": slug,
            "description": pipeline.description,
            "is_private": True,
            "scm": "git",
            "fork_policy": "no_public_forks",
            "language": "",
            "has_issues": False,
            "parent": None,
            "mainbranch": main if pipeline.default_branch else None,
            "workspace": self.workspace(workspace),
            "project": {"type": "project", "key": "MAIN", "name": "Main"},
            "created_on": stamp(pipeline.created_at),
            "updated_on": stamp(pipeline.created_at),
            "links": {
                "self": {"href": url},
                "html": {"href": page},
                "avatar": {"href": f"{page}/avatar"},
                "hooks": {"href": f"{url}/hooks"},
                "branches": {"href": f"{url}/refs/branches"},
                "clone": [{"name": "https", "href": f"{page}.git"}],
            },
        }

    def branch(self, pipeline: Pipeline, name: str) -> dict[str, Any]:
        return {
            "type": "branch",
            "name": name,
            "target": {
                "type": "commit",
                "hash": head_of(pipeline, name),
                "repository": {"type": "repository", "full_name": pipeline.name},
            },
            "links": {"self": {"href": f"{self.repository_url(pipeline)}/refs/branches/{name}"}},
        }

    # --- Runs -------------------------------------------------------------------------------------
    def run(self, build: Build, seen: Snapshot | None = None) -> dict[str, Any]:
        seen = seen or build.at(self.now)
        state = self.state(build, seen)
        parsing = state["name"] == "PARSING"
        url = f"{INTERNAL}/repositories/{build.pipeline.name}/pipelines/{braced(build.id)}"
        shown: dict[str, Any] = {
            "type": "pipeline",
            "uuid": braced(build.id),
            "build_number": build.number,
            "run_number": 1,
            "state": state,
            "target": self.target(build, parsing),
            "trigger": {
                "type": f"pipeline_trigger_{_trigger(build)}",
                "name": _trigger(build).upper(),
            },
            "repository": {"type": "repository", "full_name": build.pipeline.name},
            "created_on": stamp(build.created_at),
            "completed_on": stamp(seen.finished_at),
            "duration_in_seconds": _seconds(seen.started_at, seen.finished_at),
            "build_seconds_used": _seconds(seen.started_at, seen.finished_at) or 0,
            "first_successful": False,
            "expired": False,
            "has_variables": False,
            "labels": {},
            "links": {"self": {"href": url}, "steps": {"href": f"{url}/steps"}},
        }
        if build.who is not None:
            shown["creator"] = self.account(build.who)
        return shown

    def target(self, build: Build, parsing: bool) -> dict[str, Any]:
        asked = build.details.get("target") or {
            "type": "pipeline_ref_target",
            "ref_type": "branch",
            "ref_name": build.branch,
        }
        selector = asked.get("selector") or {"type": "default"}
        commit = {"type": "commit", "hash": build.commit, "links": {}}
        return {**asked, "commit": commit, "selector": None if parsing else selector}

    def state(self, build: Build, seen: Snapshot) -> dict[str, Any]:
        if seen.state == script.QUEUED:
            waited = self.now - build.created_at
            if waited < (build.course.starts_at - build.created_at) * PARSING_PART:
                return _state("PARSING")
            return _state("PENDING", stage="PENDING")
        if seen.final:
            state = _state("COMPLETED", result=RESULTS[seen.state])
            if seen.state == script.CANCELLED and build.who is not None:
                state["result"]["terminator"] = self.account(build.who)
            return state
        if self.instance.options.get("halted"):
            return _state("IN_PROGRESS", stage="HALTED")
        paused = seen.state == script.WAITING
        return _state("IN_PROGRESS", stage="PAUSED" if paused else "RUNNING")

    # --- Steps ------------------------------------------------------------------------------------
    def steps(self, build: Build) -> list[dict[str, Any]]:
        """None while the file is being parsed; later attempts are runs of their own."""
        seen = build.at(self.now)
        if self.state(build, seen)["name"] == "PARSING":
            return []
        return [self.step(build, run) for run in seen.current()]

    def step(self, build: Build, run: Run) -> dict[str, Any]:
        commands = [{"name": line, "command": line} for line in (command_of(run),)]
        manual = "manual" if run.step.gate else "automatic"
        shown: dict[str, Any] = {
            "type": "pipeline_step",
            "uuid": step_uuid(build, run),
            "name": run.step.name or None,
            "state": self.step_state(run),
            "trigger": {"type": f"pipeline_step_trigger_{manual}"},
            "setup_commands": [],
            "script_commands": [] if run.step.gate else commands,
            "teardown_commands": [],
            "image": {"name": "atlassian/default-image:4"},
            "maxTime": 120,
            "run_number": run.attempt + 1,
            "build_seconds_used": _seconds(run.started_at, run.finished_at) or 0,
            "pipeline": {"type": "pipeline", "uuid": braced(build.id)},
        }
        if run.started_at is not None and run.state != script.WAITING:
            shown["started_on"] = stamp(run.started_at)
        if run.finished_at is not None:
            shown["completed_on"] = stamp(run.finished_at)
            shown["duration_in_seconds"] = _seconds(run.started_at, run.finished_at)
        return shown

    @staticmethod
    def step_state(run: Run) -> dict[str, Any]:
        if run.state == script.WAITING:
            return _state("PENDING", stage="PAUSED", level="pipeline_step")
        if run.state in RESULTS:
            # Stopped before it began: it was not run.
            result = RESULTS[run.state] if run.started_at is not None else "NOT_RUN"
            return _state("COMPLETED", result=result, level="pipeline_step")
        word = "IN_PROGRESS" if run.state == script.RUNNING else "PENDING"
        return _state(word, level="pipeline_step")


def _state(
    name: str, *, stage: str = "", result: str = "", level: str = "pipeline"
) -> dict[str, Any]:
    kind = f"{level}_state_{name.lower()}"
    state: dict[str, Any] = {"name": name, "type": kind}
    if stage:
        state["stage"] = {"name": stage, "type": f"{kind}_{stage.lower()}"}
    if result:
        state["result"] = {"name": result, "type": f"{kind}_{result.lower()}"}
    return state


def _trigger(build: Build) -> str:
    return "push" if build.source == "scm" else "manual"


def _seconds(began: float | None, ended: float | None) -> int | None:
    return None if began is None or ended is None else round(ended - began)


def step_uuid(build: Build, run: Run) -> str:
    return braced(build.job_id(run.index, run.attempt))


def head_of(pipeline: Pipeline, branch: str) -> str:
    return commit_of(pipeline.name, branch, "head")


def command_of(run: Run) -> str:
    return f"./ci/{'-'.join(run.step.name.lower().split())}.sh"
