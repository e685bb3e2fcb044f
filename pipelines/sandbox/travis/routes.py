"""Travis CI's addresses: version, token, limits, then the repository, build or job meant."""

from collections.abc import Callable, Iterator

from ..objects import Build, Pipeline, Token
from ..wire import Answer, BadBody, Request, json_answer
from . import errors, hooks, ids, limits, listing, log, pages, requesting, writing
from .listing import BadParameter, resource
from .model import Model

_API = ("user", "config", "repo", "repos", "owner", "orgs", "build", "builds", "job")
_LOGS = ("log", "log.txt", "log_parts")
_VCS = ("github", "bitbucket", "gitlab", "assembla")
_BUILD_WRITES: dict[str, Callable[[Request, Model, Build, Token], Answer]] = {
    "cancel": writing.cancel,
    "restart": writing.restart,
}
_WRITES = {
    "requests": "start",
    "cancel": "cancel",
    "restart": "retry",
    "activate": "activate",
    "deactivate": "activate",
}


def _called(segments: tuple[str, ...]) -> tuple[str, ...]:
    """What is meant: an Enterprise has its API below /api, and /v3 stands for a header."""
    for word in ("api", "v3"):
        segments = segments[1:] if segments[:1] == (word,) else segments
    return segments


def route(method: str, segments: tuple[str, ...]) -> str:
    """The class of a request.

    One of check, organizations, pipelines, builds, build, steps, log, queue, start, cancel, retry,
    activate, page, other.
    """
    path = _called(segments)
    if path[:1] not in [(word,) for word in _API]:
        return "page" if path == segments else "other"
    if method != "GET":
        return _WRITES.get(path[-1], "other")
    match path:
        case ("user",) | ("config",):
            return "check"
        case ("orgs",):
            return "organizations"
        case ("repos",) | ("owner", *_):
            return "pipelines"
        case ("build", _):
            return "build"
        case ("builds",) | ("repo", *_, "builds"):
            return "builds"
        case ("repo", *_, "requests") | ("repo", _, "request", *_):
            return "queue"
        case ("repo", *_):
            return "pipelines"
        case ("job", _, word) if word in _LOGS:
            return "log"
    return "steps"


def answer(request: Request) -> Answer:
    """Any request below the instance's prefix."""
    if request.entry.route == "page":
        return pages.page(request)
    path = _called(request.segments)
    root = f"/{request.instance.prefix}/api" if request.segments[:1] == ("api",) else ""
    if path == ("config",):
        return _config(request)
    token, refusal = _identify(request)
    if token is None:
        return refusal or errors.no_login()
    request.entry.user = token.person.login
    refusal = limits.spend(request.instance, token.person.login, request.method)
    if refusal is not None:
        return refusal
    if not _is_v3(request):
        return json_answer({"hello": "world"})
    try:
        return _api(request, Model(request.instance, root, token), token, path)
    except BadParameter as error:
        return errors.wrong_params(str(error))
    except (BadBody, UnicodeDecodeError):
        return errors.wrong_params("the body is not JSON")


def _is_v3(request: Request) -> bool:
    named = request.headers.get("Travis-API-Version") == "3"
    accepted = "vnd.travis-ci.3+json" in request.headers.get("Accept", "")
    return named or accepted or "v3" in request.segments[:2]


def _config(request: Request) -> Answer:
    """Public: for the key of webhooks."""
    key = hooks.public_key(request.instance)
    config = {"host": "travis-ci.example", "notifications": {"webhook": {"public_key": key}}}
    return json_answer({"config": config})


def _identify(request: Request) -> tuple[Token | None, Answer | None]:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return None, None
    if scheme != "token":
        return None, errors.bad_scheme()
    token = request.instance.tokens.get(value.strip('"'))
    if token is None or (token.expires_at and request.instance.now() >= token.expires_at):
        return None, errors.bad_token()
    return token, None


def _seen(request: Request, token: Token) -> Iterator[Pipeline]:
    return (p for p in request.instance.pipelines.values() if token.sees(p.name))


def _api(request: Request, model: Model, token: Token, path: tuple[str, ...]) -> Answer:
    match path:
        case ("user",):
            return resource(model.user(token.person, "standard"))
        case ("orgs",):
            return listing.page(
                request, model, "organizations", _owners(request, token), model.owner
            )
        case ("repos",):
            return listing.repositories(request, model, _seen(request, token))
        case ("owner", vcs, login, "repos") if vcs == model.vcs:
            return _owned(request, model, token, login)
        case ("owner", login, "repos") if login not in _VCS:
            return _owned(request, model, token, login)
        case ("builds",):
            mine = (b for b in request.instance.builds if b.who == token.person)
            return listing.builds(request, model, mine)
        case ("repo", vcs, slug, *rest) if vcs in _VCS and vcs == model.vcs:
            return _repository(request, model, token, slug, tuple(rest))
        case ("repo", slug, *rest):
            return _repository(request, model, token, slug, tuple(rest))
        case ("build", number, *rest):
            return _build(request, model, token, number, tuple(rest))
        case ("job", number, *rest):
            return _job(request, model, token, number, tuple(rest))
    return errors.not_found()


