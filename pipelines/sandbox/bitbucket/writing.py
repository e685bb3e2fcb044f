"""What Bitbucket changes on request: a run started or stopped, Pipelines switched on, webhooks."""

import re
from typing import Any

from .. import script
from ..journal import Accepted
from ..objects import Ask, Build, Hook, Pipeline
from ..wire import Answer, Request, json_answer
from . import errors
from .auth import Caller
from .listing import page, whole
from .model import Model, braced, head_of
from .source import custom_names, yml_of

REQUEST_ID = "STAGEDOOR_REQUEST_ID"
_HASH = re.compile(r"[0-9a-f]{40}")
INVALID = "The request body contains invalid properties"


def start(request: Request, pipeline: Pipeline, who: Caller) -> Answer:
    """`POST …/pipelines`: 201 with the run."""
    body = request.json()
    target = body.get("target") if isinstance(body, dict) else None
    if not isinstance(target, dict):
        return errors.bad_request(INVALID)
    problem = _problem(pipeline, target)
    if problem is not None:
        return problem
    variables = [v for v in body.get("variables") or [] if isinstance(v, dict) and v.get("key")]
    commit = (target.get("commit") or {}).get("hash", "")
    branch = target.get("ref_name") or target.get("source") or pipeline.default_branch
    env = {str(v["key"]): str(v.get("value", "")) for v in variables}
    ask = Ask(
        who=who.token.person,
        branch=branch,
        commit=commit or head_of(pipeline, branch),
        env=env,
        details={
            "target": target,
            "secured": [str(v["key"]) for v in variables if v.get("secured")],
        },
    )
    build = request.instance.start(pipeline, ask)
    request.world.journal.accepted.append(
        Accepted(
            at=request.instance.now(),
            entry=request.entry.id,
            instance=request.instance.prefix,
            pipeline=pipeline.name,
            action="start",
            request_id=env.get(REQUEST_ID, ""),
            user=who.token.person.login,
            build=build.number,
        )
    )
    return json_answer(Model(request.instance, request.base).run(build), 201)


def _problem(pipeline: Pipeline, target: dict[str, Any]) -> Answer | None:
    """Which status a repository with Pipelines switched off gives is not documented."""
    kind, selector = target.get("type"), target.get("selector") or {}
    commit = (target.get("commit") or {}).get("hash")
    if not pipeline.active:
        return errors.bad_request("Pipelines is not enabled for this repository.")
    if commit is not None and not _HASH.fullmatch(str(commit)):
        return errors.bad_request(INVALID)
    problem = None
    if kind == "pipeline_ref_target":
        name = target.get("ref_name")
        if target.get("ref_type") not in ("branch", "tag") or not isinstance(name, str):
            problem = errors.bad_request(INVALID)
        elif target["ref_type"] == "branch" and name not in pipeline.branches:
            detail = f"Could not find last reference for branch {name}"
            problem = errors.error(404, "Not found", detail=detail)
    elif kind == "pipeline_commit_target":
        problem = errors.bad_request(INVALID) if not (commit and selector) else None
    elif kind != "pipeline_pullrequest_target":
        problem = errors.bad_request(INVALID)
    if problem is None and yml_of(pipeline) is None:
        problem = errors.bad_request("No bitbucket-pipelines.yml was found at this commit.")
    elif problem is None and selector.get("type") == "custom":
        problem = _unknown_selector(pipeline, selector)
    return problem


def _unknown_selector(pipeline: Pipeline, selector: dict[str, Any]) -> Answer | None:
    if selector.get("pattern") in custom_names(pipeline):
        return None
    return errors.bad_request(
        "Requested selector is not found in bitbucket-pipelines.yml.",
        "result-service.pipeline.selector-not-found",
    )


def stop(request: Request, build: Build) -> Answer:
    """`POST …/stopPipeline`: 204 at once. A paused run is not stopped, whatever the answer."""
    state = build.at(request.instance.now()).state
    if state in script.FINAL:
        return errors.bad_request(
            "Cannot stop pipeline result that is already complete.",
            "result-service.pipeline.already-complete",
        )
    if state != script.WAITING:
        request.instance.cancel(build)
    return Answer(204)


def config(request: Request, pipeline: Pipeline) -> Answer:
    """`GET` and `PUT …/pipelines_config`."""
    if request.method == "PUT":
        body = request.json()
        pipeline.active = bool(isinstance(body, dict) and body.get("enabled"))
        request.instance.changes += 1
    shown = {
        "type": "repository_pipelines_configuration",
        "enabled": pipeline.active,
        "repository": {"type": "repository", "full_name": pipeline.name},
    }
    return whole(request, shown)


# --- Webhooks ------------------------------------------------------------------------------------
def hooks(request: Request, pipeline: Pipeline, rest: tuple[str, ...]) -> Answer:
    """`…/hooks` and `…/hooks/{uuid}`."""
    known = [hook for hook in request.instance.hooks.values() if hook.pipeline == pipeline.name]
    if not rest:
        if request.method == "POST":
            return _subscribe(request, pipeline, None)
        return page(request, known, lambda hook: _shown(request, hook))
    hook = next((hook for hook in known if braced(hook.id) == rest[0]), None)
    if hook is None:
        return errors.error(404, "Webhook not found")
    if request.method == "DELETE":
        request.instance.drop_hook(hook.id)
        return Answer(204)
    if request.method == "PUT":
        return _subscribe(request, pipeline, hook)
    return whole(request, _shown(request, hook))


def _subscribe(request: Request, pipeline: Pipeline, known: Hook | None) -> Answer:
    body = request.json()
    events = body.get("events") if isinstance(body, dict) else None
    url = body.get("url") if isinstance(body, dict) else None
    if not isinstance(url, str) or not url.startswith("http") or not isinstance(events, list):
        return errors.error(400, "Bad request", fields={"url": ["Enter a valid URL."]})
    if known is not None:
        request.instance.drop_hook(known.id)
    details = {
        "events": events,
        "active": bool(body.get("active", True)),
        "description": str(body.get("description") or ""),
    }
    secret = str(body.get("secret") or (known.secret if known else ""))
    hook = request.instance.add_hook(url, secret, pipeline.name, details)
    return json_answer(_shown(request, hook), 200 if known else 201)


def _shown(request: Request, hook: Hook) -> dict[str, Any]:
    """The secret never comes back."""
    url = f"{request.base}/2.0/repositories/{hook.pipeline}/hooks/{braced(hook.id)}"
    return {
        "type": "webhook_subscription",
        "uuid": braced(hook.id),
        "url": hook.url,
        "description": hook.details.get("description", ""),
        "subject_type": "repository",
        "subject": {"type": "repository", "full_name": hook.pipeline},
        "active": hook.details.get("active", True),
        "events": hook.details.get("events", []),
        "secret_set": bool(hook.secret),
        "links": {"self": {"href": url}},
    }
