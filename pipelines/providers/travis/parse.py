"""Travis CI's JSON into the contract's dataclasses; every field may be missing or of another type.

Source: travis-ci/travis-api, its v3 renderers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from pipelines.providers.base import Cause, RemoteBuild, RemotePipeline, State, Step
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.travis.wire import Answer
from pipelines.providers.wire import first_line, integer, iso_time, mapping, text

# Of builds, jobs and stages alike. There is no word for skipped, and none for waiting.
STATES = MappingProxyType(
    {
        "created": State.QUEUED,
        "queued": State.QUEUED,
        "received": State.QUEUED,  # a worker took it; its machine boots
        "configured": State.QUEUED,  # in old Enterprises, as the next
        "booting": State.QUEUED,
        "started": State.RUNNING,
        "passed": State.PASSED,
        "failed": State.FAILED,
        "errored": State.FAILED,  # set-up, configuration, a time-out or the machine
        "canceled": State.CANCELLED,
    }
)
# Of requests, which become builds.
REQUEST_STATES = MappingProxyType(
    {"pending": State.QUEUED, "approved": State.QUEUED, "rejected": State.FAILED}
)
CAUSES = MappingProxyType(
    {
        "push": Cause.PUSH,
        "pull_request": Cause.PULL_REQUEST,
        "api": Cause.API,
        "cron": Cause.SCHEDULE,
    }
)
ERRORED = "It could not run to its end: set-up, a time limit or the machine failed."
UNUSABLE = "No job was made of it: the configuration could not be used."
ALLOWED = "allowed failure"
# Whoever may push writes messages: of a long run of spaces no more than a few are looked at.
_NONCE = re.compile(r"\s{0,4}\[stagedoor ([A-Za-z0-9._-]{1,64})\]\s*", re.ASCII)


@dataclass(frozen=True)
class Places:
    """Where people look: Travis' pages, and the repositories' host (empty when not known)."""

    web: str
    source: str
    vcs: str

    def page(self, slug: str, rest: str = "") -> str:
        return f"{self.web}/{self.vcs}/{quote(slug)}{rest}"


def parse_repository(answer: Answer, row: Mapping[str, Any], places: Places) -> RemotePipeline:
    """A repository; one that is not switched on builds nothing."""
    slug, number = text(row.get("slug")), integer(row.get("id"))
    if "/" not in slug or number is None:
        raise InvalidResponse("Travis CI: a repository without a name.")
    active = row.get("active") is True
    return RemotePipeline(
        external_id=slug,
        name=slug,
        web_url=places.page(slug),
        repository=f"{places.source}/{slug}" if places.source else "",
        default_branch=text(answer.at(row, "default_branch").get("name")),
        runnable=active,
        stable_id=str(number),
        active=active,
    )


def vcs_of(row: Mapping[str, Any]) -> str:
    """`github` of GithubRepository or GithubUser; empty when it is not told."""
    return re.sub(r"(?:Repository|User|Organization)$", "", text(row.get("vcs_type"))).lower()


def parse_build(
    answer: Answer, row: Mapping[str, Any], pipeline: str, places: Places
) -> RemoteBuild:
    """A build, of a list or alone. `duration` is the sum of its jobs, so it is not used."""
    identifier = integer(row.get("id"))
    if identifier is None:
        raise InvalidResponse("Travis CI: a build without an id.")
    raw, event = text(row.get("state")), text(row.get("event_type"))
    who, commit = answer.at(row, "created_by"), answer.at(row, "commit")
    tagged = event == "push" and bool(answer.at(row, "tag"))
    return RemoteBuild(
        pipeline=pipeline,
        external_id=str(identifier),
        state=STATES.get(raw, State.UNKNOWN),
        raw_state=raw,
        number=_number(row.get("number")),
        message=title(text(row.get("pull_request_title")) or text(commit.get("message"))),
        branch=_branch(answer, row, event),
        commit=text(commit.get("sha")),
        who=text(who.get("name")) or text(who.get("login")),
        web_url=places.page(pipeline, f"/builds/{identifier}"),
        started_at=iso_time(row.get("started_at")),
        finished_at=iso_time(row.get("finished_at")),
        request_id=request_id_of(text(commit.get("message"))) if event == "api" else "",
        # An organization may have the number of a user.
        who_id=_id(who) if text(who.get("@type")) in ("user", "") else "",
        cause=Cause.TAG if tagged else CAUSES.get(event, Cause.NONE),
        reason=_reason(raw, row),
    )


def _reason(raw: str, row: Mapping[str, Any]) -> str:
    if raw != "errored":
        return ""
    return ERRORED if row.get("started_at") else UNUSABLE


def _branch(answer: Answer, row: Mapping[str, Any], event: str) -> str:
    """Empty for a deleted branch. Of a pull request Travis names the branch that it would go to,
    and of a tag the tag."""
    tag = text(answer.at(row, "tag").get("name"))
    if event == "pull_request":
        return text(answer.at(row, "commit").get("ref"))
    if event == "push" and tag:
        return f"refs/tags/{tag}"
    return text(answer.at(row, "branch").get("name"))


def _number(value: object) -> int | None:
    """Travis' numbers are texts."""
    number = text(value)
    return int(number) if number.isascii() and number.isdigit() and len(number) < 16 else None


def _id(row: Mapping[str, Any]) -> str:
    identifier = integer(row.get("id"))
    return "" if identifier is None else str(identifier)


def parse_job(answer: Answer, row: Mapping[str, Any], alone: bool) -> Step:
    """A job as a step. `alone`: it is the only one of its stage, and so has its name."""
    raw, identifier = text(row.get("state")), _id(row)
    if not identifier:
        raise InvalidResponse("Travis CI: a job without an id.")
    forgiven = row.get("allow_failure") is True and raw in ("failed", "errored")
    started = iso_time(row.get("started_at"))
    return Step(
        id=identifier,
        name=_job_name(answer, row, alone),
        state=State.PASSED if forgiven else STATES.get(raw, State.UNKNOWN),
        raw_state=ALLOWED if forgiven else raw,
        log_id=identifier,
        started_at=started,
        finished_at=iso_time(row.get("finished_at")),
    )


def _job_name(answer: Answer, row: Mapping[str, Any], alone: bool) -> str:
    named = text(mapping(row.get("config")).get("name"))
    stage, number = text(answer.at(row, "stage").get("name")), text(row.get("number"))
    if named or (stage and alone):
        return named or stage
    return f"{stage} {number}".strip() if stage else f"Job {number}".strip()


def title(message: str) -> str:
    """A message's first line, without the id that start() put behind it."""
    return first_line(without_id(message))


def marked(request_id: str) -> str:
    """What stands behind a message of ours."""
    return f"[stagedoor {request_id}]"


def request_id_of(message: str) -> str:
    """The id that stands behind a message of ours."""
    found = _NONCE.findall(message)
    return found[-1] if found else ""


def without_id(message: str) -> str:
    """The message without what could pass for an id of ours."""
    return _NONCE.sub(" ", message)
