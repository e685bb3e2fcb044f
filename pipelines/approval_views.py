"""Approving and refusing what other people ask for, and the list of what waits."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from pipelines import approvals, tasks
from pipelines.awaiting import may_list, waiting
from pipelines.models import Approval
from pipelines.requesting import NOT_OURS, find_trigger
from portal.guard import actor_of, require
from portal.policy import Target


@require_safe
def approval_list(request: HttpRequest) -> HttpResponse:
    """What waits for approval: first what waits for this person."""
    actor = actor_of(request)
    if not may_list(actor):
        require(request, "build.view", Target("requests"))
    items, own = waiting(actor), actor.user_id
    groups = {
        "For you to decide": [item for item in items if item.mine],
        "Yours": [item for item in items if not item.mine and item.trigger.actor_id == own],
        "Other requests": [
            item for item in items if not item.mine and item.trigger.actor_id != own
        ],
    }
    return render(request, "pipelines/approval_list.html", {"groups": groups, "items": items})


@require_POST
def approval_give(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Takes a person's word on the request as they have seen it."""
    trigger = find_trigger(request, request_id)
    verdict = request.POST.get("verdict", "")
    if verdict not in Approval.Verdict.values:
        raise Http404(NOT_OURS)
    refusal = approvals.give(
        request.user,
        trigger,
        verdict,
        comment=request.POST.get("comment", ""),
        seen=request.POST.get("fingerprint", ""),
        request=request,
    )
    if refusal:
        messages.error(request, f"Your decision was not recorded: {refusal}")
    else:
        tasks.dispatch.delay_on_commit(trigger.pk)
        messages.success(request, "Noted, with your name.")
    return redirect("pipelines:trigger_detail", request_id)
