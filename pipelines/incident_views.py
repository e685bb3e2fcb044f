"""Incidents: what must not happen and did, until somebody has looked into it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from pipelines import incidents
from pipelines.seen import seen_builds_or_denied
from portal.guard import actor_of, found_or_404


@require_safe
def incident_list(request: HttpRequest) -> HttpResponse:
    """The open ones first, with a form for those who may close them."""
    seen_builds_or_denied(request, "incidents")
    actor = actor_of(request)
    items = [(one, incidents.may_close(actor, one)) for one in incidents.listed(actor)]
    return render(request, "pipelines/incident_list.html", {"items": items})


@require_POST
def incident_close(request: HttpRequest, pk: int) -> HttpResponse:
    """Closes one with a comment."""
    rows = incidents.seen_by(actor_of(request))
    incident = found_or_404(rows, "There is no such incident, or you may not see it.", pk=pk)
    refusal = incidents.close(request.user, incident, request.POST.get("comment", ""), request)
    if refusal:
        messages.error(request, f"It is still open: {refusal}")
    else:
        messages.success(request, "Closed, with your name.")
    return redirect("pipelines:incident_list")
