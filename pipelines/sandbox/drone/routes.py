"""Drone's addresses: who may ask what, and which answer belongs to it."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from .. import html
from ..objects import Build, Pipeline, Token, by_name
from ..wire import Answer, Request, json_answer, text_answer
from . import errors, log, writing
from .model import VERSION, Model
from .stages import build_word

_WORDS = {
    "logs": "log",
    "promote": "promote",
    "rollback": "promote",
    "approve": "unblock",
    "decline": "unblock",
}
# Lists by what they hold; builds that were started by the API are in none of them.
_HEADS = {"branches": ("push",), "pulls": ("pull_request",), "deployments": ("promote", "rollback")}


def route(method: str, segments: tuple[str, ...]) -> str:
    """The class of a request, for faults and the journal."""
    match segments:
        case ("api", "user") | ("version",):
            return "check"
        case ("api", "user", "builds", *_) | ("api", "builds", *_):
            return "builds"
        case ("api", "user", "repos") | ("api", "repos"):
            return "pipelines" if method == "GET" else "activate"
        case ("api", "stream", *_):
            return "log"
        case ("api", "repos", _, _, *rest):
            return _repo_route(method, tuple(rest))
        case ("api", *_):
            return "other"
    return "page"


def _repo_route(method: str, rest: tuple[str, ...]) -> str:
    match rest:
        case ():
            return "pipelines" if method == "GET" else "activate"
        case ("builds",):
            return "start" if method == "POST" else "builds"
        case ("builds", _):
            return {"POST": "retry", "DELETE": "cancel"}.get(method, "build")
        case ("builds", _, word, *_):
            return _WORDS.get(word, "other")
    return "other"


def answer(request: Request) -> Answer:
    """Any request below the instance's prefix."""
    match request.segments:
        case ("version",):
            return json_answer({"version": VERSION}, headers=errors.NO_CACHE)
        case ("healthz",):
            return text_answer("OK")
        case ("api", *rest):
            token = _identify(request)
            request.entry.user = token.person.login if token else ""
            return _api(request, token, tuple(rest))
    return _page(request)


def _identify(request: Request) -> Token | None:
    """The user behind the token; None is a guest, and a wrong token is one too."""
    header = request.headers.get("Authorization", "")
    value = header.rpartition(" ")[2] or request.get("access_token")
    token = request.instance.tokens.get(value)
    expired = token and token.expires_at is not None and request.instance.now() >= token.expires_at
    return None if expired else token


def _api(request: Request, token: Token | None, path: tuple[str, ...]) -> Answer:
    if path[:1] == ("repos",) and len(path) > 2:
        return _repo(request, token, path[1:])
    if path[:1] == ("stream",) and len(path) == 6:
        return _repo(request, token, (*path[1:3], "stream", *path[3:]))
    if path[:1] == ("badges",):
        return text_answer("<svg/>", headers={"Content-Type": "image/svg+xml"})
    if token is None:
        return errors.unauthorized()
    model = Model(request.instance, request.base)
    match path:
        case ("user",):
            return _json(model.user(token.person, token.created_at))
        case ("user", "repos"):
            if request.method == "POST":
                for pipeline in request.instance.pipelines.values():
                    pipeline.details.pop("unsynced", None)
            latest = request.get("latest") == "true"
            return _json([_listed(model, p, latest) for p in _seen(request, token)])
        case ("user", "builds") | ("user", "builds", "recent"):
            newest = (b for b in reversed(request.instance.builds) if _sees(token, b.pipeline))
            return _json([_with_build(model, build) for build in islice(newest, 25)])
    return _administration(request, token, path)


def _administration(request: Request, token: Token, path: tuple[str, ...]) -> Answer:
    model = Model(request.instance, request.base)
    if path not in (("users",), ("repos",), ("builds", "incomplete")):
        return errors.not_found()
    if not model.is_admin(token.person):
        return errors.forbidden()
    if path == ("users",):
        return _json([model.user(t.person, t.created_at) for t in request.instance.tokens.values()])
    if path == ("repos",):
        return _json(_page_of(request, [model.repo(p) for p in _seen(request, token)]))
    moving = [
        build
        for build in request.instance.builds
        if build_word(build, build.at(model.now)) in ("pending", "running")
    ]
    return _json([_with_build(model, build) for build in moving])


def _json(value: Any) -> Answer:
    return json_answer(value, headers=errors.NO_CACHE)


def _seen(request: Request, token: Token) -> list[Pipeline]:
    known = request.instance.pipelines.values()
    return by_name(pipeline for pipeline in known if _sees(token, pipeline))


def _sees(token: Token, pipeline: Pipeline) -> bool:
    synced = not pipeline.details.get("unsynced")
    return synced and "read" in token.rights and token.sees(pipeline.name)


def _listed(model: Model, pipeline: Pipeline, latest: bool) -> dict[str, Any]:
    newest = next(iter(pipeline.newest_first()), None) if latest else None
    return model.repo(pipeline, **({"build": model.build(newest)} if newest else {}))


def _with_build(model: Model, build: Build) -> dict[str, Any]:
    return model.repo(build.pipeline, build=model.build(build))


