"""Bitbucket's JSON into the contract's dataclasses; every field may be missing or of another type.

A state is told by up to three words: `state.name`, while it moves `state.stage.name`, and at the
end `state.result.name`. `links` are not followed nor shown: they may name an internal host.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from pipelines.providers.base import FINAL, Cause, RemoteBuild, RemotePipeline, State, Step
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.wire import first_line, integer, iso_time, mapping, not_before, short, text

STATES = MappingProxyType(
    {
        "PARSING": State.QUEUED,
        "PENDING": State.QUEUED,
        "IN_PROGRESS": State.RUNNING,
        "RUNNING": State.RUNNING,
        "PAUSED": State.WAITING,  # the next step is a manual one
        "HALTED": State.QUEUED,  # nothing runs, and nobody in particular is waited for
        "SUCCESSFUL": State.PASSED,
        "FAILED": State.FAILED,
        "ERROR": State.FAILED,
        "EXPIRED": State.FAILED,
        "STOPPED": State.CANCELLED,
    }
)
STEP_STATES = MappingProxyType(
    {
        "PENDING": State.QUEUED,
        "READY": State.QUEUED,
        "HALTED": State.QUEUED,
        "PAUSED": State.WAITING,
        "IN_PROGRESS": State.RUNNING,
        "RUNNING": State.RUNNING,
        "SUCCESSFUL": State.PASSED,
        "FAILED": State.FAILED,
        "ERROR": State.FAILED,
        "EXPIRED": State.FAILED,
        "STOPPED": State.CANCELLED,
        "NOT_RUN": State.SKIPPED,
        "SKIPPED": State.SKIPPED,
    }
)
WAITS = "Waits for a manual step, which only Bitbucket's own page can start."
REASONS = MappingProxyType(
    {
        "PAUSED": WAITS,
        "HALTED": "Held by Bitbucket: the deployment environment is taken by another run, or the "
        "build minutes are used up.",
        "ERROR": "Bitbucket could not run it.",
        "EXPIRED": "Its manual step was not started in time.",
    }
)
CAUSES = MappingProxyType(
    {
        "PUSH": Cause.PUSH,
        "MANUAL": Cause.MANUAL,
        "SCHEDULED": Cause.SCHEDULE,
        "PARENT_STEP": Cause.UPSTREAM,
    }
)
PULL_REQUEST = "pipeline_pullrequest_target"
TAGS = ("tag", "annotated_tag")
_TYPES = ("pipeline_step_state_", "pipeline_state_")
_LEVELS = ("COMPLETED_", "IN_PROGRESS_", "PENDING_")
# What a list of builds is asked for; `next` is not among them, since one page is enough.
BUILD_FIELDS = ",".join(
    f"values.{name}"
    for name in (
        "build_number",
        "state",
        "target",
        "trigger",
        "creator.uuid",
        "creator.display_name",
        "created_on",
        "completed_on",
    )
)
REPOSITORY_FIELDS = (
    "next,values.uuid,values.full_name,values.name,values.mainbranch.name,values.type"
)


def parse_repository(row: Mapping[str, Any], web: str) -> RemotePipeline:
    """A repository; whether Pipelines is on is not told here. An empty one has no main branch."""
    name = text(row.get("full_name"))
    if name.count("/") != 1 or not all(name.split("/")):
        raise InvalidResponse("Bitbucket: a repository without its full name.")
    page = f"{web}/{quote(name)}"
    return RemotePipeline(
        external_id=name,
        name=text(row.get("name")) or name,
        web_url=f"{page}/pipelines",
        repository=page,
        default_branch=text(mapping(row.get("mainbranch")).get("name")),
        parameters=None,
        stable_id=text(row.get("uuid")).lower(),
    )


# --- Words of states -----------------------------------------------------------------------------
def _name(value: object) -> str:
    """The word of a state, stage or result: its name, else the end of its type."""
    fields = mapping(value)
    name = text(fields.get("name")).upper()
    if name:
        return name
    kind = text(fields.get("type"))
    for prefix in _TYPES:
        if kind.startswith(prefix):
            word = kind.removeprefix(prefix).upper()
            return next((word.removeprefix(p) for p in _LEVELS if word.startswith(p)), word)
    return ""


def word_of(state: object) -> str:
    """The word that tells most. A result counts once the state is COMPLETED, a stage before."""
    fields = mapping(state)
    name = _name(fields)
    result, stage = _name(fields.get("result")), _name(fields.get("stage"))
    if result and name in ("COMPLETED", ""):
        return result
    if stage and name in ("IN_PROGRESS", "PENDING", ""):
        return stage
    return name


# --- Builds --------------------------------------------------------------------------------------
def parse_build(row: Mapping[str, Any], pipeline: str, web: str) -> RemoteBuild:
    """A pipeline's run. Bitbucket does not tell when it left the queue, nor any message."""
    number = integer(row.get("build_number"))
    if number is None or number < 0:
        raise InvalidResponse("Bitbucket: a build without a number.")
    word = word_of(row.get("state"))
    state = STATES.get(word, State.UNKNOWN)
    target, creator = mapping(row.get("target")), mapping(row.get("creator"))
    created, completed = iso_time(row.get("created_on")), iso_time(row.get("completed_on"))
    return RemoteBuild(
        pipeline=pipeline,
        external_id=str(number),
        state=state,
        raw_state=word,
        number=number,
        message=_message(target),
        branch=branch_of(target),
        commit=text(mapping(target.get("commit")).get("hash")),
        who=text(creator.get("display_name")),
        who_id=text(creator.get("uuid")).lower(),
        web_url=f"{web}/{quote(pipeline)}/pipelines/results/{number}",
        queued_at=created,
        started_at=None if state is State.QUEUED else created,
        finished_at=not_before(completed, created) if state in FINAL else None,
        cause=_cause(row, target),
        reason=_reason(word, row),
    )


