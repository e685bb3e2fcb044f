"""Travis CI's objects: what its v3 renderers give for a repository, build, job, stage, request."""

from datetime import UTC, datetime
from typing import Any

from .. import script
from ..engine import Instance
from ..objects import Build, Person, Pipeline, Token
from ..script import Run, Snapshot
from . import ids
from .requesting import Asked, event_of

Json = dict[str, Any]
_BUILD = {
    script.QUEUED: "created",
    script.RUNNING: "started",
    script.FAILING: "started",
    script.WAITING: "started",  # Travis has no gates
    script.CANCELLING: "started",
    script.PASSED: "passed",
    script.FAILED: "failed",
    script.UNSTABLE: "errored",
    script.CANCELLED: "canceled",
}
_JOB = {
    script.PENDING: "created",
    script.RUNNING: "started",
    script.WAITING: "started",
    script.PASSED: "passed",
    script.FAILED: "failed",
    script.SOFT_FAILED: "failed",
    script.UNSTABLE: "errored",
    script.CANCELLED: "canceled",
    script.SKIPPED: "canceled",  # a failing stage cancels the jobs of later ones
}
_FINAL = ("passed", "failed", "errored", "canceled")


def stamp(at: float | None) -> str | None:
    """`2015-05-09T21:05:59Z`."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fine_stamp(at: float) -> str:
    """`2015-05-09T21:05:59.874Z`, of updated_at."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def word(build: Build, seen: Snapshot) -> str:
    """Travis' word for how a build stood."""
    return "errored" if build.details.get("config_error") else _BUILD[seen.state]


def state_of(build: Build, now: float) -> str:
    return word(build, build.at(now))


def duration(seen: Snapshot) -> int | None:
    """The sum of the jobs' seconds, once all have ended."""
    times = [(run.started_at, run.finished_at) for run in seen.current()]
    taken = [ended - begun for begun, ended in times if begun is not None and ended is not None]
    return round(sum(taken)) if seen.final else None