# --- one repository -----------------------------------------------------------------------------
def _repo(request: Request, token: Token | None, path: tuple[str, ...]) -> Answer:
    pipeline = request.instance.pipelines.get("/".join(path[:2]))
    rest = path[2:]
    refused = _refusal(request, token, pipeline, _needed(request, rest))
    if refused is not None or pipeline is None:
        return refused or errors.not_found()
    match rest:
        case () if request.method == "GET":
            return _json(Model(request.instance, request.base).repo(pipeline, token))
        case () if token is not None:
            return writing.switch(request, pipeline, token, on=request.method == "POST")
        case ("secrets",) | ("cron",):
            return _json([])
        case ("builds",) if request.method == "POST" and token is not None:
            return writing.create(request, pipeline, token)
        case ("builds",):
            return _builds(request, pipeline)
        case ("builds", word) if word in _HEADS or word == "latest":
            return _heads(request, pipeline, word)
        case ("builds" | "stream" as kind, number, *more):
            if not number.isdigit():
                return errors.no_number(number)
            build = pipeline.builds.get(int(number))
            if build is None:
                return errors.no_rows()
            if kind == "stream":
                return log.stream(request, build, more[0], more[1])
            return _build(request, token, build, tuple(more))
    return errors.not_found()


def _needed(request: Request, rest: tuple[str, ...]) -> str:
    if request.method == "GET":
        return "admin" if rest[:1] == ("secrets",) else "read"
    return "admin" if not rest or {"approve", "decline"} & set(rest) else "write"


def _refusal(
    request: Request, token: Token | None, pipeline: Pipeline | None, right: str
) -> Answer | None:
    """A guest is refused with 401, whoever signed in with 404."""
    public = pipeline is not None and pipeline.details.get("visibility") == "public"
    if token is None:
        return None if public and right == "read" else errors.unauthorized()
    if request.instance.options.get("scm_down"):
        return errors.not_found()
    if pipeline is None or not token.sees(pipeline.name) or pipeline.details.get("unsynced"):
        return errors.not_found()
    return None if right in token.rights or (public and right == "read") else errors.not_found()


def _builds(request: Request, pipeline: Pipeline) -> Answer:
    branch, tag = request.get("branch"), request.get("tag")
    model = Model(request.instance, request.base)
    rows: Iterable[Build] = pipeline.newest_first()
    if branch or tag:
        wanted = f"refs/heads/{branch}" if branch else f"refs/tags/{tag}"
        rows = [b for b in rows if b.details.get("ref", f"refs/heads/{b.branch}") == wanted]
    return _json([model.build(build) for build in _page_of(request, list(rows))])


def _page_of(request: Request, rows: list[Any]) -> list[Any]:
    """A page. More than 100 or less than 1 rows are silently 25, and page 0 is page 1."""
    page, size = _number(request.get("page")), _number(request.get("per_page"))
    size = size if 1 <= size <= 100 else 25
    first = (max(page, 1) - 1) * size
    return rows[first : first + size]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _heads(request: Request, pipeline: Pipeline, word: str) -> Answer:
    model = Model(request.instance, request.base)
    rows = [(build, model.build(build)) for build in pipeline.newest_first()]
    if word == "latest":
        branch = request.get("branch") or pipeline.default_branch
        newest = next((row for b, row in rows if row["ref"] == f"refs/heads/{branch}"), None)
        if newest is None:
            return errors.no_rows()
        return writing.shown(request, pipeline.builds[newest["number"]], stages=True)
    heads: dict[str, dict[str, Any]] = {}
    for _, row in rows:
        if row["event"] in _HEADS[word]:
            heads.setdefault(row.get("deploy_to") or row["ref"], row)
    return _json(list(heads.values()))


def _build(request: Request, token: Token | None, build: Build, rest: tuple[str, ...]) -> Answer:
    match request.method, rest:
        case "GET", ():
            return writing.shown(request, build, stages=True)
        case "GET", ("logs", stage, step):
            return log.answer(request, build, stage, step)
    if token is None:
        return errors.unauthorized()
    match request.method, rest:
        case "POST", ():
            return writing.restart(request, build, token)
        case "DELETE", ():
            return writing.cancel(request, build)
        case "POST", ("promote" | "rollback" as event,):
            return writing.deploy(request, build, token, event)
        case "POST", ("approve" | "decline" as verdict, stage):
            return writing.review(request, build, token, verdict, stage)
    return errors.not_found()


# --- pages behind links: readable without signing in, so that the demo's links work -----------
def _page(request: Request) -> Answer:
    """Drone answers every other address with 200 and its single page; so does this."""
    instance, parts = request.instance, request.segments
    pipeline = instance.pipelines.get("/".join(parts[:2]))
    if pipeline is not None and len(parts) >= 3 and parts[2].isdigit():
        build = pipeline.builds.get(int(parts[2]))
        if build is not None:
            now = instance.now()
            return html.build_page(build, now, log.plain(build, now))
    if pipeline is not None:
        builds = [
            (
                f"{request.base}/{pipeline.name}/{build.number}",
                f"#{build.number} {build.at(instance.now()).state}",
            )
            for build in pipeline.newest_first()[:30]
        ]
        return html.pipeline_page(pipeline, builds)
    known = [(f"{request.base}/{name}", name) for name in sorted(instance.pipelines)]
    return html.page("Drone", html.links(known))
