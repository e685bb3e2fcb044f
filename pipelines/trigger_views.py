"""Asking for a write and following what became of it."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from pipelines import tasks, triggers
from pipelines.effects import effect_of
from pipelines.facts import facts_of
from pipelines.forms import TriggerForm, left_out
from pipelines.models import Build, Pipeline, PipelineLink, Trigger
from pipelines.offers import may_see
from pipelines.queries import acting_link, recent_branches, settles_itself
from pipelines.targets import decide_effect
from portal.fragments import render_either, wants_fragment
from portal.guard import actor_of
from portal.policy import Decision

SENTENCES = {
    "queued": "Waiting to be sent to {server}.",
    "dispatching": "Being sent to {server}.",
    "dispatched": "{server} took it; the build has no number yet.",
    "linked": "{server} took it.",
    "denied": "Denied when it was about to be sent: {message}",
    "failed": "It was not carried out. {message}",
    "uncertain": "{message}",
    "withdrawn": "It was withdrawn before it was sent.",
}


@require_http_methods(["GET", "HEAD", "POST"])
def trigger_create(request: HttpRequest, pk: int) -> HttpResponse:
    """The run page: what may be chosen, what will happen, one button."""
    link = _link(request, pk)
    if request.method == "POST":
        return _request_start(request, link)
    form = TriggerForm(link)
    if request.GET:
        data = request.GET.copy()
        data.setdefault("request_id", str(uuid.uuid4()))
        form = TriggerForm(link, data)
    return render_either(
        request,
        "pipelines/trigger_create.html",
        "pipelines/_trigger_preview.html",
        _context(request, link, form),
    )


def _request_start(request: HttpRequest, link: PipelineLink) -> HttpResponse:
    form = TriggerForm(link, request.POST)
    if not form.is_valid():
        return _form_again(request, link, form)
    outcome = triggers.request(
        request.user,
        "start",
        entity=link.entity,
        pipeline=link.pipeline,
        branch=form.branch,
        parameters=form.parameters,
        request_id=form.cleaned_data["request_id"],
        request=request,
    )
    if outcome.trigger is None:
        form.show(outcome.errors)
        return _form_again(request, link, form, outcome.decision)
    return _follow(outcome)


def _form_again(
    request: HttpRequest, link: PipelineLink, form: TriggerForm, decision: Decision | None = None
) -> HttpResponse:
    context = _context(request, link, form)
    if decision is not None and not decision.allowed:
        context["decision"] = decision
    status = 422 if context["decision"].allowed else 403
    return render(request, "pipelines/trigger_create.html", context, status=status)


@require_POST
def build_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks to stop a build."""
    return _write(request, "cancel", pk)


@require_POST
def build_retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks to run a build again."""
    return _write(request, "retry", pk)


def _write(request: HttpRequest, action: str, pk: int) -> HttpResponse:
    build = get_object_or_404(Build.objects.select_related("pipeline__server", "trigger"), pk=pk)
    links = PipelineLink.objects.filter(pipeline=build.pipeline).select_related("entity")
    link = acting_link(build, links)
    if link is None or not may_see(request, [link.entity]).allowed:
        raise Http404("There is no such build, or you may not see it.")
    try:
        request_id = uuid.UUID(request.POST.get("request_id", ""))
    except ValueError:
        raise Http404("This form is not one of ours. Go back and try again.") from None
    outcome = triggers.request(
        request.user,
        action,
        entity=link.entity,
        pipeline=build.pipeline,
        build=build,
        request_id=request_id,
        request=request,
    )
    if outcome.trigger is None:
        reason = " ".join(outcome.errors.values()) or outcome.decision.reason
        messages.error(request, f"You can't {action} this build: {reason}")
        return redirect("pipelines:build_detail", build.pk)
    return _follow(outcome)


def _follow(outcome: triggers.Outcome) -> HttpResponse:
    trigger = outcome.trigger
    assert trigger is not None  # noqa: S101  the callers have shown the other case
    if outcome.created:
        tasks.dispatch.delay_on_commit(trigger.pk)
    return redirect("pipelines:trigger_detail", trigger.request_id)


@require_safe
def trigger_detail(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """What became of a request, until its build is known."""
    related = ("pipeline__server", "entity", "environment", "build", "started_build")
    trigger = get_object_or_404(Trigger.objects.select_related(*related), request_id=request_id)
    entities = [trigger.entity] if trigger.entity else []
    mine = trigger.actor_id == request.user.pk
    if not mine and not may_see(request, entities).allowed:
        raise Http404("There is no such request, or you may not see it.")
    build = _build_of(trigger)
    if wants_fragment(request) and build is not None:
        url = reverse("pipelines:build_detail", args=[build.pk])
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    context = {
        "trigger": trigger,
        "build": build,
        "sentence": SENTENCES[trigger.state].format(
            server=trigger.pipeline.server.name, message=trigger.message
        ),
        "poll": settles_itself(trigger),
    }
    return render_either(
        request, "pipelines/trigger_detail.html", "pipelines/_trigger.html", context
    )


def _build_of(trigger: Trigger) -> Build | None:
    if trigger.action == Trigger.Action.CANCEL:
        return trigger.build if trigger.state == Trigger.State.LINKED else None
    return getattr(trigger, "started_build", None)


def _link(request: HttpRequest, pk: int) -> PipelineLink:
    related = ("pipeline__server", "entity__source")
    link = get_object_or_404(PipelineLink.objects.select_related(*related), pk=pk)
    if not may_see(request, [link.entity]).allowed:
        raise Http404("There is no such pipeline, or you may not see it.")
    return link


def _context(request: HttpRequest, link: PipelineLink, form: TriggerForm) -> dict[str, Any]:
    pipeline: Pipeline = link.pipeline
    facts = facts_of(link.entity, [pipeline])
    effect = effect_of("start", pipeline, form.branch, form.parameters, rules=facts.rules)
    decision = decide_effect(actor_of(request), "start", pipeline, effect, facts)
    where = f" in {effect.environment}" if effect.environment else ""
    on = f" on {effect.branch}" if effect.branch else ""
    return {
        "link": link,
        "form": form,
        "branches": recent_branches(pipeline),
        "left_out": left_out(pipeline),
        "decision": decision,
        "sentence": f"Runs {pipeline.name} of {link.entity}{on}{where}, "
        f"in your name, on {pipeline.server.name}.",
    }
