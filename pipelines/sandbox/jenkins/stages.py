"""A Jenkins run's stages, as Stage View (wfapi) and Pipeline Graph View tell them."""

from html import escape
from typing import Any

from .. import script
from ..objects import Build, Parameter
from ..script import Run
from ..wire import Answer, Request, json_answer, text_answer
from . import names
from .actions import input_id, inputs_of
from .log import step_log
from .model import millis
from .pages import not_found

_WFAPI = {
    script.PENDING: "NOT_EXECUTED",
    script.SKIPPED: "NOT_EXECUTED",
    script.RUNNING: "IN_PROGRESS",
    script.WAITING: "PAUSED_PENDING_INPUT",
    script.PASSED: "SUCCESS",
    script.UNSTABLE: "UNSTABLE",
    script.SOFT_FAILED: "UNSTABLE",
    script.FAILED: "FAILED",
    script.CANCELLED: "ABORTED",
}
_GRAPH = {
    script.PENDING: "queued",
    script.SKIPPED: "skipped",
    script.RUNNING: "running",
    script.WAITING: "paused",
    script.PASSED: "success",
    script.UNSTABLE: "unstable",
    script.SOFT_FAILED: "unstable",
    script.FAILED: "failure",
    script.CANCELLED: "aborted",
}
_BUILD_STATUS = _WFAPI | {
    script.QUEUED: "NOT_EXECUTED",
    script.FAILING: "IN_PROGRESS",
    script.CANCELLING: "IN_PROGRESS",
}


def node_id(index: int) -> str:
    return str(6 + index * 5)


def describe(build: Build, now: float, prefix: str) -> dict[str, Any]:
    """`wfapi/describe`. Stages that have not begun are absent, as in Stage View."""
    seen = build.at(now)
    started = seen.started_at if seen.started_at is not None else build.created_at
    end = seen.finished_at if seen.finished_at is not None else now
    path = f"/{prefix}/{names.path_of(build.pipeline.name)}{build.number}"
    links: dict[str, Any] = {"self": {"href": f"{path}/wfapi/describe"}}
    if any(run.state == script.WAITING for run in seen.runs):
        links["pendingInputActions"] = {"href": f"{path}/wfapi/pendingInputActions"}
    return {
        "_links": links,
        "id": str(build.number),
        "name": f"#{build.number}",
        "status": _BUILD_STATUS[seen.state],
        "startTimeMillis": millis(started),
        "endTimeMillis": millis(end),
        "durationMillis": millis(end - started),
        "queueDurationMillis": millis(started - build.created_at),
        "pauseDurationMillis": 0,
        "stages": [_stage(run, now, path) for run in seen.runs if run.started_at is not None],
    }


def _stage(run: Run, now: float, path: str) -> dict[str, Any]:
    started = run.started_at or now
    end = run.finished_at if run.finished_at is not None else now
    stage: dict[str, Any] = {
        "_links": {"self": {"href": f"{path}/execution/node/{node_id(run.index)}/wfapi/describe"}},
        "id": node_id(run.index),
        "name": run.step.name,
        "execNode": "",
        "status": _WFAPI[run.state],
        "startTimeMillis": millis(started),
        "durationMillis": millis(max(end - started, 0)),
        "pauseDurationMillis": millis(end - started) if run.step.gate else 0,
    }
    if run.state == script.FAILED:
        stage["error"] = {"message": "script returned exit code 1", "type": "hudson.AbortException"}
    return stage


def graph(build: Build, now: float) -> dict[str, Any]:
    """`stages/tree`."""
    seen = build.at(now)
    stages: list[dict[str, Any]] = [
        {
            "id": node_id(run.index),
            "name": run.step.name,
            "state": _GRAPH[run.state],
            "type": "STAGE",
            "title": run.step.name,
            "startTimeMillis": millis(run.started_at) if run.started_at is not None else 0,
            "totalDurationMillis": (
                millis(run.finished_at - (run.started_at or run.finished_at))
                if run.finished_at is not None
                else None
            ),
            "pauseDurationMillis": 0,
            "children": [],
            "agent": "built-in",
            "url": f"/stages/?selected-node={node_id(run.index)}",
        }
        for run in seen.current()
    ]
    return {"status": "ok", "data": {"stages": stages, "complete": seen.final}}


def pending_inputs(build: Build, now: float, prefix: str) -> list[dict[str, Any]]:
    path = f"/{prefix}/{names.path_of(build.pipeline.name)}{build.number}"
    return [
        {
            "id": input_id(run.index),
            "message": run.step.name,
            "proceedText": "Proceed",
            "inputs": [_asked(parameter) for parameter in inputs_of(run)],
            "proceedUrl": f"{path}/wfapi/inputSubmit?inputId={input_id(run.index)}",
            "abortUrl": f"{path}/input/{input_id(run.index)}/abort",
            "redirectApprovalUrl": f"{path}/input/",
        }
        for run in build.at(now).runs
        if run.state == script.WAITING
    ]


def _asked(parameter: Parameter) -> dict[str, Any]:
    definition: dict[str, Any] = {"defaultVal": parameter.default}
    if parameter.type == "choice":
        definition["choices"] = list(parameter.choices)
    return {
        "type": f"{parameter.type.capitalize()}ParameterDefinition",
        "name": parameter.name,
        "description": parameter.description,
        "definition": definition,
    }


def answer(request: Request, build: Build, rest: tuple[str, ...]) -> Answer:
    """The stage routes below a run; 404 on freestyle or where the plugin is absent."""
    now = request.instance.now()
    plugins = request.instance.options.get("plugins", ("wfapi", "graph"))
    if build.pipeline.kind == "freestyle":
        return not_found(request)
    has_wfapi = isinstance(plugins, list | tuple) and "wfapi" in plugins
    has_graph = isinstance(plugins, list | tuple) and "graph" in plugins
    prefix = request.instance.prefix
    if has_wfapi and rest == ("wfapi", "describe"):
        return json_answer(describe(build, now, prefix))
    if has_wfapi and rest == ("wfapi", "pendingInputActions"):
        return json_answer(pending_inputs(build, now, prefix))
    if has_graph and rest == ("stages", "tree"):
        return json_answer(graph(build, now))
    if has_wfapi and rest[:2] == ("execution", "node") and rest[3:] == ("wfapi", "log"):
        return _node_log(request, build, rest[2], now)
    if has_graph and rest == ("stages", "log"):
        run = _run_of(build, request.get("nodeId"), now)
        return not_found(request) if run is None else text_answer(step_log(run, now))
    return not_found(request)


def _run_of(build: Build, node: str, now: float) -> Run | None:
    return next((r for r in build.at(now).current() if node_id(r.index) == node), None)


def _node_log(request: Request, build: Build, node: str, now: float) -> Answer:
    run = _run_of(build, node, now)
    if run is None:
        return not_found(request)
    text = step_log(run, now)
    path = f"/{request.instance.prefix}/{names.path_of(build.pipeline.name)}{build.number}"
    return json_answer(
        {
            "nodeId": node,
            "nodeStatus": _WFAPI[run.state],
            "length": len(text),
            "hasMore": len(text) > 10_000,
            "text": escape(text[-10_000:]),
            "consoleUrl": f"{path}/execution/node/{node}/log",
        }
    )
