"""Asking for a write and following what became of it."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from pipelines import awaiting, settling, triggers
from pipelines.calls import WITHOUT_BUILD
from pipelines.effects import effect_of
from pipelines.facts import facts_of
from pipelines.forms import TriggerForm
from pipelines.glass import way_out
from pipelines.inputs import secrets_of
from pipelines.models import Build, Pipeline, PipelineLink, Trigger
from pipelines.queries import recent_branches, settles_itself
from pipelines.requesting import (
    ask,
    find_build,
    find_link,
    find_trigger,
    follow,
    points_of,
    request_id_of,
    typed,
)
from pipelines.targets import decide_effect
from pipelines.unsettled import Unsettled
from portal.fragments import render_either, wants_fragment
from portal.guard import actor_of

SENTENCES = {
    "awaiting": "Waits for approval; nothing was sent to {server} yet.",
    "queued": "Waiting to be sent to {server}. {message}",
    "dispatching": "Being sent to {server}.",
    "dispatched": "{server} took it; the build has no number yet.",
    "linked": "{server} took it.",
    "denied": "Denied when it was about to be sent: {message}",
    "failed": "It was not carried out. {message}",
    "uncertain": "{message}",
    "withdrawn": "It was withdrawn before it was sent. {message}",
    "refused": "{message}",
    "expired": "Nobody approved it in time, so it was not sent.",
}


@require_http_methods(["GET", "HEAD", "POST"])
def trigger_create(request: HttpRequest, pk: int) -> HttpResponse:
    """The run page: what may be chosen, what will happen, one button."""
    link = find_link(request, pk)
    form = TriggerForm(link, typed(request))
    page = "pipelines/trigger_create.html"
    if request.method == "POST":
        chosen = {"branch": form.branch, "commit": form.commit}
        return ask(
            request, "start", form, link, page, lambda: _context(request, link, form), **chosen
        )
    preview = "pipelines/_trigger_preview.html"
    return render_either(request, page, preview, _context(request, link, form))


@require_POST
def build_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks to stop a build."""
    return _write(request, "cancel", pk)


@require_POST
def build_retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks to run a build again."""
    return _write(request, "retry", pk)


def _write(request: HttpRequest, action: str, pk: int) -> HttpResponse:
    build, link = find_build(request, pk)
    outcome = triggers.request(
        request.user,
        action,
        entity=link.entity,
        pipeline=build.pipeline,
        build=build,
        request_id=request_id_of(request),
        request=request,
    )
    if outcome.trigger is None:
        reason = " ".join(outcome.errors.values()) or outcome.decision.reason
        messages.error(request, f"You can't {action} this build: {reason}")
        return redirect("pipelines:build_detail", build.pk)
    return follow(outcome)


@require_POST
def trigger_withdraw(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Takes a request back that was not sent yet."""
    trigger = find_trigger(request, request_id)
    refusal = settling.withdraw(request.user, trigger, request)
    if refusal:
        messages.error(request, f"This can't be withdrawn: {refusal}")
    return redirect("pipelines:trigger_detail", request_id)


@require_safe
def trigger_detail(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """What became of a request, until its build is known."""
    trigger = find_trigger(request, request_id)
    build, approval = _build_of(trigger), awaiting.one(actor_of(request), trigger)
    if wants_fragment(request) and build is not None:
        url = reverse("pipelines:build_detail", args=[build.pk])
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    context = {
        "trigger": trigger,
        "build": build,
        "sentence": SENTENCES[trigger.state].format(
            server=trigger.pipeline.server.name, message=trigger.message
        ),
        "poll": _looks_again(trigger, approval),
        # A build has a state; that a switch was turned has none.
        "badge": trigger.action not in WITHOUT_BUILD or trigger.state != Trigger.State.LINKED,
        "withdrawable": settling.may_withdraw(actor_of(request), trigger).allowed,
        "item": _unsettled(request, trigger),
        "incidents": trigger.incidents.filter(closed_at=None),
        "approval": approval,
    }
    return render_either(
        request, "pipelines/trigger_detail.html", "pipelines/_trigger.html", context
    )


def _looks_again(trigger: Trigger, approval: awaiting.Waiting | None) -> int:
    """After how many seconds the page asks for itself again; 0 where it has no need to.

    What an approver has before them stays as it is: they decide on that, and may be typing.
    """
    if trigger.state == Trigger.State.AWAITING:
        return 0 if approval is None or approval.mine else 5
    if not settles_itself(trigger):
        return 0
    return 5 if trigger.message else 1


def _unsettled(request: HttpRequest, trigger: Trigger) -> Unsettled | None:
    """What a person may say of it, when nobody else can tell."""
    if trigger.state != Trigger.State.UNCERTAIN:
        return None
    return Unsettled(trigger, settling.may_settle(actor_of(request), trigger))


def _build_of(trigger: Trigger) -> Build | None:
    if trigger.action in WITHOUT_BUILD:
        return trigger.build if trigger.state == Trigger.State.LINKED else None
    return getattr(trigger, "started_build", None)


def _context(request: HttpRequest, link: PipelineLink, form: TriggerForm) -> dict[str, Any]:
    pipeline: Pipeline = link.pipeline
    facts = facts_of(link.entity, [pipeline])
    effect = effect_of(
        "start", pipeline, form.branch, form.parameters, commit=form.commit, rules=facts.rules
    )
    actor = actor_of(request)
    decision = decide_effect(actor, "start", pipeline, effect, facts)
    where = f" in {effect.environment}" if effect.environment else ""
    on = f" on {effect.branch}" if effect.branch else ""
    at = f" at {effect.commit[:12]}" if effect.commit else ""
    return {
        "link": link,
        "form": form,
        "branches": recent_branches(pipeline),
        "left_out": secrets_of(pipeline.parameters),
        "button": f"Run {pipeline.name}",
        "decision": decision,
        "glass_url": way_out(actor, decision, effect.environment, facts),
        "points": points_of(decision, link.entity, effect.environment),
        "sentence": f"Runs {pipeline.name} of {link.entity}{on}{at}{where}, "
        f"in your name, on {pipeline.server.name}.",
    }
