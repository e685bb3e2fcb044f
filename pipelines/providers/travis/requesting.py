"""What became of a request: Travis CI takes one at once and makes a build of it later, or never.

A reference is `request:ID`, or `nonce:REQUEST-ID:SECONDS` where the answer held no id.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pipelines.providers.base import Cause, Receipt, RemoteBuild, State
from pipelines.providers.errors import NotFound, ProviderError
from pipelines.providers.labels import REQUEST_ID
from pipelines.providers.travis.parse import (
    REQUEST_STATES,
    Places,
    marked,
    parse_build,
    request_id_of,
    title,
)
from pipelines.providers.travis.start import environment
from pipelines.providers.travis.wire import Answer, TravisWire
from pipelines.providers.wire import EPOCH, integer, iso_time, mappings, short, text

BUILD_PARTS = "build.commit,build.branch,build.created_by"
# An owner without credits has requests that stay pending for ever.
GIVE_UP = timedelta(minutes=10)
STUCK = "Travis CI took the request and made no build of it. Has the owner credits left?"
# Requests of the vendor's clock a little before ours.
SLACK = timedelta(minutes=5)
LOOK_PAGES = 5
MAX_MESSAGES = 3
_REQUEST = re.compile(r"request:([0-9]{1,18})", re.ASCII)
_NONCE = re.compile(r"nonce:([A-Za-z0-9._-]{1,64}):([0-9]{1,12})", re.ASCII)


def reference(row: Mapping[str, Any], request_id: str, now: datetime) -> str:
    """The queue reference of an accepted request. Old Enterprises tell no id."""
    identifier = integer(row.get("id"))
    if identifier is not None:
        return f"request:{identifier}"
    return f"nonce:{request_id}:{int((now - EPOCH).total_seconds())}"


def is_reference(build: str) -> bool:
    return build.startswith(("request:", "nonce:"))


class Requests:
    """The requests of one repository, at the path `repo`."""

    def __init__(self, wire: TravisWire, places: Places, pipeline: str, repo: str) -> None:
        self._wire = wire
        self._places = places
        self._pipeline = pipeline
        self._repo = repo

    def look(self, ref: str) -> RemoteBuild | str:
        """A build; one that stands for a request that became none; or the id of its build."""
        if found := _REQUEST.fullmatch(ref):
            answer = self._wire.ask(f"{self._repo}/request/{found[1]}")
            return self._outcome(answer, answer.data, ref)
        if not (found := _NONCE.fullmatch(ref)):
            raise NotFound(f"{ref!r} is no request at Travis CI.")
        return self._by_id(found[1], ref, EPOCH + timedelta(seconds=int(found[2])))

    def _by_id(self, request_id: str, ref: str, sent: datetime) -> RemoteBuild | str:
        for answer, row in self._newest(sent - SLACK):
            if _carries(row, request_id):
                return self._outcome(answer, row, ref)
        build, now = self._build(request_id)
        if build:
            return build
        if now - sent > GIVE_UP:
            raise NotFound("Travis CI took a request, and neither it nor a build of it is there.")
        return RemoteBuild(
            pipeline=self._pipeline,
            external_id=ref,
            state=State.QUEUED,
            raw_state="pending",
            request_id=request_id,
            queued_at=sent,
            cause=Cause.API,
        )

    def find(self, request_id: str, branch: str, since: datetime | None) -> Receipt | None:
        """The request that carries this id, or a build that does: the oldest of each."""
        after = since - SLACK if since else None
        found = [
            (integer(row.get("id")) or 0, answer, row)
            for answer, row in self._newest(after)
            if _carries(row, request_id)
        ]
        if found:
            _, answer, row = min(found, key=lambda entry: entry[0])
            ref = reference(row, request_id, answer.now)
            outcome = self._outcome(answer, row, ref)
            if isinstance(outcome, str) or outcome.state is State.QUEUED:
                return Receipt(queue_ref=ref)
            return Receipt(build=outcome)
        build, _ = self._build(request_id, branch)
        return Receipt(build=build) if build else None

    def _newest(self, after: datetime | None) -> Iterator[tuple[Answer, Mapping[str, Any]]]:
        """Requests from the newest back to this moment, or the newest page."""
        pages = LOOK_PAGES if after else 1
        path = f"{self._repo}/requests"
        for answer, rows in self._wire.pages(path, "requests", {}, pages):
            yield from ((answer, row) for row in rows)
            oldest = iso_time(rows[-1].get("created_at")) if rows else None
            if oldest is None or (after and oldest < after):
                return

    def _build(self, request_id: str, branch: str = "") -> tuple[RemoteBuild | None, datetime]:
        """The build that carries the id, if there is one by now; and now."""
        params = {
            "build.event_type": "api",
            "sort_by": "id:desc",
            "limit": "100",
            "include": BUILD_PARTS,
        }
        if branch:
            params["branch.name"] = branch
        answer = self._wire.ask(f"{self._repo}/builds", params)
        rows = answer.rows("builds")
        builds = [parse_build(answer, row, self._pipeline, self._places) for row in rows]
        found = [build for build in builds if build.request_id == request_id]
        return min(found, key=lambda build: build.number or 0, default=None), answer.now

    def _outcome(self, answer: Answer, row: Mapping[str, Any], ref: str) -> RemoteBuild | str:
        """`result` may lack where there is a build already, so the builds are looked at first."""
        builds = [integer(build.get("id")) for build in mappings(row.get("builds"))]
        if builds and builds[0] is not None:
            return str(builds[0])
        result = text(row.get("result"))
        raw = result if text(row.get("state")) == "finished" and result else text(row.get("state"))
        state, reason = REQUEST_STATES.get(raw, State.UNKNOWN), ""
        asked = iso_time(row.get("created_at"))
        if state is State.FAILED:
            reason = self._why(row)
        elif asked and answer.now - asked > GIVE_UP:
            state, reason = State.UNKNOWN, STUCK
        elif state is State.UNKNOWN:
            state = State.QUEUED  # a word for "not yet" that is not documented
        commit = answer.at(row, "commit")
        message = text(commit.get("message")) or text(row.get("message"))
        env = environment(row)
        return RemoteBuild(
            pipeline=self._pipeline,
            external_id=ref,
            state=state,
            raw_state=raw,
            message=title(message),
            branch=text(row.get("branch_name")),
            commit=text(commit.get("sha")),
            web_url=self._places.page(self._pipeline, "/requests"),
            queued_at=asked,
            finished_at=asked if state is State.FAILED else None,
            request_id=env.get(REQUEST_ID, "") or request_id_of(message),
            cause=Cause.API,
            reason=reason,
        )

    def _why(self, row: Mapping[str, Any]) -> str:
        """Travis' own explanation, as far as it gives one."""
        said = [short(row.get("message"))]
        try:
            answer = self._wire.ask(f"{self._repo}/request/{integer(row.get('id'))}/messages")
            said += [_message(entry) for entry in mappings(answer.data.get("messages"))]
        except ProviderError:
            pass  # the rejection itself is known
        told = [words for words in said if words][:MAX_MESSAGES]
        return "Travis CI rejected the request" + (f": {'; '.join(told)}" if told else ".")


def _message(entry: Mapping[str, Any]) -> str:
    """For example `error: unknown_key (env)`; `info` explains no rejection."""
    if text(entry.get("level")) == "info":
        return ""
    key = text(entry.get("key"))
    code = text(entry.get("code")).replace("_", " ")
    return f"{code} ({key})" if code and key else code


def _carries(row: Mapping[str, Any], request_id: str) -> bool:
    """Where a waiting request shows its message is not documented, so the id counts anywhere in a
    request that came by the API."""
    if text(row.get("event_type")) not in ("api", ""):
        return False
    if environment(row).get(REQUEST_ID) == request_id:
        return True
    return marked(request_id) in json.dumps(row, ensure_ascii=False)
