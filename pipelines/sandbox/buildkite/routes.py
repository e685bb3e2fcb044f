"""Buildkite's addresses: token, scope, limits, then the pipeline, build or job meant."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from .. import html
from ..objects import Build, Person, Pipeline, Token, by_name
from ..script import Run
from ..wire import Answer, BadBody, Request, json_answer
from . import errors, limits, listing, log, writing
from .model import Model

_LOGS = ("log", "log.txt", "log.html")
_BUILD_WRITES: dict[str, Callable[[Request, Build, Token], Answer]] = {
    "cancel": writing.cancel,
    "rebuild": writing.rebuild,
    "retry_failed_jobs": writing.retry_failed_jobs,
}
_JOB_WRITES: dict[str, Callable[[Request, Build, Run, Token], Answer]] = {
    "retry": writing.retry_job,
    "unblock": writing.unblock,
}
_SCOPES = {
    "check": "",
    "pipelines": "read_pipelines",
    "organizations": "read_organizations",
    "builds": "read_builds",
    "build": "read_builds",
    "steps": "read_builds",
    "log": "read_build_logs",
    "start": "write_builds",
    "cancel": "write_builds",
    "retry": "write_builds",
    "unblock": "write_builds",
    "user": "read_user",
}


def route(method: str, segments: tuple[str, ...]) -> str:
    """The class of a request.

    One of check, organizations, pipelines, builds, build, steps, log, start, cancel, retry,
    unblock, user, page, other.
    """
    if segments[:1] != ("v2",):
        return "page"
    if method in ("PUT", "POST"):
        return _write_route(segments)
    match segments[1:]:
        case ("access-token",):
            return "check"
        case ("user",):
            return "user"
        case ("organizations",) | ("organizations", _):
            return "organizations"
        case ("organizations", _, "pipelines") | ("organizations", _, "pipelines", _):
            return "pipelines"
        case ("builds",) | ("organizations", _, "builds"):
            return "builds"
        case ("organizations", _, "pipelines", _, "builds"):
            return "builds"
        case ("organizations", _, "pipelines", _, "builds", _):
            return "build"
        case ("organizations", _, "pipelines", _, "builds", _, "jobs", *rest):
            return "log" if rest[-1:] and rest[-1] in _LOGS else "steps"
    return "other"


def _write_route(segments: tuple[str, ...]) -> str:
    words = {"builds": "start", "cancel": "cancel", "unblock": "unblock"}
    retries = dict.fromkeys(("rebuild", "retry", "retry_failed_jobs"), "retry")
    return (words | retries).get(segments[-1], "other")


def answer(request: Request) -> Answer:
    """Any request below the instance's prefix."""
    if request.segments[:1] != ("v2",):
        return _page(request)
    token = _identify(request) or _anybody(request)
    if token is None:
        return errors.no_token()
    request.entry.user = token.person.login
    organisation = _named(request.segments[1:])
    headers, refusal = limits.spend(request.instance, organisation, token.person.login)
    scope = _SCOPES.get(request.entry.route, "")
    if refusal is not None:
        reply = refusal
    elif scope and scope not in token.rights:
        reply = errors.no_scope(scope)
    else:
        try:
            reply = _api(request, token, request.segments[1:])
        except BadBody as error:
            reply = errors.message(400, str(error))
    reply.headers = (
        headers
        | reply.headers
        | {
            "X-OAuth-Scopes": " ".join(sorted(token.rights)),
            "X-Accepted-OAuth-Scopes": scope,
            "Cache-Control": "max-age=0, private, must-revalidate",
        }
    )
    plain_read = request.method == "GET" and request.entry.route != "log"
    if plain_read and reply.status == 200 and isinstance(reply.body, bytes):
        digest = hashlib.md5(reply.body, usedforsecurity=False).hexdigest()
        reply.headers["ETag"] = f'W/"{digest}"'
    return reply


def _named(path: tuple[str, ...]) -> str:
    """The organisation that an address names."""
    return path[1] if path[:1] == ("organizations",) and len(path) > 1 else ""


def _identify(request: Request) -> Token | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    token = request.instance.tokens.get(value) if scheme.lower() == "bearer" else None
    if token is None:
        return None
    expired = token.expires_at is not None and request.instance.now() >= token.expires_at
    return None if expired else token


def _anybody(request: Request) -> Token | None:
    """Whoever asks may read a public pipeline, without a token or with a wrong one."""
    match request.segments[1:]:
        case ("organizations", slug, "pipelines", name, *_) if request.method == "GET":
            pipeline = request.instance.pipelines.get(f"{slug}/{name}")
            if pipeline is not None and pipeline.details.get("visibility") == "public":
                rights = frozenset({"read_pipelines", "read_builds", "read_build_logs"})
                return Token("", Person("", "", ""), rights, only=(pipeline.name,))
    return None


def _api(request: Request, token: Token, path: tuple[str, ...]) -> Answer:
    instance = request.instance
    model = Model(instance, request.base)
    match path:
        case ("access-token",) if request.method == "GET":
            return json_answer(model.token(token))
        case ("user",):
            return json_answer(model.user(token.person))
        case ("organizations",):
            return json_answer(
                [model.organisation(slug) for slug in _organisations(request, token)]
            )
        case ("builds",):
            return listing.build_list(request, _seen(token, reversed(instance.builds)))
        case ("organizations", slug, *rest):
            if slug not in _organisations(request, token):
                return errors.not_found("organization")
            return _organisation(request, token, slug, tuple(rest))
    return errors.no_route(request.path)