def _owners(request: Request, token: Token) -> list[str]:
    return sorted({pipeline.name.partition("/")[0] for pipeline in _seen(request, token)})


def _owned(request: Request, model: Model, token: Token, login: str) -> Answer:
    if login not in _owners(request, token):
        return errors.not_found("owner")
    mine = (p for p in _seen(request, token) if p.name.startswith(f"{login}/"))
    return listing.repositories(request, model, mine)


def _repository(
    request: Request, model: Model, token: Token, slug: str, rest: tuple[str, ...]
) -> Answer:
    """By id, or by its name in any case, whose slash has to be encoded."""
    number = ids.whole(slug)
    if number is not None:
        pipeline = ids.repository_of(request.instance, number)
    else:
        named = request.instance.pipelines
        lower = slug.lower()
        pipeline = named.get(slug) or next(
            (p for p in named.values() if p.name.lower() == lower), None
        )
    if pipeline is None or not token.sees(pipeline.name):
        return errors.not_found("repository")
    if request.method == "POST":
        return _write_repository(request, model, token, pipeline, rest)
    match rest:
        case ():
            return resource(model.repository(pipeline))
        case ("builds",):
            return listing.builds(request, model, pipeline.builds.values())
        case ("requests",):
            rows = requesting.newest_first(request.instance, pipeline)
            return listing.page(request, model, "requests", rows, model.request, usual=25)
        case ("request", number, *more):
            asked = requesting.one(request.instance, pipeline, ids.whole(number) or 0)
            if asked is None:
                return errors.not_found("request")
            if more == ["messages"]:
                return listing.page(request, model, "messages", model.messages(asked), dict)
            return resource(model.request(asked)) if not more else errors.not_found()
    return errors.not_found()


def _write_repository(
    request: Request, model: Model, token: Token, pipeline: Pipeline, rest: tuple[str, ...]
) -> Answer:
    needed = {("requests",): "push", ("activate",): "admin", ("deactivate",): "admin"}.get(rest)
    if needed is None:
        return errors.not_found()
    if not model.may(needed):
        word = "create_request" if needed == "push" else rest[0]
        return errors.no_access(word, "repository", model.repository(pipeline, "minimal"))
    if rest == ("requests",):
        return writing.create(request, model, pipeline, token)
    return writing.activate(request, model, pipeline, rest == ("activate",))


def _build(
    request: Request, model: Model, token: Token, number: str, rest: tuple[str, ...]
) -> Answer:
    build = ids.build_of(request.instance, ids.whole(number) or 0)
    if build is None or not token.sees(build.pipeline.name):
        return errors.not_found("build")
    runs = [run for stage in model.stages(build) for run in stage]
    match rest:
        case ():
            shown = model.build(build)
            if "build.request" in request.get("include"):
                shown["request"] = model.request(
                    requesting.of_build(request.instance, build), "minimal"
                )
            return resource(shown)
        case ("jobs",):
            config = "job.config" in request.get("include")
            jobs = [model.job(build, run, config=config) for run in runs]
            return resource(model.tag("jobs", f"/build/{number}/jobs", "standard", jobs=jobs))
        case ("stages",):
            stages = [model.stage(build, stage, "standard") for stage in model.stages(build)]
            return resource(
                model.tag("stages", f"/build/{number}/stages", "standard", stages=stages)
            )
        case (word,) if request.method == "POST" and word in _BUILD_WRITES:
            if not model.may("push"):
                return errors.no_access(word, "build", model.build(build, "minimal"))
            return _BUILD_WRITES[word](request, model, build, token)
    return errors.not_found()


def _job(
    request: Request, model: Model, token: Token, number: str, rest: tuple[str, ...]
) -> Answer:
    build, index = ids.job_of(request.instance, ids.whole(number) or 0) or (None, 0)
    if build is None or not token.sees(build.pipeline.name):
        return errors.not_found("job")
    run = next((r for r in build.at(request.instance.now()).current() if r.index == index), None)
    if run is None or build.details.get("config_error"):
        return errors.not_found("job")
    match rest:
        case ():
            include = request.get("include")
            shown = model.job(build, run, config="job.config" in include)
            if "job.log_complete" in include:
                shown["log_complete"] = run.finished_at is not None
            return resource(shown)
        case (form,) if form in _LOGS and request.method == "GET":
            return log.answer(request, model, build, run, form)
    return errors.not_found()
