"""Drone's JSON objects: users, repositories, builds, stages and steps.

Empty fields are left out where Go's `omitempty` leaves them out; times are Unix seconds, 0 is "not
yet".
"""

import zlib
from typing import Any

from .. import script
from ..engine import Instance
from ..objects import Build, Person, Pipeline, Token, commit_of
from ..script import Run
from .stages import STEP_WORDS, Stage, build_word, stage_word, stages_of

VERSION = "2.25.0"


def stamp(at: float | None) -> int:
    return 0 if at is None else int(at)


def given(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}


class Model:
    """The objects of one instance at this moment."""

    def __init__(self, instance: Instance, base: str) -> None:
        self.instance = instance
        self.base = base
        self.now = instance.now()

    def _id(self, kind: str, key: str) -> int:
        """Numbers in the order in which they are first asked for; a build's is global."""
        known: dict[str, int] = self.instance.memory.setdefault(f"{kind}_ids", {})
        return known.setdefault(key, len(known) + 1)

    # --- who --------------------------------------------------------------------------------------
    def user(self, person: Person, created_at: float = 0.0) -> dict[str, Any]:
        login, created = person.login, stamp(created_at)
        return {
            "id": self._id("user", login),
            "login": login,
            "email": person.email,
            "machine": login in self._listed("machines"),
            "admin": self.is_admin(person),
            "active": True,
            "avatar": "",
            "syncing": False,
            "synced": created,
            "created": created,
            "updated": created,
            "last_login": created,
        }

    def is_admin(self, person: Person) -> bool:
        """Of the whole server: the option `admins` names the logins."""
        return person.login in self._listed("admins")

    def _listed(self, option: str) -> list[str]:
        value = self.instance.options.get(option)
        return [str(item) for item in value] if isinstance(value, list | tuple) else []

    # --- repositories -----------------------------------------------------------------------------
    def repo(self, pipeline: Pipeline, token: Token | None = None, **more: Any) -> dict[str, Any]:
        """With `permissions` when it is asked for by itself."""
        namespace, _, name = pipeline.name.rpartition("/")
        number = self._id("repo", pipeline.name)
        address = pipeline.repository or f"https://git.example/{pipeline.name}.git"
        visibility = str(pipeline.details.get("visibility", "private"))
        rights = token.rights if token else ()
        permissions = {right: right in rights for right in ("read", "write", "admin")}
        return {
            "id": number,
            # The source host's id: the same after a restart, whatever is asked for first.
            "uid": str(pipeline.details.get("uid", zlib.crc32(pipeline.name.encode()))),
            "user_id": 1 if pipeline.active or pipeline.builds else 0,
            "namespace": namespace,
            "name": name,
            "slug": pipeline.name,
            "scm": "",
            "git_http_url": address,
            "git_ssh_url": f"git@git.example:{pipeline.name}.git",
            "link": address.removesuffix(".git"),
            "default_branch": pipeline.default_branch,
            "private": visibility != "public",
            "visibility": visibility,
            "active": pipeline.active and not pipeline.disabled,
            **_settings(pipeline),
            **({"permissions": permissions} if token else {}),
            **more,
            "archived": pipeline.archived,
        }

    # --- builds -----------------------------------------------------------------------------------
    def build(self, build: Build, *, stages: bool = False) -> dict[str, Any]:
        """A build; lists and the answers to most writes come without its stages."""
        seen, details = build.at(self.now), build.details
        word = build_word(build, seen)
        started, finished = stamp(seen.started_at), stamp(seen.finished_at)
        if word in ("pending", "declined"):
            started = 0 if word == "pending" else started
            finished = 0
        if word == "killed" and not finished:
            finished = stamp(build.course.cancelled_at)
        shown = {
            "id": self._id("build", build.id),
            "repo_id": self._id("repo", build.pipeline.name),
            "trigger": self._trigger(build),
            "number": build.number,
            **given({"parent": details.get("parent")}),
            "status": word,
            **given({"error": details.get("error")}),
            **self._origin(build),
            **given({"params": build.env, "cron": details.get("cron")}),
            **given({"deploy_to": details.get("deploy_to")}),
            "started": started,
            "finished": max(finished, started) if finished else 0,
            "created": stamp(build.created_at),
            "updated": stamp(build.created_at),
            "version": 3,
        }
        found = self._stages(build) if stages else []
        return shown | ({"stages": found} if found else {})

    def _trigger(self, build: Build) -> str:
        if build.details.get("error"):
            return ""
        pushed = "@hook" if build.source == "scm" else ""
        told = build.details.get("trigger") or pushed
        return str(told or (build.who.login if build.who else ""))

    def _origin(self, build: Build) -> dict[str, Any]:
        """What was built, and whose commit it is."""
        details, branch = build.details, build.branch
        person = build.who.login if build.who else "octocat"
        event = str(details.get("event") or ("push" if build.source == "scm" else "custom"))
        before = "0" * 40 if event == "push" else build.commit
        return {
            "event": event,
            "action": str(details.get("action", "")),
            "link": f"https://git.example/{build.pipeline.name}/commit/{build.commit}",
            "timestamp": 0,
            **given({"title": details.get("title")}),
            "message": build.message or f"Change {commit_of(build.commit)[:7]}",
            "before": str(details.get("before", before)),
            "after": "" if details.get("no_commit") else build.commit,
            "ref": str(details.get("ref", f"refs/heads/{branch}")),
            "source_repo": "",
            "source": str(details.get("source", branch)),
            "target": str(details.get("target", branch)),
            "author_login": person,
            "author_name": build.who.name if build.who else "Octo Cat",
            "author_email": build.who.email if build.who else "octocat@git.example",
            "author_avatar": "https://git.example/avatars/1",
            "sender": str(details.get("sender", person)),
        }

    def _stages(self, build: Build) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = []
        found = stages_of(build, build.at(self.now))
        words: list[str] = []
        for stage in found:
            words.append(stage_word(build, stage, words))
            names = [other.name for other in found[: stage.number - 1]]
            shown.append(self._stage(build, stage, words[-1], names))
        return shown

    def _stage(self, build: Build, stage: Stage, word: str, before: list[str]) -> dict[str, Any]:
        number = self._id("build", build.id) * 100 + stage.number
        steps = (
            [self._step(number, place, run) for place, run in enumerate(stage.runs, 1)]
            if stage.started is not None
            else []
        )
        updated = stamp(stage.stopped or stage.started or build.created_at)
        return {
            "id": number,
            "repo_id": self._id("repo", build.pipeline.name),
            "build_id": self._id("build", build.id),
            "number": stage.number,
            "name": stage.name,
            "kind": "pipeline",
            "type": "exec",
            "status": word,
            "errignore": False,
            "exit_code": 0,
            **given({"machine": "exec-1" if steps else ""}),
            "os": "linux",
            "arch": "amd64",
            "started": stamp(stage.started),
            "stopped": stamp(stage.stopped),
            "created": stamp(build.created_at),
            "updated": updated,
            "version": 4,
            "on_success": True,
            "on_failure": False,
            **given({"depends_on": before[-1:], "steps": steps}),
        }

    def _step(self, stage_id: int, number: int, run: Run) -> dict[str, Any]:
        begun = run.started_at is not None
        word = STEP_WORDS[run.state]
        if run.state == script.CANCELLED and not begun:
            word = "skipped"
        codes = {"failure": 1, "killed": 130}
        return {
            "id": stage_id * 100 + number,
            "step_id": stage_id,
            "number": number,
            "name": run.step.name,
            "status": word,
            **given({"errignore": run.state == script.SOFT_FAILED or None}),
            "exit_code": int(codes.get(word, 0)),
            **given(
                {
                    "started": stamp(run.started_at) or None,
                    "stopped": stamp(run.finished_at) if begun and run.finished_at else None,
                }
            ),
            "version": 4,
        }


def _settings(pipeline: Pipeline) -> dict[str, Any]:
    """What a repository's settings page shows, and its counters."""
    created = stamp(pipeline.created_at)
    return {
        "config_path": ".drone.yml",
        "trusted": False,
        "protected": any(step.gate for step in pipeline.steps),
        "ignore_forks": False,
        "ignore_pull_requests": False,
        "auto_cancel_pull_requests": False,
        "auto_cancel_pushes": False,
        "auto_cancel_running": False,
        "timeout": 60,
        "counter": pipeline.next_number - 1,
        "synced": created,
        "created": created,
        "updated": created,
        "version": 3,
    }
