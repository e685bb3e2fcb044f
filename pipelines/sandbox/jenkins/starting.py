"""Starting, rebuilding and stopping on Jenkins, with its rules about parameters and the queue."""

import json
import math
import re

from ..journal import Accepted
from ..objects import Ask, Build, Folder, Pipeline, QueueItem, Token
from ..wire import Answer, Request, json_answer
from . import names, pages

_REQUEST_ID = "STAGEDOOR_REQUEST_ID"


def start(request: Request, item: Pipeline | Folder, token: Token, entry: str) -> Answer:
    """`build` and `buildWithParameters`: 201 with the queue item, or Jenkins' refusals."""
    instance = request.instance
    if isinstance(item, Folder):
        return _scan(request, item)
    if item.disabled:
        return pages.error(instance, 409, f"{item.name} is not buildable")
    declared = item.declared()
    form = dict(request.form())
    if entry == "buildWithParameters" and not declared:
        return pages.failure_page(instance, f"{item.name} is not parameterized")
    if entry == "build" and declared and "json" not in form:
        return pages.failure_page(instance, "Nothing is submitted")
    form |= _json_values(form.get("json", ""))
    values = {p.name: form.get(p.name, p.default) for p in declared}
    for parameter in declared:
        if parameter.type == "choice" and values[parameter.name] not in parameter.choices:
            text = f"Illegal choice for parameter {parameter.name}: {values[parameter.name]}"
            return pages.failure_page(instance, text)
    queued = _same(request, item, values)
    if queued is not None:
        _note(request, queued, token, "folded", form.get(_REQUEST_ID, ""))
        return _created(request, queued, 303 if entry == "buildWithParameters" else 201)
    ask = Ask(
        who=token.person,
        branch=item.branch or values.get(item.branch_parameter, "") or item.default_branch,
        parameters=values,
    )
    queued = instance.enqueue(item, ask, _delay(form.get("delay", "")))
    if instance.options.get("quieting_down"):
        queued.due_at = math.inf
    _note(request, queued, token, "start", form.get(_REQUEST_ID, ""))
    return _created(request, queued)


def _json_values(text: str) -> dict[str, str]:
    """The values of a submitted form: `{"parameter": [{"name", "value"}]}`."""
    try:
        found = json.loads(text or "{}").get("parameter", [])
        entries = found if isinstance(found, list) else [found]
        return {str(entry["name"]): str(entry["value"]) for entry in entries}
    except (ValueError, AttributeError, KeyError, TypeError):
        return {}


def _scan(request: Request, item: Folder) -> Answer:
    """`build` on a multibranch project or organisation folder looks for branches: no build."""
    if item.kind == "folder":
        return pages.not_found(request)
    return Answer(302, headers={"Location": f"{request.base}/{names.path_of(item.name)}"})


def _delay(text: str) -> float | None:
    """`delay=0sec`, `delay=5`; None for the job's own quiet period."""
    match = re.match(r"(\d+)", text)
    return float(match.group(1)) if match else None


def _same(request: Request, item: Pipeline, values: dict[str, str]) -> QueueItem | None:
    """An identical start that still waits in the queue: Jenkins folds the two into one."""
    for queued in request.instance.queue.values():
        if queued.waiting and queued.pipeline is item and dict(queued.ask.parameters) == values:
            return queued
    return None


def _created(request: Request, item: QueueItem, status: int = 201) -> Answer:
    """The address is made from the request as seen, not from the configured root URL."""
    return Answer(status, headers={"Location": f"{request.base}/queue/item/{item.id}/"})


def _note(
    request: Request, queued: QueueItem, token: Token, action: str, request_id: str = ""
) -> None:
    request.world.journal.accepted.append(
        Accepted(
            at=request.instance.now(),
            entry=request.entry.id,
            instance=request.instance.prefix,
            pipeline=queued.pipeline.name,
            action=action,
            request_id=request_id,
            user=token.person.login,
            queue_id=queued.id,
        )
    )


def again(request: Request, build: Build, token: Token, *, tell_queue_id: bool) -> Answer:
    """`replay/rebuild` (302, no queue id) and Graph View's `stages/rerun` (queue id).

    The old parameters are copied, the old request id among them.
    """
    pipeline = build.pipeline
    if pipeline.disabled:
        return pages.error(request.instance, 409, f"{pipeline.name} is not buildable")
    ask = Ask(
        who=token.person,
        branch=build.branch,
        commit=build.commit,
        parameters=build.parameters,
        rebuilt_from=build.number,
    )
    queued = request.instance.enqueue(pipeline, ask, 0)
    _note(request, queued, token, "rebuild")
    if tell_queue_id:
        data = {"message": "Build scheduled", "queueId": queued.id}
        return json_answer({"status": "ok", "data": data}, 200, pages.headers(request.instance))
    return Answer(302, headers={"Location": "../.."})


def stop(request: Request, build: Build, token: Token) -> Answer:
    """`stop`, `term`, `kill`: 302 to the run; it ends a little later, if it had not ended."""
    request.instance.cancel(build, f"Aborted by {token.person.name}")
    path = f"{names.path_of(build.pipeline.name)}{build.number}/"
    return Answer(302, headers={"Location": f"{request.base}/{path}"})


def cancel_item(request: Request, token: Token) -> Answer:
    """`queue/cancelItem?id=`: 204, or 404 when it left the queue or can't be seen."""
    text = dict(request.form()).get("id", "")
    item = request.instance.queue.get(int(text)) if text.isdigit() else None
    if item is None or not token.sees(item.pipeline.name):
        return pages.not_found(request)
    if "cancel" not in token.rights:
        return Answer(422, headers=pages.headers(request.instance))
    if not item.waiting:
        return pages.not_found(request)
    request.instance.cancel_queued(item)
    return Answer(204)
