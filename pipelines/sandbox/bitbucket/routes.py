"""Bitbucket's addresses: who asks, which scope that needs, then the repository or run meant."""

from collections.abc import Callable
from urllib.parse import unquote

from ..objects import Build, Pipeline
from ..wire import Answer, BadBody, Request
from . import auth, errors, log, pages, source, writing
from .auth import Caller
from .listing import page, whole
from .model import Model, braced, step_uuid

OAUTH = ("site", "oauth2", "access_token")
_BELOW = {
    "refs": "source",
    "src": "source",
    "pipelines_config": "activate",
    "hooks": "hooks",
}
STATUSES = {
    "PARSING": "PARSING",
    "PENDING": "PENDING",
    "RUNNING": "BUILDING",
    "PAUSED": "PAUSED",
    "HALTED": "HALTED",
    "SUCCESSFUL": "PASSED",
    "FAILED": "FAILED",
    "ERROR": "ERROR",
    "STOPPED": "STOPPED",
}


def route(method: str, segments: tuple[str, ...]) -> str:
    """The class of a request.

    One of user, organizations, pipelines, source, activate, hooks, builds, build, steps, log,
    start, cancel, page, other.
    """
    if segments[:1] == (log.STORE,):
        return "log"
    if segments[:1] != ("2.0",):
        return "other" if segments == OAUTH else "page"
    match segments[1:]:
        case ("user", "workspaces") | ("workspaces", _):
            return "organizations"
        case ("user",):
            return "user"
        case ("repositories", _) | ("repositories", _, _):
            return "pipelines"
        case ("repositories", _, _, "pipelines", *rest):
            return _run_route(method, tuple(rest))
        case ("repositories", _, _, word, *_):
            return _BELOW.get(word, "other")
    return "other"


def _run_route(method: str, rest: tuple[str, ...]) -> str:
    match rest:
        case ():
            return "start" if method == "POST" else "builds"
        case (_,):
            return "build"
        case (_, "stopPipeline"):
            return "cancel"
        case (_, "steps") | (_, "steps", _):
            return "steps"
        case (_, "steps", _, "log"):
            return "log"
    return "other"


def answer(request: Request) -> Answer:
    """Any request below the instance's prefix."""
    if request.segments == OAUTH and request.method == "POST":
        return auth.access_token(request)
    if request.segments[:1] == (log.STORE,) and len(request.segments) > 3:
        return log.stored(request)
    if request.segments[:1] != ("2.0",):
        return pages.answer(request)
    who = auth.caller(request)
    if who is None:
        return errors.unauthorized()
    request.entry.user = who.token.person.login
    headers, reply = auth.spend(request.instance, who)
    needs = who.needs(request.entry.route)
    if reply is None and who.lacks(request.entry.route):
        reply = errors.no_scope(needs, who.held)
    if reply is None:
        try:
            reply = _api(request, who, request.segments[1:])
        except BadBody as error:
            reply = errors.error(400, str(error))
    reply.headers |= headers | {
        "X-OAuth-Scopes": ", ".join(who.held),
        "X-Accepted-OAuth-Scopes": ", ".join(needs),
        "X-Credential-Type": who.kind,
    }
    return reply


def _api(request: Request, who: Caller, path: tuple[str, ...]) -> Answer:
    model = Model(request.instance, request.base)
    match path:
        case ("repositories",) | ("workspaces",):
            return errors.gone()
        case ("user",):
            return whole(request, model.account(who.token.person))
        case ("user", "workspaces"):
            return page(
                request,
                list(request.instance.folders[""].children),
                lambda slug: {
                    "type": "workspace_access",
                    "administrator": False,
                    "workspace": model.workspace(slug),
                },
            )
        case ("workspaces", slug) if slug in request.instance.folders:
            return whole(request, model.workspace(slug))
        case ("repositories", workspace):
            return _repositories(request, who, workspace)
        case ("repositories", workspace, slug, *rest):
            pipeline = _find(request, workspace, slug)
            if pipeline is None or not who.token.sees(pipeline.name):
                return errors.no_repository(f"{workspace}/{slug}")
            return _repository(request, who, pipeline, tuple(rest))
    return errors.no_page(who.token.person.login)


