"""Bitbucket's pages for people; a manual step is started here and nowhere else."""

from html import escape

from .. import html, script
from ..objects import Build, Pipeline
from ..wire import Answer, Request
from . import errors, log


def answer(request: Request) -> Answer:
    """`/workspace`, `/workspace/repository…` and `…/pipelines/results/7`, without a sign-in."""
    instance, parts = request.instance, request.segments
    folder = instance.folders.get("/".join(parts))
    pipeline = instance.pipelines.get("/".join(parts[:2]))
    if pipeline is None and folder is not None:
        children = [(f"{request.base}/{name}", name) for name in folder.children]
        return html.page(folder.name or "Bitbucket", html.links(children))
    if pipeline is None:
        return errors.no_page("")
    if parts[2:4] == ("pipelines", "results") and len(parts) > 4:
        build = pipeline.builds.get(int(parts[4])) if parts[4].isdigit() else None
        return _build(request, build, parts[5:]) if build else errors.no_page("")
    return _repository(request, pipeline)


def _repository(request: Request, pipeline: Pipeline) -> Answer:
    now = request.instance.now()
    builds = [
        (
            f"{request.base}/{pipeline.name}/pipelines/results/{build.number}",
            f"#{build.number} {build.at(now).state}",
        )
        for build in pipeline.newest_first()[:30]
    ]
    return html.pipeline_page(pipeline, builds)


def _build(request: Request, build: Build, rest: tuple[str, ...]) -> Answer:
    now = request.instance.now()
    runs = build.at(now).current()
    if request.method == "POST" and rest[:1] == ("run",):
        for run in runs:
            if run.step.gate and run.state == script.WAITING:
                request.instance.unblock(build, run.index, None)
        here = f"{request.base}/{build.pipeline.name}/pipelines/results/{build.number}"
        return Answer(303, headers={"Location": here})
    text = "".join(log.content(build, run, now) for run in runs)
    answer = html.build_page(build, now, text)
    waits = [run.step.name for run in runs if run.step.gate and run.state == script.WAITING]
    if waits and isinstance(answer.body, bytes):
        action = f"{request.path.rstrip('/')}/run"
        form = (
            f'<form method="post" action="{escape(action)}"><p>'
            f"<button>Run {escape(waits[0])}</button></form>"
        )
        answer.body = answer.body.replace(b"<h2>Steps</h2>", f"{form}<h2>Steps</h2>".encode())
    return answer
