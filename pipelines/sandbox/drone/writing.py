"""What Drone changes on request: start, restart, promote, cancel, approve, decline, activate."""

import re
from collections.abc import Mapping

from .. import script
from ..journal import Accepted
from ..objects import Ask, Build, Pipeline, Token
from ..wire import Answer, Request, json_answer
from . import errors
from .model import Model
from .stages import build_word, stage_word, stages_of

REQUEST_ID = "STAGEDOOR_REQUEST_ID"
RESERVED = ("access_token", "branch", "commit")  # of a start; all else in the query is a parameter
_HASH = re.compile(r"[0-9a-f]{40}")


def shown(request: Request, build: Build, *, stages: bool = False) -> Answer:
    model = Model(request.instance, request.base)
    return json_answer(model.build(build, stages=stages), headers=errors.NO_CACHE)


def create(request: Request, pipeline: Pipeline, token: Token) -> Answer:
    """`POST …/builds`. Whether the repository is active is not looked at."""
    if not pipeline.active and not pipeline.builds:
        return errors.no_rows()  # nobody activated it, so there is nobody to ask the source host as
    fields = dict(reversed(request.form()))
    branch = fields.get("branch") or pipeline.default_branch
    commit = fields.get("commit", "")
    unknown = branch not in pipeline.branches or (commit and not _HASH.fullmatch(commit))
    if unknown or pipeline.details.get("owner_lapsed"):
        return errors.not_found()
    if "custom" in pipeline.details.get("unmatched", ()):
        return json_answer(None, headers=errors.NO_CACHE)
    broken = str(pipeline.details.get("broken", ""))
    parameters = {name: value for name, value in request.query if name not in RESERVED}
    ask = Ask(
        who=token.person,
        branch=branch,
        commit=commit,
        message=fields.get("message", ""),
        env={} if broken else parameters,
        details={"error": broken} if broken else {},
    )
    return _made(request, pipeline, token, "start", ask)


def restart(request: Request, build: Build, token: Token) -> Answer:
    """`POST …/builds/{n}`: the old build's parameters win over those in the query."""
    refused = _refused(request, build, "start")
    if refused is not None:
        return refused
    ask = _again(request, build, token, {**_query(request), **build.env})
    return _made(request, build.pipeline, token, "rebuild", ask)


def deploy(request: Request, build: Build, token: Token, event: str) -> Answer:
    """`POST …/promote` and `…/rollback`: here the query wins."""
    if request.instance.options.get("edition") == "oss":
        return errors.message(501, "Not Implemented")
    target = dict(reversed(request.form())).get("target", "")
    if not target:
        return errors.message(400, "Missing target environment")
    refused = _refused(request, build, "promote")
    if refused is not None:
        return refused
    given = {name: value for name, value in _query(request).items() if name != "target"}
    ask = _again(request, build, token, {**build.env, **given}, event=event, deploy_to=target)
    return _made(request, build.pipeline, token, event, ask)


def _query(request: Request) -> dict[str, str]:
    return {name: value for name, value in reversed(request.query) if name != "access_token"}


def _again(
    request: Request, build: Build, token: Token, env: Mapping[str, str], **details: object
) -> Ask:
    old = Model(request.instance, request.base).build(build)
    kept = {"event": old["event"], "ref": old["ref"], "sender": old["sender"]}
    kept |= {name: old[name] for name in ("source", "target", "deploy_to") if name in old}
    kept |= {"parent": build.number, "trigger": token.person.login, **details}
    return Ask(
        who=build.who,
        branch=build.branch,
        commit=build.commit,
        message=build.message,
        env=env,
        source=build.source,
        details=kept,
    )


def _refused(request: Request, build: Build, what: str) -> Answer | None:
    """Drone looks at the build's own status, which is "pending" while its stages are blocked."""
    if build_word(build, build.at(request.instance.now())) == "declined":
        return errors.message(400, f"cannot {what} a declined build")
    return None


def _made(request: Request, pipeline: Pipeline, token: Token, action: str, ask: Ask) -> Answer:
    instance = request.instance
    build = instance.start(pipeline, ask)
    if build.details.get("error"):
        build.course.steps = ()
        instance.finish(build, script.FAILED)
    request.world.journal.accepted.append(
        Accepted(
            at=instance.now(),
            entry=request.entry.id,
            instance=instance.prefix,
            pipeline=pipeline.name,
            action=action,
            request_id=request.get(REQUEST_ID),
            user=token.person.login,
            build=build.number,
        )
    )
    return shown(request, build)


def cancel(request: Request, build: Build) -> Answer:
    """`DELETE …/builds/{n}`: 200 even where there is nothing to stop."""
    request.instance.cancel(build)
    return shown(request, build, stages=True)


def review(request: Request, build: Build, token: Token, verdict: str, number: str) -> Answer:
    """`POST …/approve/{stage}` and `…/decline/{stage}`: 204."""
    if not number.isdigit():
        return errors.no_number(number)
    stages = stages_of(build, build.at(request.instance.now()))
    stage = next((stage for stage in stages if stage.number == int(number)), None)
    if stage is None:
        return errors.message(404, "Stage not found")
    words: list[str] = []
    for each in stages:
        words.append(stage_word(build, each, words))
    word = words[stage.number - 1]
    if word != "blocked" or stage.gate is None:
        return errors.message(400, f'Cannot {verdict} a Pipeline with Status "{word}"')
    if verdict == "approve":
        request.instance.unblock(build, stage.gate.index, token.person)
    else:
        request.instance.cancel(build, "declined")
    return Answer(204, headers=errors.NO_CACHE)


def switch(request: Request, pipeline: Pipeline, token: Token, *, on: bool) -> Answer:
    """`POST` and `DELETE /api/repos/{namespace}/{name}`."""
    pipeline.active = on
    request.instance.changes += 1
    model = Model(request.instance, request.base)
    return json_answer(model.repo(pipeline), headers=errors.NO_CACHE)
