"""Requests that need a person: what is known of them, and what a person says became of them."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from pipelines import settling
from pipelines.requesting import NOT_OURS, find_trigger
from pipelines.unsettled import may_list, unsettled
from portal.guard import actor_of, require
from portal.policy import Target


@require_safe
def trigger_list(request: HttpRequest) -> HttpResponse:
    """The uncertain requests that the person may see; their own always."""
    actor = actor_of(request)
    if not may_list(actor):
        require(request, "build.view", Target("requests"))
    return render(request, "pipelines/trigger_list.html", {"items": unsettled(actor)})


@require_POST
def trigger_settle(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Takes a person's word: it ran, as the build of that number, or it did not."""
    trigger = find_trigger(request, request_id)
    verdict = request.POST.get("verdict", "")
    if verdict == "ran":
        refusal = settling.did_run(request.user, trigger, request.POST.get("build", ""), request)
    elif verdict == "not":
        refusal = settling.did_not_run(request.user, trigger, request)
    else:
        raise Http404(NOT_OURS)
    if refusal:
        messages.error(request, f"Nothing was changed: {refusal}")
    else:
        messages.success(request, "Noted, with your name.")
    return redirect("pipelines:trigger_detail", request_id)
