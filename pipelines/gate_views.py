"""Letting a build go on that waits for a person."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from pipelines.bounds import usable_id
from pipelines.forms import GateForm
from pipelines.gates import gate_of
from pipelines.models import Build, PipelineLink, Trigger
from pipelines.offers import Offers
from pipelines.providers.base import Gate
from pipelines.requesting import ask, find_build, request_id_of
from portal.guard import actor_of


@require_POST
def build_unblock(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks to open one gate; gives the form back with what to mend.

    The gate is one that the server names for this very build, whatever the form says.
    """
    build, link = find_build(request, pk)
    gate_id, request_id = request.POST.get("gate", ""), request_id_of(request)
    same = {"action": "unblock", "build": build, "subject": gate_id, "actor": request.user.pk}
    if Trigger.objects.filter(request_id=request_id, **same).exists():
        # A double click: by now the gate may be open already.
        return redirect("pipelines:trigger_detail", request_id)
    gate, error = gate_of(build, gate_id)
    if gate is None or not usable_id(gate.id, 255):
        error = error or "Stagedoor can't keep the step's id. Open the step on its server."
        messages.error(request, f"You can't unblock this build: {error}")
        return redirect("pipelines:build_detail", build.pk)
    form = GateForm(gate, request.POST)
    page = "pipelines/build_unblock.html"
    return ask(
        request,
        "unblock",
        form,
        link,
        page,
        lambda: _context(request, build, link, gate, form),
        build=build,
        gate=gate,
    )


def _context(
    request: HttpRequest, build: Build, link: PipelineLink, gate: Gate, form: GateForm
) -> dict[str, Any]:
    offers = Offers(actor_of(request), link.entity, [build.pipeline])
    return {"build": build, "link": link, "offer": offers.on_gate(build, gate, form)}
