"""Letting a build go on that waits for a person."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from pipelines import triggers
from pipelines.bounds import usable_id
from pipelines.forms import GateForm
from pipelines.gates import gate_of
from pipelines.models import Build, Trigger
from pipelines.offers import Offers
from pipelines.providers.base import Gate
from pipelines.requesting import find_build, follow, request_id_of
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
        messages.error(request, f"You can't unblock this build: {error or 'its id is unusable.'}")
        return redirect("pipelines:build_detail", build.pk)
    form = GateForm(gate, request.POST)
    if not form.is_valid():
        return _again(request, build, gate, form, 422)
    outcome = triggers.request(
        request.user,
        "unblock",
        entity=link.entity,
        pipeline=build.pipeline,
        build=build,
        gate=gate,
        parameters=form.parameters,
        request_id=form.cleaned_data["request_id"],
        request=request,
    )
    if outcome.trigger is None:
        form.show(outcome.errors)
        return _again(request, build, gate, form, 422 if outcome.decision.allowed else 403)
    return follow(outcome)


def _again(
    request: HttpRequest, build: Build, gate: Gate, form: GateForm, status: int
) -> HttpResponse:
    _, link = find_build(request, build.pk)
    offers = Offers(actor_of(request), link.entity, [build.pipeline])
    context = {"build": build, "link": link, "offer": offers.on_gate(build, gate, form)}
    return render(request, "pipelines/build_unblock.html", context, status=status)