def _find(request: Request, workspace: str, slug: str) -> Pipeline | None:
    """By name, or by uuid whatever the workspace."""
    if not slug.startswith("{"):
        return request.instance.pipelines.get(f"{workspace}/{slug}")
    model = Model(request.instance, request.base)
    wanted = slug.lower()
    known = request.instance.pipelines.values()
    return next((p for p in known if model.repository_uuid(p).lower() == wanted), None)


def _repositories(request: Request, who: Caller, workspace: str) -> Answer:
    instance, model = request.instance, Model(request.instance, request.base)
    folder = instance.folders.get(workspace)
    if folder is None or not workspace:
        return errors.error(404, f"No workspace with identifier '{workspace}'.")
    names = [name for name in folder.children if name in instance.pipelines]
    found = [instance.pipelines[name] for name in names if who.token.sees(name)]
    order = request.get("sort")
    keys: dict[str, Callable[[Pipeline], object]] = {
        "created_on": lambda p: p.created_at,
        "updated_on": lambda p: p.created_at,
        "full_name": lambda p: p.name,
        "name": lambda p: p.title or p.short_name,
    }
    key = keys.get(order.removeprefix("-"))
    if key is not None:
        found.sort(key=key, reverse=order.startswith("-"))  # type: ignore[arg-type]
    return page(request, found, model.repository, size=False)


def _repository(request: Request, who: Caller, pipeline: Pipeline, rest: tuple[str, ...]) -> Answer:
    match rest:
        case ():
            model = Model(request.instance, request.base)
            return whole(request, model.repository(pipeline))
        case ("refs", "branches", *name):
            return source.branches(request, pipeline, tuple(name))
        case ("src", _, _, *_):
            return source.src(request, pipeline, rest[1:])
        case ("pipelines_config",):
            return writing.config(request, pipeline)
        case ("hooks", *more):
            return writing.hooks(request, pipeline, tuple(more))
        case ("pipelines",) if request.method == "POST":
            return writing.start(request, pipeline, who)
        case ("pipelines",):
            return _runs(request, pipeline)
        case ("pipelines", identifier, *more):
            build = _run(pipeline, identifier)
            return _below(request, build, tuple(more)) if build else errors.no_pipeline()
    return errors.no_page(who.token.person.login)


def _run(pipeline: Pipeline, identifier: str) -> Build | None:
    """By number, or by uuid with its braces; encoded twice is not known."""
    if identifier.isascii() and identifier.isdigit():
        return pipeline.builds.get(int(identifier))
    wanted = identifier.lower()
    return next((b for b in pipeline.builds.values() if braced(b.id) == wanted), None)


def _runs(request: Request, pipeline: Pipeline) -> Answer:
    """The oldest first, unless asked otherwise; unknown filters and `q` change nothing."""
    model = Model(request.instance, request.base)
    found = pipeline.newest_first()
    if request.get("sort") != "-created_on":
        found.reverse()
    branch = request.get("target.branch") or request.get("target.ref_name")
    if branch:
        found = [build for build in found if build.branch == branch]
    trigger = request.get("trigger_type")
    if trigger:
        found = [b for b in found if model.run(b)["trigger"]["name"] == trigger]
    creator = request.get("creator.uuid")
    if creator:
        found = [b for b in found if b.who is not None and braced(b.who.id) == creator]
    statuses = request.all("status")
    if statuses:
        found = [build for build in found if _status(model, build) in statuses]
    return page(request, found, model.run)


def _status(model: Model, build: Build) -> str:
    state = model.state(build, build.at(model.now))
    part = state.get("result") or state.get("stage") or state
    return STATUSES.get(part["name"], "UNKNOWN")


def _below(request: Request, build: Build, rest: tuple[str, ...]) -> Answer:
    model = Model(request.instance, request.base)
    match rest:
        case ():
            return whole(request, model.run(build))
        case ("stopPipeline",) if request.method == "POST":
            return writing.stop(request, build)
        case ("steps",):
            steps = model.steps(build)  # comes whole, whatever page is asked for
            return whole(request, {"pagelen": len(steps), "page": 1, "values": steps})
        case ("steps", uuid, *more):
            wanted = unquote(uuid).lower()
            runs = [r for r in build.at(model.now).current() if step_uuid(build, r) == wanted]
            if not runs:
                return errors.error(404, "Not found", detail="The step was not found.")
            if more == ["log"]:
                return log.answer(request, build, runs[0])
            return whole(request, model.step(build, runs[0]))
    return errors.no_page("")
