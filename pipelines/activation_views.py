"""Switching a linked pipeline on at its server."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from pipelines.forms import RequestForm
from pipelines.models import Pipeline, PipelineLink
from pipelines.providers import PROVIDERS
from pipelines.providers.base import HookScope
from pipelines.requesting import ask, find_link, typed
from pipelines.targets import decide_for
from pipelines.webhooks import address
from portal.guard import actor_of


@require_http_methods(["GET", "HEAD", "POST"])
def pipeline_activate(request: HttpRequest, pk: int) -> HttpResponse:
    """What will be done on the server, and one button."""
    link = find_link(request, pk)
    form = RequestForm(typed(request))
    page = "pipelines/pipeline_activate.html"
    if request.method == "POST":
        return ask(request, "activate", form, link, page, lambda: _context(request, link, form))
    return render(request, page, _context(request, link, form))


def _context(request: HttpRequest, link: PipelineLink, form: RequestForm) -> dict[str, Any]:
    pipeline = link.pipeline
    return {
        "link": link,
        "form": form,
        "decision": decide_for(actor_of(request), "activate", link.entity, pipeline),
        "button": "Switch on",
        "sentence": f"Switches {pipeline.name} on at {pipeline.server.name}, in your name.",
        "points": _points(pipeline),
    }


def _points(pipeline: Pipeline) -> list[str]:
    server, adapter = pipeline.server, PROVIDERS.get(pipeline.server.provider)
    points = [f"Builds {pipeline.name} from then on: a push to its repository may run it."]
    scope = adapter.hook_scope if adapter else HookScope.NONE
    if scope is HookScope.PIPELINE and server.webhook_secret_ref:
        points.append(f"Tells Stagedoor at once of its builds, by a webhook to {address(server)}.")
    elif scope is HookScope.PIPELINE:
        points.append("No webhook is registered, since the server has no webhook secret here.")
    elif scope is HookScope.SERVER:
        points.append("Webhooks stay as they are: the server has one for all of its pipelines.")
    return points
