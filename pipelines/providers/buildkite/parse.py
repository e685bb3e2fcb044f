"""Buildkite's JSON into the contract's dataclasses; every field may be missing or of another type.

Source: buildkite.com/docs/apis/rest-api, pages builds, jobs and pipelines.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pipelines.providers.base import Cause, RemoteBuild, RemotePipeline, State, Step
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.wire import first_line, integer, iso_time, mapping, short, text, web_link

_SHORTCODE = re.compile(r":[a-z0-9_+-]+:", re.IGNORECASE)
# Every label travels as meta-data under this prefix.
META = "stagedoor-"
REQUEST_ID_KEY = f"{META}request-id"

STATES = MappingProxyType(
    {
        "creating": State.QUEUED,
        "scheduled": State.QUEUED,
        "waiting": State.QUEUED,
        "running": State.RUNNING,
        "failing": State.RUNNING,  # a job failed, others still run
        "canceling": State.RUNNING,  # not stopped yet
        "blocked": State.WAITING,
        "passed": State.PASSED,
        "failed": State.FAILED,
        "canceled": State.CANCELLED,
        "skipped": State.SKIPPED,
        "not_run": State.SKIPPED,
    }
)
CAUSES = MappingProxyType(
    {
        "webhook": Cause.PUSH,
        "api": Cause.API,
        "ui": Cause.MANUAL,
        "schedule": Cause.SCHEDULE,
        "trigger_job": Cause.UPSTREAM,
    }
)
# What a state alone does not say, by the vendor's word.
REASONS = MappingProxyType(
    {
        "blocked": "Waits at a block step.",
        "failing": "A job has failed; others still run.",
        "canceling": "Is being cancelled; jobs that run are given time to end.",
        "skipped": "Skipped: the pipeline builds only the newest of a branch.",
        "not_run": "No step was to run: conditions left all of them out.",
    }
)
JOB_STATES = MappingProxyType(
    {
        "pending": State.QUEUED,
        "waiting": State.QUEUED,
        "limiting": State.QUEUED,
        "limited": State.QUEUED,
        "scheduled": State.QUEUED,
        "reserved": State.QUEUED,
        "assigned": State.QUEUED,
        "accepted": State.QUEUED,
        "platform_limiting": State.QUEUED,
        "platform_limited": State.QUEUED,
        "running": State.RUNNING,
        "canceling": State.RUNNING,
        "timing_out": State.RUNNING,
        "blocked": State.WAITING,  # of a `manual` job only, see _job_state()
        "unblocked": State.PASSED,  # the gate is open
        "unblocked_failed": State.PASSED,
        "passed": State.PASSED,
        "finished": State.PASSED,  # of `manual` jobs in old answers
        "failed": State.FAILED,
        "timed_out": State.FAILED,
        "expired": State.FAILED,  # no agent took it in time
        "canceled": State.CANCELLED,
        "waiting_failed": State.SKIPPED,
        "blocked_failed": State.SKIPPED,
        "skipped": State.SKIPPED,
        "broken": State.SKIPPED,  # its own condition excludes it
    }
)


def parse_pipeline(row: Mapping[str, Any], organization: str) -> RemotePipeline:
    """A pipeline; one that is archived can't run."""
    slug = text(row.get("slug"))
    if not slug:
        raise InvalidResponse("Buildkite: a pipeline without a slug.")
    return RemotePipeline(
        external_id=f"{organization}/{slug}",
        name=without_emoji(text(row.get("name"))) or slug,
        web_url=web_link(row.get("web_url")),
        repository=text(row.get("repository")),
        default_branch=text(row.get("default_branch")),
        runnable=not row.get("archived_at"),
        stable_id=text(row.get("id")),
    )


def without_emoji(name: str) -> str:
    """The name without shortcodes such as `:rocket:`, which only Buildkite's own pages draw."""
    return " ".join(_SHORTCODE.sub(" ", name).split())


