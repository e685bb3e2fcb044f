"""Bitbucket's webhooks: a commit status for every run, a push for those that one started.

Source: support.atlassian.com/bitbucket-cloud/docs/event-payloads.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

from .. import script
from ..objects import stable_uuid
from ..script import Snapshot
from ..wire import Changed, Outgoing
from .model import Model, stamp

RETRIES = (10.0, 60.0)  # seconds; the documents tell the number only
LARGEST = 256 * 1024  # larger deliveries are dropped without a word


def deliveries(changed: Changed, url: str, secret: str) -> list[Outgoing]:
    """One delivery per event that the webhook asked for."""
    details = changed.hook.details if changed.hook else {}
    if details.get("active") is False:
        return []
    wanted = details.get("events")
    model = Model(changed.instance, changed.instance.base, changed.at)
    made = [
        _outgoing(changed, event, body, url, secret)
        for event, body in _events(changed, model)
        if wanted is None or event in wanted
    ]
    return [outgoing for outgoing in made if len(outgoing.body) <= LARGEST]


def _events(changed: Changed, model: Model) -> Iterator[tuple[str, dict[str, Any]]]:
    build = changed.build
    if changed.before is None and build.source == "scm":
        new = {"type": "branch", "name": build.branch, "target": {"hash": build.commit}}
        change: dict[str, Any] = {
            "new": new,
            "old": None,
            "created": False,
            "closed": False,
            "commits": [],
        }
        yield "repo:push", _common(changed, model) | {"push": {"changes": [change]}}
    status = _status(changed.after)
    if changed.before is None:
        yield "repo:commit_status_created", _status_body(changed, model, status)
    elif _status(changed.before) != status:
        yield "repo:commit_status_updated", _status_body(changed, model, status)


def _status(seen: Snapshot) -> str:
    """A status knows no pause: the run passes for successful then."""
    if seen.state == script.WAITING:
        return "SUCCESSFUL"
    if not seen.final:
        return "INPROGRESS"
    ends = {script.FAILED: "FAILED", script.CANCELLED: "STOPPED"}
    return ends.get(seen.state, "SUCCESSFUL")


def _common(changed: Changed, model: Model) -> dict[str, Any]:
    who = changed.build.who
    return {
        "repository": model.repository(changed.build.pipeline),
        "actor": model.account(who) if who else {"type": "AppUser", "uuid": "{0}"},
    }


def _status_body(changed: Changed, model: Model, status: str) -> dict[str, Any]:
    build = changed.build
    page = f"{model.web}/{build.pipeline.name}/addon/pipelines/home#!/results/{build.number}"
    return _common(changed, model) | {
        "commit_status": {
            "type": "build",
            "key": str(1000 + build.number),
            "name": f"Pipeline #{build.number} for {build.branch}",
            "state": status,
            "url": page,
            "refname": build.branch,
            "description": "",
            "created_on": stamp(build.created_at),
            "updated_on": stamp(changed.at or build.created_at),
            "commit": {"type": "commit", "hash": build.commit},
        }
    }


def _outgoing(
    changed: Changed, event: str, payload: dict[str, Any], url: str, secret: str
) -> Outgoing:
    body = json.dumps(payload, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Bitbucket-Webhooks/2.0",
        "X-Event-Key": event,
        "X-Hook-UUID": changed.hook.id if changed.hook else stable_uuid(url),
        "X-Request-UUID": stable_uuid(changed.build.id, event, body),
        "X-Attempt-Number": "1",
    }
    if secret:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers["X-Hub-Signature"] = f"sha256={digest}"
    return Outgoing(url, headers, body, retries=RETRIES)
