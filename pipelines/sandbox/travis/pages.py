"""The pages behind Travis CI's links; unlike there they need no sign-in, for the demo's sake."""

from .. import html
from ..objects import Build, Pipeline
from ..wire import Answer, Request, html_answer
from . import ids, log
from .requesting import newest_first

_VCS = ("github", "bitbucket", "gitlab", "assembla")


def page(request: Request) -> Answer:
    """`/vcs/owner/name`, with `/builds/ID` or `/requests` behind it; webhooks leave out the vcs."""
    instance = request.instance
    parts = (
        request.segments[1:] if request.segments[:1] in [(v,) for v in _VCS] else (request.segments)
    )
    if not parts:
        links = [(f"{request.base}/github/{name}", name) for name in instance.pipelines]
        return html.page("Travis CI", html.links(links[:200]))
    pipeline = instance.pipelines.get("/".join(parts[:2]))
    match (pipeline, parts[2:]):
        case (Pipeline() as found, ()):
            return _pipeline(request, found)
        case (Pipeline() as found, ("requests",)):
            return _requests(request, found)
        case (Pipeline(), ("builds", number)):
            build = ids.build_of(instance, ids.whole(number) or 0)
            if build is not None and build.pipeline is pipeline:
                return _build(request, build)
    return html_answer("<h1>404 Not Found</h1>", 404)


def _build(request: Request, build: Build) -> Answer:
    now = request.instance.now()
    runs = build.at(now).current()
    text = "".join(part.content for run in runs for part in log.parts(build, run, now))
    return html.build_page(build, now, text.replace("\r\x1b[0K", "\n"))


def _pipeline(request: Request, pipeline: Pipeline) -> Answer:
    instance = request.instance
    builds = [
        (
            f"{request.base}/github/{pipeline.name}/builds/{ids.build_id(instance, build)}",
            f"#{build.number} {build.at(instance.now()).state}: {build.message}",
        )
        for build in pipeline.newest_first()[:30]
    ]
    return html.pipeline_page(pipeline, builds)


def _requests(request: Request, pipeline: Pipeline) -> Answer:
    rows = [
        (f"{asked.id}", f"{asked.result or asked.state} {asked.message or ''}")
        for asked in newest_first(request.instance, pipeline)[:30]
    ]
    return html.page(f"{pipeline.name}: requests", html.table(rows))