class Model:
    """The objects of one instance for one token; `root` begins every link (`/travis/api`)."""

    def __init__(self, instance: Instance, root: str, token: Token | None = None) -> None:
        self.instance = instance
        self.root = root
        self.token = token
        self.now = instance.now()
        self.vcs = str(instance.options.get("vcs", "github"))

    def tag(self, kind: str, href: str | None, representation: str, **fields: Any) -> Json:
        link = None if href is None else f"{self.root}{href}"
        return {"@type": kind, "@href": link, "@representation": representation, **fields}

    def may(self, right: str) -> bool:
        return self.token is not None and right in self.token.rights

    # --- people and repositories ----------------------------------------------------------------
    def owner(self, login: str) -> Json:
        number = ids.person_id(login)
        return self.tag(
            "organization",
            f"/org/{number}",
            "minimal",
            id=number,
            login=login,
            name=login.title(),
            vcs_type=f"{self.vcs.title()}Organization",
            ro_mode=False,
        )

    def user(self, person: Person, representation: str = "minimal") -> Json:
        number = ids.person_id(person.login)
        shown = self.tag(
            "user",
            f"/user/{number}",
            representation,
            id=number,
            login=person.login,
            name=person.name,
            vcs_type=f"{self.vcs.title()}User",
            ro_mode=False,
        )
        if representation == "standard":
            shown |= {
                "@permissions": {"read": True, "sync": True},
                "github_id": number,
                "vcs_id": str(number),
                "avatar_url": None,
                "education": False,
                "allow_migration": False,
                "allowance": self.tag("allowance", None, "minimal", id=number),
                "custom_keys": [],
                "trial_allowed": False,
                "account_env_vars": [],
                "email": person.email,
                "is_syncing": False,
                "synced_at": stamp(self.now - 3600),
                "recently_signed_up": False,
                "secure_user_hash": None,
                "confirmed_at": None,
                "internal": False,
                "last_activity_at": None,
                "memberships": [],
            }
        return shown

    def repository_href(self, pipeline: Pipeline) -> str:
        return f"/repo/{ids.repository_id(self.instance, pipeline)}"

    def repository(self, pipeline: Pipeline, representation: str = "standard") -> Json:
        owner, _, name = pipeline.name.partition("/")
        number = ids.repository_id(self.instance, pipeline)
        href = self.repository_href(pipeline)
        shown = self.tag(
            "repository", href, representation, id=number, name=name, slug=pipeline.name
        )
        if representation == "standard":
            push, admin = self.may("push"), self.may("admin")
            rights = dict.fromkeys(("create_request", "star", "create_cron"), push)
            branch = pipeline.default_branch
            shown |= {
                "@permissions": {"read": True, **rights, "activate": admin, "admin": admin},
                "description": pipeline.description or None,
                "github_id": number,
                "vcs_id": str(number),
                "vcs_type": f"{self.vcs.title()}Repository",
                "github_language": None,
                "active": pipeline.active,
                "private": True,
                "owner": self.owner(owner),
                "owner_name": owner,
                "vcs_name": name,
                "default_branch": self.tag(
                    "branch", f"{href}/branch/{branch}", "minimal", name=branch
                ),
                "starred": False,
                "managed_by_installation": True,
                "active_on_org": None,
                "migration_status": None,
                "history_migration_status": None,
                "shared": False,
                "config_validation": True,
                "server_type": "git",
                "scan_failed_at": None,
                "build_count": len(pipeline.builds),
            }
        return shown

    # --- builds ---------------------------------------------------------------------------------
    def build(self, build: Build, representation: str = "standard") -> Json:
        seen, details = build.at(self.now), build.details
        number = ids.build_id(self.instance, build)
        broken = bool(details.get("config_error"))
        pull = details.get("pull_request") or {}
        shown = self.tag(
            "build",
            f"/build/{number}",
            representation,
            id=number,
            number=str(build.number),
            state=state_of(build, self.now),
            duration=None if broken else duration(seen),
            event_type=event_of(build),
            previous_state=self._previous(build),
            pull_request_title=pull.get("title"),
            pull_request_number=pull.get("number"),
            started_at=None if broken else stamp(seen.started_at),
            finished_at=stamp(seen.finished_at),
            private=True,
            priority=False,
        )
        if representation == "standard":
            shown |= self._whole_build(build)
        return shown

    def _whole_build(self, build: Build) -> Json:
        jobs = [] if build.details.get("config_error") else list(build.at(self.now).current())
        push, tag = self.may("push"), build.details.get("tag")
        return {
            "@permissions": {"read": True, "cancel": push, "restart": push, "prioritize": push},
            "repository": self.repository(build.pipeline, "minimal"),
            "branch": None if build.details.get("branch_deleted") else self.branch(build),
            "tag": tag and self.tag("tag", None, "minimal", repository_id=0, name=tag),
            "commit": self.commit(build),
            "jobs": [self._job_link(build, run) for run in jobs],
            "stages": [self.stage(build, runs) for runs in self.stages(build)],
            "created_by": self.user(build.who) if build.who else None,
            "updated_at": fine_stamp(self.now),
        }

    def _previous(self, build: Build) -> str | None:
        before = build.pipeline.builds.get(build.number - 1)
        return state_of(before, self.now) if before else None

    def branch(self, build: Build) -> Json:
        href = f"{self.repository_href(build.pipeline)}/branch/{build.branch}"
        return self.tag("branch", href, "minimal", name=build.branch)

    def commit(self, build: Build) -> Json:
        event, pull = event_of(build), build.details.get("pull_request") or {}
        refs = {"pull_request": f"refs/pull/{pull.get('number')}/merge", "api": None}
        return self.tag(
            "commit",
            None,
            "minimal",
            id=ids.build_id(self.instance, build),
            sha=build.commit,
            ref=refs.get(event, f"refs/heads/{build.branch}"),
            message=build.message,
            compare_url=f"https://{self.vcs}.example/{build.pipeline.name}/compare",
            committed_at=stamp(build.created_at),
        )

    # --- stages and jobs ------------------------------------------------------------------------
    def stages(self, build: Build) -> list[list[Run]]:
        """The steps by stage: neighbours of one group are one."""
        found: list[list[Run]] = []
        if build.details.get("config_error"):
            return found
        for run in build.at(self.now).current():
            if found and run.step.group and found[-1][0].step.group == run.step.group:
                found[-1].append(run)
            else:
                found.append([run])
        return found

    def stage(self, build: Build, runs: list[Run], representation: str = "minimal") -> Json:
        states = [_JOB[run.state] for run in runs if run.state != script.SOFT_FAILED]
        moving = [state for state in states if state not in _FINAL]
        worst = next((s for s in ("canceled", "errored", "failed") if s in states), "passed")
        begun = [run.started_at for run in runs if run.started_at is not None]
        ended = [run.finished_at for run in runs if run.finished_at is not None]
        shown = self.tag(
            "stage",
            None,
            representation,
            id=ids.job_id(self.instance, build, runs[0].index),
            number=runs[0].index + 1,
            name=runs[0].step.group or runs[0].step.name,
            state=moving[0] if moving else worst,
            started_at=stamp(min(begun, default=None)),
            finished_at=None if moving else stamp(max(ended, default=None)),
        )
        if representation == "standard":
            shown["jobs"] = [self._job_link(build, run) for run in runs]
        return shown

    def _job_link(self, build: Build, run: Run) -> Json:
        number = ids.job_id(self.instance, build, run.index)
        return self.tag("job", f"/job/{number}", "minimal", id=number)

    def job(self, build: Build, run: Run, *, config: bool = False) -> Json:
        push = self.may("push")
        stage = next(runs for runs in self.stages(build) if run in runs)
        restarted = build.details.get("restarted_at")
        shown = self._job_link(build, run) | {
            "@representation": "standard",
            "@permissions": {"read": True, "cancel": push, "restart": push, "debug": False},
            "allow_failure": script.SOFT_FAILED in run.step.outcomes,
            "number": f"{build.number}.{run.index + 1}",
            "state": _JOB[run.state],
            "started_at": stamp(run.started_at),
            "finished_at": stamp(run.finished_at),
            "build": self.build(build, "minimal"),
            "queue": "builds.linux",
            "repository": self.repository(build.pipeline, "minimal"),
            "commit": self.commit(build),
            "owner": self.owner(build.pipeline.name.partition("/")[0]),
            "stage": self.stage(build, stage),
            "created_at": fine_stamp(build.created_at),
            "updated_at": fine_stamp(self.now),
            "private": True,
            "restarted_at": stamp(restarted),
            "restarted_by": None,
            "vm_size": None,
        }
        if config:
            named = {"name": run.step.name} if run.step.group else {}
            shown["config"] = {"os": "linux", "language": "generic", **named}
        return shown

    # --- requests -------------------------------------------------------------------------------
    def request(self, asked: Asked, representation: str = "standard") -> Json:
        href = f"{self.repository_href(asked.pipeline)}/request/{asked.id}"
        shown = self.tag(
            "request",
            href,
            representation,
            id=asked.id,
            state=asked.state,
            result=asked.result,
            message=asked.message,
            pull_request_mergeable=None,
        )
        if representation == "standard":
            owner = asked.pipeline.name.partition("/")[0]
            build = asked.build
            shown |= {
                "repository": self.repository(asked.pipeline, "minimal"),
                "branch_name": asked.branch,
                "commit": self.commit(build) if build else None,
                "builds": [self.build(build, "minimal")] if build else [],
                "owner": self.owner(owner),
                "created_at": stamp(asked.created_at),
                "event_type": asked.event,
                "base_commit": None,
                "head_commit": None,
                "messages": self.messages(asked),
                "config": asked.config,
                "raw_configs": [],
            }
        return shown

    def messages(self, asked: Asked) -> list[Json]:
        if not asked.code:
            return []
        return [
            self.tag(
                "message",
                None,
                "minimal",
                id=asked.id,
                level="error",
                key="branches",
                code=asked.code,
                args={},
                src=None,
                line=None,
            )
        ]
