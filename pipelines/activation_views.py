"""Switching a linked pipeline on at its server."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from pipelines import triggers
from pipelines.facts import facts_of
from pipelines.forms import RequestForm
from pipelines.models import Pipeline, PipelineLink
from pipelines.providers import PROVIDERS
from pipelines.providers.base import HookScope
from pipelines.requesting import find_link, follow
from pipelines.targets import decide_for
from pipelines.webhooks import address
from portal.guard import actor_of
from portal.policy import Decision


@require_http_methods(["GET", "HEAD", "POST"])
def pipeline_activate(request: HttpRequest, pk: int) -> HttpResponse:
    """What will be done on the server, and one button."""
    link = find_link(request, pk)
    form = RequestForm(request.POST or None)
    if request.method != "POST":
        return _page(request, link, form, 200)
    if not form.is_valid():
        return _page(request, link, form, 422)
    outcome = triggers.request(
        request.user,
        "activate",
        entity=link.entity,
        pipeline=link.pipeline,
        request_id=form.cleaned_data["request_id"],
        request=request,
    )
    if outcome.trigger is None:
        form.show(outcome.errors)
        denied = not outcome.decision.allowed
        return _page(request, link, form, 403 if denied else 422, outcome.decision)
    return follow(outcome)


def _page(
    request: HttpRequest,
    link: PipelineLink,
    form: RequestForm,
    status: int,
    denied: Decision | None = None,
) -> HttpResponse:
    pipeline = link.pipeline
    facts = facts_of(link.entity, [pipeline])
    decision = decide_for(actor_of(request), "activate", link.entity, pipeline, facts=facts)
    context: dict[str, Any] = {
        "link": link,
        "form": form,
        "decision": denied if denied and not denied.allowed else decision,
        "button": "Switch on",
        "sentence": f"Switches {pipeline.name} on at {pipeline.server.name}, in your name.",
        "points": _points(pipeline),
    }
    return render(request, "pipelines/pipeline_activate.html", context, status=status)


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
