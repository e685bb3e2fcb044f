"""Drone's JSON into the contract's dataclasses; every field may be missing or of another type.

Source: drone's own server, 2.x; empty fields are left out, times are Unix seconds, 0 is "not yet".
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pipelines.providers.base import (
    Cause,
    Gate,
    RemoteBuild,
    RemotePipeline,
    State,
    Step,
)
from pipelines.providers.drone.labels import request_id
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.wire import (
    epoch_seconds,
    first_line,
    integer,
    mappings,
    not_before,
    short,
    text,
    web_link,
)

# Builds, stages and steps share their words.
STATES = MappingProxyType(
    {
        "pending": State.QUEUED,
        "waiting_on_dependencies": State.QUEUED,
        "blocked": State.WAITING,
        "running": State.RUNNING,
        "started": State.RUNNING,  # in old documents only
        "success": State.PASSED,
        "failure": State.FAILED,
        "error": State.FAILED,  # of the configuration or the machine, not of a test
        "killed": State.CANCELLED,
        "declined": State.CANCELLED,
        "skipped": State.SKIPPED,
    }
)
REASONS = MappingProxyType(
    {
        "error": "Drone could not run it.",
        "killed": "Cancelled, or stopped at its time limit.",
        "declined": "An approval was declined.",
        "blocked": "A stage waits for an approval.",
        "skipped": "Drone skipped it: a newer build came, or a condition excludes it.",
    }
)
EVENTS = MappingProxyType(
    {
        "push": Cause.PUSH,
        "pull_request": Cause.PULL_REQUEST,
        "tag": Cause.TAG,
        "cron": Cause.SCHEDULE,
        "custom": Cause.API,
        "promote": Cause.PROMOTE,
        "rollback": Cause.PROMOTE,
    }
)
MOVING = ("pending", "running", "blocked")  # a stage may wait for an approval meanwhile
BUSY = ("pending", "running", "started")
HEADS = "refs/heads/"


def slug_of(repo: Mapping[str, Any]) -> str:
    """`namespace/name`, empty when the object has neither."""
    namespace, name = text(repo.get("namespace")), text(repo.get("name"))
    return f"{namespace}/{name}" if namespace and name else text(repo.get("slug"))


def parse_pipeline(repo: Mapping[str, Any], base: str) -> RemotePipeline:
    """A repository. One in a subgroup is listed by Drone and not reachable by its API."""
    slug = slug_of(repo)
    if not slug:
        raise InvalidResponse("Drone: a repository without a name.")
    reachable = slug.count("/") == 1
    active = repo.get("active") is True
    number = integer(repo.get("id"))
    return RemotePipeline(
        external_id=slug,
        name=slug if reachable else f"{slug} (listed, not reachable by Drone's API)",
        web_url=web_link(f"{base}/{slug}"),
        repository=text(repo.get("git_http_url")) or web_link(repo.get("link")),
        default_branch=text(repo.get("default_branch")),
        runnable=active and reachable and repo.get("archived") is not True,
        stable_id=text(repo.get("uid")) or (str(number) if number else ""),
        active=active,
    )


def parse_build(row: Mapping[str, Any], pipeline: str, base: str) -> RemoteBuild:
    """A build, with or without its stages; only with them a waiting one is recognised."""
    number = integer(row.get("number"))
    if number is None:
        raise InvalidResponse("Drone: a build without a number.")
    raw = raw_state(row)
    created, started = epoch_seconds(row.get("created")), epoch_seconds(row.get("started"))
    finished = epoch_seconds(row.get("finished"))
    asked = request_id(row)
    return RemoteBuild(
        pipeline=pipeline,
        external_id=str(number),
        state=STATES.get(raw, State.UNKNOWN),
        raw_state=raw,
        number=number,
        message=first_line(row.get("title")) or first_line(row.get("message")),
        branch=_branch(row),
        commit=text(row.get("after")),
        who=_who(row),
        web_url=web_link(f"{base}/{pipeline}/{number}"),
        queued_at=created,
        # A runner's clock is not the server's.
        started_at=not_before(started, created),
        finished_at=not_before(finished, not_before(started, created)),
        request_id=asked,
        who_id=_account(row),
        cause=_cause(row, asked),
        reason=short(row.get("error")) or REASONS.get(raw, ""),
    )


def raw_state(row: Mapping[str, Any]) -> str:
    """The build's word, or "blocked" when nothing moves and a stage waits for an approval."""
    raw = text(row.get("status"))
    stages = {text(stage.get("status")) for stage in mappings(row.get("stages"))}
    if raw == "running" and stages & set(BUSY):
        return raw
    return "blocked" if raw in MOVING and "blocked" in stages else raw