def _organisations(request: Request, token: Token) -> list[str]:
    return [
        slug
        for slug in request.instance.folders[""].children
        if token.sees(slug) or any(part.startswith(f"{slug}/") for part in token.only)
    ]


def _seen(token: Token, builds: Iterable[Build]) -> Iterator[Build]:
    return (build for build in builds if token.sees(build.pipeline.name))


def _organisation(request: Request, token: Token, slug: str, rest: tuple[str, ...]) -> Answer:
    instance = request.instance
    model = Model(instance, request.base)
    match rest:
        case ():
            return json_answer(model.organisation(slug))
        case ("builds",):
            mine = (b for b in reversed(instance.builds) if b.pipeline.name.startswith(f"{slug}/"))
            return listing.build_list(request, _seen(token, mine))
        case ("pipelines",):
            return _pipelines(request, token, slug)
        case ("pipelines", name, *more):
            pipeline = instance.pipelines.get(f"{slug}/{name}")
            if pipeline is None or not token.sees(pipeline.name):
                return errors.not_found("pipeline")
            return _pipeline(request, token, pipeline, tuple(more))
    return errors.no_route(request.path)


def _pipelines(request: Request, token: Token, slug: str) -> Answer:
    model = Model(request.instance, request.base)
    known = [request.instance.pipelines[name] for name in request.instance.folders[slug].children]
    wanted = request.get("name").lower()
    found = [p for p in known if token.sees(p.name) and wanted in (p.title or p.short_name).lower()]
    repository = request.get("repository")
    if repository:
        found = [pipeline for pipeline in found if pipeline.repository == repository]
    number, size = listing.page_of(request)
    first = (number - 1) * size
    shown = [model.pipeline(pipeline) for pipeline in by_name(found)[first : first + size]]
    more = len(found) > first + size
    last = -(-len(found) // size)
    return json_answer(shown, headers=listing.link_header(request, number, size, more, last))


def _pipeline(request: Request, token: Token, pipeline: Pipeline, rest: tuple[str, ...]) -> Answer:
    model = Model(request.instance, request.base)
    match rest:
        case ():
            return json_answer(model.pipeline(pipeline))
        case ("builds",) if request.method == "POST":
            return writing.create(request, pipeline, token)
        case ("builds",):
            return listing.build_list(request, pipeline.newest_first())
        case ("builds", number, *more):
            build = pipeline.builds.get(int(number)) if number.isdigit() else None
            if build is None:
                return errors.not_found("build")
            return _build(request, token, build, tuple(more))
    return errors.no_route(request.path)


def _build(request: Request, token: Token, build: Build, rest: tuple[str, ...]) -> Answer:
    model = Model(request.instance, request.base)
    retried = request.get("include_retried_jobs").lower() == "true"
    match rest:
        case ():
            jobs = request.get("exclude_jobs").lower() != "true"
            return json_answer(model.build(build, jobs=jobs, retried=retried))
        case ("jobs",):
            declined = request.get("include_retried_jobs").lower() == "false"
            return listing.job_list(request, model.jobs(build, retried=not declined))
        case (word,) if request.method == "PUT" and word in _BUILD_WRITES:
            return _BUILD_WRITES[word](request, build, token)
        case ("jobs", identifier, *more):
            return _job(request, token, build, identifier, tuple(more))
    return errors.no_route(request.path)


def _job(
    request: Request, token: Token, build: Build, identifier: str, rest: tuple[str, ...]
) -> Answer:
    runs = build.at(request.instance.now()).runs
    run = next((r for r in runs if build.job_id(r.index, r.attempt) == identifier), None)
    if run is None:
        return errors.not_found("job")
    match rest:
        case ():
            return json_answer(Model(request.instance, request.base).job(build, run))
        case (word,) if word in _LOGS:
            return log.answer(request, build, run, word)
        case (word,) if request.method == "PUT" and word in _JOB_WRITES:
            return _JOB_WRITES[word](request, build, run, token)
    return errors.no_route(request.path)


# --- pages behind links: readable without signing in, so that the demo's links work -----------
def _page(request: Request) -> Answer:
    instance, parts = request.instance, request.segments
    if len(parts) >= 4 and parts[2] == "builds" and parts[3].isdigit():
        pipeline = instance.pipelines.get("/".join(parts[:2]))
        build = pipeline.builds.get(int(parts[3])) if pipeline else None
        if build is None:
            return errors.not_found("build")
        now = instance.now()
        runs = build.at(now).current()
        text = "".join(log.plain(log.content(build, run, now)) for run in runs)
        return html.build_page(build, now, text)
    pipeline = instance.pipelines.get("/".join(parts))
    if pipeline is not None:
        return _pipeline_page(request, pipeline)
    folder = instance.folders.get("/".join(parts))
    if folder is None:
        return errors.no_route(request.path)
    children = [(f"{request.base}/{name}", name) for name in folder.children]
    return html.page(folder.name or "Buildkite", html.links(children))


def _pipeline_page(request: Request, pipeline: Pipeline) -> Answer:
    now = request.instance.now()
    builds = [
        (
            f"{request.base}/{pipeline.name}/builds/{build.number}",
            f"#{build.number} {build.at(now).state}",
        )
        for build in pipeline.newest_first()[:30]
    ]
    return html.pipeline_page(pipeline, builds)
