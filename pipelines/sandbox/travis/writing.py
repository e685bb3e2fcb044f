"""What Travis CI changes on request: a build asked for, cancelled, restarted; a repository on."""

import json
import shlex
from collections.abc import Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any

from .. import script
from ..journal import Accepted
from ..objects import Ask, Build, Pipeline, Token
from ..wire import Answer, Request
from . import errors, ids, limits, requesting
from .listing import resource
from .model import Model, state_of

REQUEST_ID = "STAGEDOOR_REQUEST_ID"
_MODES = ("replace", "merge", "deep_merge", "deep_merge_append", "deep_merge_prepend")
_MOVING = {script.QUEUED, script.RUNNING, script.FAILING, script.WAITING}


def create(request: Request, model: Model, pipeline: Pipeline, token: Token) -> Answer:
    """`POST …/requests`: 202 with the request. What stands outside of `request` is ignored."""
    instance = request.instance
    if pipeline.archived:
        return errors.migrated()
    if not pipeline.active:
        return errors.inactive(model.repository(pipeline, "minimal"))
    remaining, most = limits.left(instance, pipeline.name)
    if remaining <= 0:
        return errors.too_many_requests(most)
    fields = _fields(request)
    config, mode = fields.get("config") or {}, fields.get("merge_mode") or _MODES[3]
    if not isinstance(config, dict) or mode not in _MODES:
        return errors.wrong_params()
    branch = str(fields.get("branch") or pipeline.default_branch)
    ask = Ask(
        who=token.person,
        branch=branch,
        commit=str(fields.get("sha") or ""),
        message=str(fields.get("message") or "Latest commit"),
        env=environment(config),
        details={"event": "api", "config": config, "asked_at": instance.now()},
    )
    limits.count_start(instance, pipeline.name)
    patterns = pipeline.branch_filter.split()
    if patterns and not any(fnmatchcase(branch, pattern) for pattern in patterns):
        text = "branch not included or excluded"
        asked = requesting.reject(instance, pipeline, ask, text, "branch_not_included")
    else:
        asked = requesting.enter(instance, pipeline, ask)
        request_id = ask.env.get(REQUEST_ID, "")
        _note(request, pipeline, token, "start", request_id=request_id, queue=asked.id)
    shown = {
        "@type": "pending",
        "remaining_requests": remaining - 1,
        "repository": model.repository(pipeline, "minimal"),
        "request": _told(request, model, asked, fields, token),
        "resource_type": "request",
    }
    return resource(shown, 202)


def _told(
    request: Request,
    model: Model,
    asked: requesting.Asked,
    fields: Mapping[str, Any],
    token: Token,
) -> dict[str, Any]:
    """The request as it was understood. Option `old_enterprise`: without an id."""
    told: dict[str, Any] = {
        "repository": model.repository(asked.pipeline, "minimal"),
        "user": {"id": ids.person_id(token.person.login)},
        "branch": asked.branch,
        "message": fields.get("message"),
        "config": asked.config,
    }
    return told if request.instance.options.get("old_enterprise") else {"id": asked.id, **told}


def _fields(request: Request) -> dict[str, Any]:
    """The fields of `request`, from JSON or from a form with `request.branch=…`."""
    if request.headers.get_content_type() == "application/x-www-form-urlencoded":
        given = request.form()
        prefix = "request."
        return {name[len(prefix) :]: text for name, text in given if name.startswith(prefix)}
    body = request.json()
    fields = body.get("request") if isinstance(body, dict) else None
    if isinstance(fields, str):
        with suppress(ValueError):
            fields = json.loads(fields)
    return fields if isinstance(fields, dict) else {}


def environment(config: Mapping[str, Any]) -> dict[str, str]:
    """`env.global` as a build's shell sees it: words of a shell, or names with values."""
    env = config.get("env")
    entries = env.get("global") if isinstance(env, dict) else None
    found: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, dict):
            found |= {str(name): str(value) for name, value in entry.items()}
        elif isinstance(entry, str):
            words = (word.partition("=") for word in shlex.split(entry))
            found |= {name: value for name, _, value in words}
    return found


def _note(
    request: Request,
    pipeline: Pipeline,
    token: Token,
    action: str,
    *,
    request_id: str = "",
    queue: int = 0,
) -> None:
    request.world.journal.accepted.append(
        Accepted(
            at=request.instance.now(),
            entry=request.entry.id,
            instance=request.instance.prefix,
            pipeline=pipeline.name,
            action=action,
            request_id=request_id,
            user=token.person.login,
            queue_id=queue or None,
        )
    )


def _pending(model: Model, build: Build, change: str) -> Answer:
    shown = {
        "@type": "pending",
        "build": model.build(build, "minimal"),
        "state_change": change,
        "resource_type": "build",
    }
    return resource(shown, 202)


def cancel(request: Request, model: Model, build: Build, _token: Token) -> Answer:
    """`POST /build/ID/cancel`: 202, and done a moment later."""
    now = request.instance.now()
    if build.details.get("config_error") or build.at(now).state not in _MOVING:
        text = f"build is not running, cannot cancel (state: {state_of(build, now)})"
        return errors.conflict("build_not_cancelable", text)
    request.instance.cancel(build)
    return _pending(model, build, "cancel")


def restart(request: Request, model: Model, build: Build, token: Token) -> Answer:
    """`POST /build/ID/restart`: the same build again; its old log and times are gone."""
    if not build.at(request.instance.now()).final:
        return errors.conflict("build_already_running", "build already running, cannot restart")
    request.instance.restart(build)
    build.details["restarted_at"] = request.instance.now()
    _note(request, build.pipeline, token, "retry")
    return _pending(model, build, "restart")


def activate(_request: Request, model: Model, pipeline: Pipeline, active: bool) -> Answer:
    """`POST /repo/…/activate` and `deactivate`."""
    pipeline.active = active
    return resource(model.repository(pipeline))
