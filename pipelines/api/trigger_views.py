"""Asking for a write, what became of it, and taking it back. Nothing here approves anything."""

import uuid

from django.http import HttpRequest, HttpResponse

from pipelines import settling, tasks, triggers
from pipelines.api import bodies, seeing, shapes
from pipelines.approvers import given
from pipelines.bounds import usable_id
from pipelines.gates import gate_of
from pipelines.models import Build, PipelineLink, Trigger
from pipelines.providers.base import Gate, RemoteParameter
from portal.api_errors import ApiError, json_response
from portal.api_tokens import Caller


def create(request: HttpRequest, caller: Caller) -> HttpResponse:
    """POST /triggers: decided as the person's own form would be, cut to what the token may.

    Who asks is known by the token alone.
    """
    key, body = bodies.key_of(request), bodies.read(request)
    link = _link(caller, body)
    build = _build(link, body)
    outcome = triggers.request(
        caller,
        body.action,
        entity=link.entity,
        pipeline=link.pipeline,
        branch=body.branch,
        commit=body.commit,
        parameters=body.parameters,
        target=body.target,
        gate=_gate(key, build, body),
        build=build,
        note=body.note,
        request_id=key,
        request=request,
    )
    if outcome.trigger is None:
        raise _refusal(outcome)
    if outcome.created and outcome.trigger.state == Trigger.State.QUEUED:
        tasks.dispatch.delay_on_commit(outcome.trigger.pk)
    found = _shape(outcome.trigger) | {"decision": shapes.decision(outcome.decision)}
    return json_response(found, 201 if outcome.created else 200)


def _refusal(outcome: triggers.Outcome) -> ApiError:
    if outcome.errors:
        return bodies.wrong(
            {name.replace("parameter:", "parameters."): s for name, s in outcome.errors.items()}
        )
    return seeing.denied(outcome.decision)


def trigger(request: HttpRequest, caller: Caller, request_id: uuid.UUID) -> HttpResponse:
    """GET /triggers/:id: what became of it."""
    return json_response(_shape(seeing.trigger(caller, request_id)))


def withdraw(request: HttpRequest, caller: Caller, request_id: uuid.UUID) -> HttpResponse:
    """POST /triggers/:id/withdraw: only what was asked for in the caller's name."""
    found = seeing.trigger(caller, request_id)
    if found.actor_id != caller.actor.user_id:
        raise ApiError(403, "Somebody else asked for it.")
    refusal = settling.withdraw(caller, found, request)
    if refusal:
        decision = settling.may_withdraw(caller.actor, found)
        raise ApiError(409, refusal) if decision.rule == "blocked" else seeing.denied(decision)
    return json_response(_shape(seeing.trigger(caller, request_id)))


def _link(caller: Caller, body: bodies.Body) -> PipelineLink:
    """The pipeline as this service's; what the caller may not see is not there."""
    try:
        entity = seeing.service(caller, body.entity)
    except ApiError as error:
        if error.status != 404:
            raise
        raise bodies.wrong({"entity": error.message}) from None
    slug, _, external_id = body.pipeline.partition(":")
    links = PipelineLink.objects.filter(entity=entity, pipeline__server__slug=slug)
    link = links.filter(pipeline__external_id=external_id).select_related(
        "pipeline__server", "entity__source"
    )
    found = link.first()
    if found is None:
        raise bodies.wrong(
            {"pipeline": f"{entity} has no such pipeline: “server:id at the server”."}
        )
    return found


def _build(link: PipelineLink, body: bodies.Body) -> Build | None:
    if body.build is None:
        return None
    rows = Build.objects.select_related("pipeline__server", "trigger__build__trigger")
    found = rows.filter(pk=body.build, pipeline=link.pipeline).first()
    if found is None:
        raise bodies.wrong({"build": f"{link.pipeline.name} has no build of the id {body.build}."})
    return found


def _gate(key: uuid.UUID, build: Build | None, body: bodies.Body) -> Gate | None:
    """As the server names it for this build, whatever the body says."""
    if body.action != Trigger.Action.UNBLOCK or build is None:
        return None
    gate, error = gate_of(build, body.gate)
    if gate is not None and usable_id(gate.id, 255):
        return gate
    known = Trigger.objects.filter(request_id=key, build=build, subject=body.gate).first()
    if known is not None:  # sent once more, and by now the gate is open
        asked = (RemoteParameter(n, "text", default=v) for n, v in known.parameters.items())
        return Gate(known.subject, known.subject_name, parameters=tuple(asked))
    raise bodies.wrong({"gate": error or "Stagedoor can't keep the step's id."})


def _shape(found: Trigger) -> shapes.Json:
    return shapes.trigger(found, len(given(found)) if found.approvals_needed else 0)