def _branch(row: Mapping[str, Any]) -> str:
    """The branch of a branch's build. Of a tag or a pull request it is the whole ref: a fork's
    branch or a tag that is called "main" must not pass for the branch."""
    ref = text(row.get("ref"))
    if ref.startswith(HEADS):
        return ref[len(HEADS) :]
    return ref or (text(row.get("target")) if row.get("event") != "pull_request" else "")


def _account(row: Mapping[str, Any]) -> str:
    """The login of who caused it. "@hook" and "@cron" are Drone itself; what a person's push
    caused names the person as sender, and a cron's sender is but the last to have committed."""
    trigger = text(row.get("trigger"))
    if trigger and not trigger.startswith("@"):
        return trigger
    return "" if _scheduled(row) else text(row.get("sender"))


def _scheduled(row: Mapping[str, Any]) -> bool:
    return text(row.get("trigger")) == "@cron" or (
        row.get("event") == "cron" and not text(row.get("trigger"))
    )


def _who(row: Mapping[str, Any]) -> str:
    account = _account(row)
    author = text(row.get("author_name")) if row.get("author_login") == account else ""
    return author or account if account else ""


def _cause(row: Mapping[str, Any], asked: str) -> Cause:
    if asked and row.get("event") not in ("promote", "rollback"):
        return Cause.API
    trigger = text(row.get("trigger"))
    cause = EVENTS.get(text(row.get("event")), Cause.NONE)
    by_hand = trigger and not trigger.startswith("@") and integer(row.get("parent"))
    return Cause.MANUAL if by_hand and cause is not Cause.PROMOTE else cause


# --- Stages and steps ------------------------------------------------------------------------
def parse_steps(row: Mapping[str, Any]) -> list[Step]:
    """Every step; a stage that has none yet stands for itself. Of several stages each step's
    name begins with its stage's."""
    stages = sorted(
        mappings(row.get("stages")), key=lambda stage: integer(stage.get("number")) or 0
    )
    created = epoch_seconds(row.get("created"))
    found = []
    for stage in stages:
        number, steps = integer(stage.get("number")), mappings(stage.get("steps"))
        if number is None:
            continue
        if not steps:
            found.append(_step(stage, str(number), _name(stage), created))
        for step in sorted(steps, key=lambda step: integer(step.get("number")) or 0):
            place = integer(step.get("number"))
            if place is not None:
                name = f"{_name(stage)} / {_name(step)}" if len(stages) > 1 else _name(step)
                found.append(_step(step, f"{number}/{place}", name, created))
    return found


def _step(row: Mapping[str, Any], identifier: str, name: str, created: datetime | None) -> Step:
    raw = text(row.get("status"))
    started = not_before(epoch_seconds(row.get("started")), created)
    ignored = row.get("errignore") is True and raw == "failure"
    has_log = "/" in identifier and raw not in ("pending", "skipped", "blocked", "declined", "")
    return Step(
        id=identifier,
        name=name,
        state=State.PASSED if ignored else STATES.get(raw, State.UNKNOWN),
        raw_state="failure, ignored" if ignored else raw,
        log_id=identifier if has_log else "",
        started_at=started,
        finished_at=not_before(epoch_seconds(row.get("stopped")), started),
        exit_code=_exit_code(row, raw),
    )


def _exit_code(row: Mapping[str, Any], raw: str) -> int | None:
    """Drone writes 0 for what has not ended."""
    return integer(row.get("exit_code")) if raw in ("success", "failure", "killed") else None


def parse_gates(row: Mapping[str, Any]) -> list[Gate]:
    """Every stage that waits for an approval, while the build has not ended."""
    if text(row.get("status")) not in MOVING:
        return []
    return [
        Gate(str(stage["number"]), _name(stage), "Drone asks for an approval of this stage.")
        for stage in mappings(row.get("stages"))
        if stage.get("status") == "blocked" and integer(stage.get("number")) is not None
    ]


def _name(row: Mapping[str, Any]) -> str:
    return text(row.get("name")) or f"#{row.get('number')}"