def parse_build(row: Mapping[str, Any], pipeline: str) -> RemoteBuild:
    """A build, with or without its jobs."""
    number = integer(row.get("number"))
    if number is None:
        raise InvalidResponse("Buildkite: a build without a number.")
    # While a block step waits, `state` keeps its last value, "passed" for one.
    raw = "blocked" if row.get("blocked") is True else text(row.get("state"))
    return RemoteBuild(
        pipeline=pipeline,
        external_id=str(number),
        state=STATES.get(raw, State.UNKNOWN),
        raw_state=raw,
        number=number,
        message=first_line(row.get("message")),
        branch=_branch(row),
        commit="" if row.get("commit") == "HEAD" else text(row.get("commit")),
        who=_who(row),
        web_url=web_link(row.get("web_url")),
        queued_at=iso_time(row.get("scheduled_at")) or iso_time(row.get("created_at")),
        started_at=iso_time(row.get("started_at")),
        finished_at=iso_time(row.get("finished_at")),
        request_id=_request_id(row),
        who_id=text(mapping(row.get("creator")).get("id")),
        cause=_cause(row),
        reason=_reason(row, raw),
    )


def _branch(row: Mapping[str, Any]) -> str:
    """Of a tag Buildkite calls the tag its branch; a fork's branch has its owner in front."""
    tag = text(row.get("tag"))
    return f"refs/tags/{tag}" if tag else text(row.get("branch"))


def _cause(row: Mapping[str, Any]) -> Cause:
    cause = CAUSES.get(text(row.get("source")), Cause.NONE)
    if cause is not Cause.PUSH:
        return cause
    if mapping(row.get("pull_request")).get("id"):
        return Cause.PULL_REQUEST
    return Cause.TAG if text(row.get("tag")) else cause


def _reason(row: Mapping[str, Any], raw: str) -> str:
    if raw == "blocked" and row.get("blocked_state") == "failed":
        return "Waits at a block step, and a job before it has failed."
    told = short(row.get("cancel_reason"))
    if raw in ("canceled", "canceling") and told:
        return f"Cancelled: {told}"
    return REASONS.get(raw, "")


def _request_id(row: Mapping[str, Any]) -> str:
    # Whether a rebuild copies meta-data is not documented; a copy is not what was asked for.
    if row.get("rebuilt_from"):
        return ""
    return text(mapping(row.get("meta_data")).get(REQUEST_ID_KEY))


def _who(row: Mapping[str, Any]) -> str:
    """The creator is the token's owner; the author may be an object, a text or nothing."""
    creator, author = row.get("creator"), row.get("author")
    names = [text(mapping(creator).get("name")), text(mapping(author).get("name")), text(author)]
    return next(filter(None, names), "")


def parse_job(job: Mapping[str, Any]) -> Step | None:
    """A job as a step. A `waiter` has neither name nor state and is none."""
    kind, raw = text(job.get("type")), text(job.get("state"))
    if kind == "waiter" or not text(job.get("id")):
        return None
    names = (without_emoji(text(job.get(key))) for key in ("name", "label", "step_key"))
    name = next(filter(None, names), "")
    return Step(
        id=text(job["id"]),
        name=name or first_line(job.get("command")) or kind,
        state=_job_state(job, kind, raw),
        raw_state="soft_failed" if job.get("soft_failed") is True else raw,
        log_id=text(job["id"]) if kind == "script" else "",
        started_at=iso_time(job.get("started_at")),
        finished_at=iso_time(job.get("finished_at")),
        exit_code=integer(job.get("exit_status")),
    )


def _job_state(job: Mapping[str, Any], kind: str, raw: str) -> State:
    if raw == "blocked" and kind != "manual":
        return State.QUEUED  # stands behind the gate, is not the gate
    if raw == "finished" and kind != "manual":
        return State.UNKNOWN
    if raw in ("failed", "timed_out") and job.get("soft_failed") is True:
        return State.PASSED
    return JOB_STATES.get(raw, State.UNKNOWN)
