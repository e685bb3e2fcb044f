"""Buildkite's webhooks: a notification service of an organisation, signed or with its token.

Source: buildkite.com/docs/apis/webhooks/pipelines.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from .. import script
from ..script import Run
from ..wire import Changed, Outgoing
from .model import Model, spaced_stamp


def deliveries(changed: Changed, url: str, secret: str) -> list[Outgoing]:
    """One delivery for each event; details may choose `events`, and `mode` "token"."""
    details = changed.hook.details if changed.hook else {}
    wanted = details.get("events")
    signed = details.get("mode") != "token"
    return [
        _outgoing(url, secret, event, _body(changed, event, run), signed=signed)
        for event, run in _events(changed)
        if wanted is None or event in wanted
    ]


def _events(changed: Changed) -> Iterator[tuple[str, Run | None]]:
    before, after = changed.before, changed.after
    if before is None:
        yield "build.scheduled", None
    if after.started_at is not None and (before is None or before.started_at is None):
        yield "build.running", None
    yield from _job_events(changed)
    if before is not None and before.state == after.state:
        return
    if after.state == script.FAILING:
        yield "build.failing", None
    # A build that waits at a block step has "finished", with blocked: true.
    if after.final or after.state == script.WAITING:
        yield "build.finished", None


def _job_events(changed: Changed) -> Iterator[tuple[str, Run | None]]:
    known = {(run.index, run.attempt): run for run in changed.before.runs} if changed.before else {}
    for run in changed.after.runs:
        was = known.get((run.index, run.attempt))
        if run.step.gate:
            if run.state == script.PASSED and was is not None and was.state != script.PASSED:
                yield "job.activated", run
            continue
        if run.started_at is not None and (was is None or was.started_at is None):
            yield "job.scheduled", run  # an agent takes a job at once
            yield "job.started", run
        if run.finished_at is not None and (was is None or was.finished_at is None):
            yield "job.finished", run


def _body(changed: Changed, event: str, run: Run | None) -> bytes:
    build = changed.build
    model = Model(changed.instance, changed.instance.base, changed.at)
    who = build.who
    payload: dict[str, Any] = {
        "event": event,
        "build": model.build(build, jobs=False, pipeline=False, seen=changed.after),
        "pipeline": model.pipeline(build.pipeline),
        "sender": {"id": who.id, "name": who.name} if who else None,
    }
    if run is not None:
        payload["job"] = model.job(build, run)
    return json.dumps(_spaced(payload), ensure_ascii=False).encode()


def _outgoing(url: str, secret: str, event: str, body: bytes, *, signed: bool) -> Outgoing:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Buildkite-Request",
        "X-Buildkite-Event": event,
    }
    if not signed:
        return Outgoing(url, headers | {"X-Buildkite-Token": secret}, body)
    # When it is sent, on the clock of the wall; the sandbox's own may have been advanced.
    at = str(int(time.time()))
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return Outgoing(
        url, headers | {"X-Buildkite-Signature": f"timestamp={at},signature={digest}"}, body
    )


def _spaced(value: Any) -> Any:
    """The same with moments as `2015-05-09 21:05:59 UTC`."""
    if isinstance(value, list):
        return [_spaced(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: spaced_stamp(datetime.fromisoformat(item).timestamp())
        if name.endswith("_at") and isinstance(item, str)
        else _spaced(item)
        for name, item in value.items()
    }
