"""Promoting what a passed build made to a deployment target."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from pipelines import triggers
from pipelines.effects import effect_of
from pipelines.facts import facts_of
from pipelines.forms import PromoteForm
from pipelines.models import Build, PipelineLink
from pipelines.requesting import find_build, follow
from pipelines.targets import decide_effect
from portal.fragments import render_either
from portal.guard import actor_of
from portal.policy import Decision


@require_http_methods(["GET", "HEAD", "POST"])
def build_promote(request: HttpRequest, pk: int) -> HttpResponse:
    """Where to, with which variables, what will happen, one button."""
    build, link = find_build(request, pk)
    if request.method == "POST":
        return _request_promotion(request, build, link)
    form = PromoteForm(build.pipeline)
    if request.GET:
        data = request.GET.copy()
        data.setdefault("request_id", str(uuid.uuid4()))
        form = PromoteForm(build.pipeline, data)
    return render_either(
        request,
        "pipelines/build_promote.html",
        "pipelines/_trigger_preview.html",
        _context(request, build, link, form),
    )


def _request_promotion(request: HttpRequest, build: Build, link: PipelineLink) -> HttpResponse:
    form = PromoteForm(build.pipeline, request.POST)
    if not form.is_valid():
        return _again(request, build, link, form)
    outcome = triggers.request(
        request.user,
        "promote",
        entity=link.entity,
        pipeline=build.pipeline,
        build=build,
        target=form.target_name,
        parameters=form.parameters,
        request_id=form.cleaned_data["request_id"],
        request=request,
    )
    if outcome.trigger is None:
        form.show(outcome.errors)
        return _again(request, build, link, form, outcome.decision)
    return follow(outcome)


def _again(
    request: HttpRequest,
    build: Build,
    link: PipelineLink,
    form: PromoteForm,
    decision: Decision | None = None,
) -> HttpResponse:
    context = _context(request, build, link, form)
    if decision is not None and not decision.allowed:
        context["decision"] = decision
    status = 403 if decision is not None and not decision.allowed else 422
    return render(request, "pipelines/build_promote.html", context, status=status)


def _context(
    request: HttpRequest, build: Build, link: PipelineLink, form: PromoteForm
) -> dict[str, Any]:
    pipeline = build.pipeline
    facts = facts_of(link.entity, [pipeline])
    target = form.target_name
    effect = effect_of(
        "promote", pipeline, "", form.parameters, subject=target, build=build, rules=facts.rules
    )
    decision = decide_effect(actor_of(request), "promote", pipeline, effect, facts, build=build)
    where = f" to {target}" if target else ""
    takes_effect = f", which takes effect in {effect.environment}" if effect.environment else ""
    return {
        "build": build,
        "link": link,
        "form": form,
        "targets": facts.rules.slugs,
        "decision": decision,
        "button": "Promote",
        "sentence": f"Promotes {build} of {link.entity}{where}{takes_effect}, in your name, "
        f"on {pipeline.server.name}."
        if target
        else "Choose where it is promoted to.",
        "undecided": not target,
    }
