"""What Buildkite changes on request: create, cancel, rebuild, retry, unblock."""

from fnmatch import fnmatchcase
from typing import Any

from .. import script
from ..journal import Accepted
from ..objects import Ask, Build, Pipeline, Token
from ..script import Run
from ..wire import Answer, Request, json_answer
from . import errors
from .model import Model

REQUEST_ID = "stagedoor-request-id"
_CANCELLABLE = {
    script.QUEUED,
    script.RUNNING,
    script.FAILING,
    script.WAITING,
    script.CANCELLING,
}
_RETRYABLE = {script.FAILED, script.SOFT_FAILED, script.CANCELLED}


def create(request: Request, pipeline: Pipeline, token: Token) -> Answer:
    """`POST …/builds`: 201 with the build, or 422."""
    body = request.json()
    problem = _problem(body, pipeline)
    if problem is not None:
        return problem
    commit = body["commit"]
    ask = Ask(
        who=token.person,
        branch=body["branch"],
        commit="" if commit == "HEAD" else commit,
        head=commit == "HEAD",
        message=body.get("message") or "",
        env=_strings(body.get("env")),
        meta_data=_strings(body.get("meta_data")),
        author=_strings(body.get("author")) or None,
    )
    build = request.instance.start(pipeline, ask)
    note(request, build, token, "start", build.meta_data.get(REQUEST_ID, ""))
    return json_answer(Model(request.instance, request.base).build(build), 201)


def _problem(body: Any, pipeline: Pipeline) -> Answer | None:
    if not isinstance(body, dict):
        return errors.message(422, "The request body must be a JSON object")
    missing = [
        (name, "missing_field")
        for name in ("commit", "branch")
        if not isinstance(body.get(name), str) or not body[name]
    ]
    if missing:
        return errors.invalid(*missing)
    for name in ("env", "meta_data"):
        if body.get(name) is not None and not isinstance(body[name], dict):
            return errors.invalid((name, "invalid"))
    if pipeline.archived:
        return errors.message(422, "Builds cannot be created for an archived pipeline")
    patterns = pipeline.branch_filter.split()
    allowed = not patterns or any(fnmatchcase(body["branch"], p) for p in patterns)
    if not allowed and not body.get("ignore_pipeline_branch_filters"):
        return errors.message(422, "Branches have been disabled for this pipeline")
    return None


def _strings(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(name): str(item) for name, item in value.items() if item is not None}


def note(request: Request, build: Build, token: Token, action: str, request_id: str) -> None:
    request.world.journal.accepted.append(
        Accepted(
            at=request.instance.now(),
            entry=request.entry.id,
            instance=request.instance.prefix,
            pipeline=build.pipeline.name,
            action=action,
            request_id=request_id,
            user=token.person.login,
            build=build.number,
        )
    )


def cancel(request: Request, build: Build, _token: Token) -> Answer:
    """`PUT …/cancel`: 200, state usually `canceling`; 422 when there is nothing to cancel."""
    if build.at(request.instance.now()).state not in _CANCELLABLE:
        return errors.message(422, "Build can't be canceled because it's already finished")
    request.instance.cancel(build)
    return json_answer(Model(request.instance, request.base).build(build))


def rebuild(request: Request, build: Build, token: Token) -> Answer:
    """`PUT …/rebuild`: 200 with a new build of the same commit, branch, message and env."""
    if not build.pipeline.allow_rebuilds:
        return errors.message(422, "Rebuilds are disabled for this pipeline")
    ask = Ask(
        who=token.person,
        branch=build.branch,
        commit=build.commit,
        message=build.message,
        env=build.env,
        author=build.author,
        rebuilt_from=build.number,
    )
    made = request.instance.start(build.pipeline, ask)
    note(request, made, token, "rebuild", "")
    return json_answer(Model(request.instance, request.base).build(made))


def retry_failed_jobs(request: Request, build: Build, token: Token) -> Answer:
    """`PUT …/retry_failed_jobs`: 202 with the number of jobs that run again."""
    seen = build.at(request.instance.now())
    failed = [run for run in seen.current() if run.state in {script.FAILED, script.SOFT_FAILED}]
    for run in failed:
        request.instance.retry(build, run.index)
    if failed:
        note(request, build, token, "retry", "")
    shown = Model(request.instance, request.base).build(build)
    return json_answer(shown | {"retried_jobs_count": len(failed)}, 202)


def retry_job(request: Request, build: Build, run: Run, token: Token) -> Answer:
    """`PUT …/jobs/{id}/retry`: 200 with the new job; each job once."""
    if build.course.cancelled_at is not None:
        return errors.message(422, "Jobs from canceled builds cannot be retried")
    if run.retried or run.state not in _RETRYABLE or run.step.gate:
        return errors.message(400, "Only failed, timed out or canceled jobs can be retried")
    request.instance.retry(build, run.index)
    note(request, build, token, "retry", "")
    now = request.instance.now()
    newest = [r for r in build.at(now).current() if r.index == run.index]
    return json_answer(Model(request.instance, request.base).job(build, newest[0]))


def unblock(request: Request, build: Build, run: Run, token: Token) -> Answer:
    """`PUT …/jobs/{id}/unblock`: 200 with the job; its fields become meta-data."""
    if not run.step.gate:
        return errors.message(400, "This job type cannot be unblocked")
    if build.course.cancelled_at is not None:
        return errors.message(422, "Jobs from canceled builds cannot be unblocked")
    if run.state != script.WAITING:
        return errors.message(422, "This job is not blocked")
    fields = request.json().get("fields") or {}
    if not isinstance(fields, dict):
        return errors.invalid(("fields", "invalid"))
    people = {known.person.id: known.person for known in request.instance.tokens.values()}
    wanted = request.json().get("unblocker")
    if wanted and wanted not in people:
        text = "Unblocker is not a valid user id for this organization"
        return errors.message(422, text)
    build.meta_data |= _strings(fields)
    request.instance.unblock(build, run.index, people.get(wanted, token.person))
    now = request.instance.now()
    opened = [r for r in build.at(now).current() if r.index == run.index]
    return json_answer(Model(request.instance, request.base).job(build, opened[0]))