def branch_of(target: Mapping[str, Any]) -> str:
    """The branch, or the ref of a tag or pull request; Bitbucket has no refs for the latter."""
    name = text(target.get("ref_name"))
    if target.get("type") == PULL_REQUEST or (target.get("source") and not name):
        return f"refs/pull/{mapping(target.get('pullrequest')).get('id', '')}"
    return f"refs/tags/{name}" if name and target.get("ref_type") in TAGS else name


def _message(target: Mapping[str, Any]) -> str:
    title = first_line(mapping(target.get("pullrequest")).get("title"))
    custom = custom_of(target)
    return title or (f"Custom pipeline {custom}" if custom else "")


def custom_of(target: Mapping[str, Any]) -> str:
    """The name of the custom pipeline that was chosen; empty for any other."""
    selector = mapping(target.get("selector"))
    return text(selector.get("pattern")) if selector.get("type") == "custom" else ""


def _cause(row: Mapping[str, Any], target: Mapping[str, Any]) -> Cause:
    cause = CAUSES.get(text(mapping(row.get("trigger")).get("name")).upper(), Cause.NONE)
    if cause is not Cause.PUSH:
        return cause
    if target.get("type") == PULL_REQUEST:
        return Cause.PULL_REQUEST
    return Cause.TAG if target.get("ref_type") in TAGS else Cause.PUSH


def _reason(word: str, row: Mapping[str, Any]) -> str:
    result = mapping(mapping(row.get("state")).get("result"))
    if word == "STOPPED":
        who = text(mapping(result.get("terminator")).get("display_name"))
        return f"Stopped by {who}." if who else ""
    reason = REASONS.get(word, "")
    said = short(mapping(result.get("error")).get("message")) if word == "ERROR" else ""
    return f"{reason} {said}".strip()


# --- Steps ---------------------------------------------------------------------------------------
def parse_step(row: Mapping[str, Any], position: int) -> Step:
    """A step; a step that has not begun has no log."""
    name = _name(row.get("state"))
    word = word_of(row.get("state"))
    if name == "IN_PROGRESS" and word != "HALTED":
        word = name  # its stage may still be PENDING
    started = iso_time(row.get("started_on"))
    state = STEP_STATES.get(word, State.UNKNOWN)
    begun = started is not None or state in (State.RUNNING, State.PASSED, State.FAILED)
    identifier = text(row.get("uuid"))
    return Step(
        id=identifier,
        name=text(row.get("name")) or f"Step {position}",
        state=state,
        raw_state=word,
        log_id=identifier if begun else "",
        started_at=started,
        finished_at=not_before(iso_time(row.get("completed_on")), started),
    )


def waits_for_a_person(rows: list[Mapping[str, Any]]) -> bool:
    """Whether a manual step is next: all before it has ended, and nothing runs beside it."""
    steps = [parse_step(row, 0) for row in rows]
    manual = [
        step.state is State.WAITING
        for step, row in zip(steps, rows, strict=True)
        if "manual" in text(mapping(row.get("trigger")).get("type"))
    ]
    busy = any(step.state is State.RUNNING for step in steps)
    return any(manual) and not busy
