"""What the plugin "Notification" sends: unsigned JSON to the address that a job is given.

It sends QUEUED when the run begins, and COMPLETED and FINALIZED at its end; one of them is chosen
by the detail `event`, and all are sent without it.
"""

import json
from typing import Any

from ..objects import Build
from ..wire import Changed, Outgoing
from . import names
from .log import RESULTS
from .model import millis

TIMEOUT = 30.0


def deliveries(changed: Changed, url: str, secret: str) -> list[Outgoing]:
    """The plugin knows no secret: where one is wanted, it is a part of the address."""
    wanted = changed.hook.details.get("event", "all") if changed.hook else "all"
    return [
        Outgoing(
            url,
            {"Content-Type": "application/json;charset=UTF-8"},
            json.dumps(_payload(changed, phase), ensure_ascii=False).encode(),
            redirect=True,
            timeout=TIMEOUT,
        )
        for phase in _phases(changed)
        if wanted in ("all", phase.lower())
    ]


def _phases(changed: Changed) -> list[str]:
    before, after = changed.before, changed.after
    phases = []
    if after.started_at is not None and (before is None or before.started_at is None):
        phases += ["QUEUED", "STARTED"]
    if after.final and (before is None or not before.final):
        phases += ["COMPLETED", "FINALIZED"]
    return phases


def _payload(changed: Changed, phase: str) -> dict[str, Any]:
    build = changed.build
    job = build.pipeline
    return {
        "name": job.short_name,  # without its folders
        "display_name": names.display_name(job),
        "url": names.path_of(job.name),
        "build": _build(changed, phase),
    }


def _build(changed: Changed, phase: str) -> dict[str, Any]:
    build, seen = changed.build, changed.after
    path = f"{names.path_of(build.pipeline.name)}{build.number}/"
    root = str(changed.instance.options.get("root_url") or changed.instance.base).rstrip("/")
    started = seen.started_at if seen.started_at is not None else build.created_at
    told = {
        "full_url": f"{root}/{path}",
        "number": build.number,
        "queue_id": build.queue_id or -1,
        "timestamp": millis(started),
        "duration": millis((seen.finished_at or started) - started),
        "phase": phase,
        "url": path,
        "display_name": f"#{build.number}",
        "scm": _scm(build),
        "parameters": build.shown_parameters(),
        "notes": "",
        "log": "",
        "artifacts": {},
    }
    if phase in ("COMPLETED", "FINALIZED"):
        told["status"] = RESULTS[seen.state]
    return told


def _scm(build: Build) -> dict[str, Any]:
    return {
        "url": build.pipeline.repository,
        "branch": f"origin/{build.branch}",
        "commit": build.commit,
        "changes": [],
        "culprits": [],
    }
