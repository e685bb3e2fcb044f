"""What each action asks of an adapter: the one place where a write goes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.db import transaction

from pipelines.bounds import text
from pipelines.budget import Purpose
from pipelines.inputs import check_gate
from pipelines.models import Server, Trigger
from pipelines.providers.base import Capability, Gate, HookTarget, Receipt, StartRequest
from pipelines.providers.errors import Misconfigured, ProviderError, Rejected
from pipelines.providers.provider import Provider
from pipelines.servers import admit, client_for, note_answer
from pipelines.webhooks import address
from portal.credentials import CredentialError, resolve

Action = Trigger.Action
# "Started for shop by Ana in Stagedoor"
WORDS: Mapping[str, str] = {
    Action.START: "Started",
    Action.RETRY: "Retried",
    Action.CANCEL: "Cancelled",
    Action.UNBLOCK: "Unblocked",
    Action.PROMOTE: "Promoted",
    Action.ACTIVATE: "Switched on",
}
# What gives no build of its own.
WITHOUT_BUILD = frozenset({Action.CANCEL, Action.UNBLOCK, Action.ACTIVATE})
MAX_SENTENCES = 20


@dataclass(frozen=True)
class Answer:
    """What a vendor answered; `done` are sentences of what an activation did."""

    receipt: Receipt = field(default_factory=Receipt)
    done: tuple[str, ...] = ()


def carry_out(trigger: Trigger) -> Answer:
    """Sends the write. No transaction may be open: the answer takes seconds, and a rollback would
    forget a build that runs."""
    if transaction.get_connection().in_atomic_block:
        raise RuntimeError("a vendor is never called inside a transaction")
    server = trigger.pipeline.server
    admit(server)
    client = client_for(server, Purpose.ACT, until=trigger.claimed_until)
    try:
        return _CALLS[Action(trigger.action)](client, trigger, start_request(trigger))
    except ProviderError as error:
        # So that the others that wait in the queue need not find out for themselves.
        note_answer(server, error)
        raise


def start_request(trigger: Trigger) -> StartRequest:
    """What travels with the write, whichever it is."""
    entity = trigger.entity
    word = WORDS[trigger.action]
    labels = {
        "request_id": str(trigger.request_id),
        "person": trigger.actor_name,
        "team": trigger.team,
        "service": entity.ref if entity else "",
        "repository": trigger.pipeline.repository,
        "environment": trigger.environment.slug if trigger.environment else "",
    }
    message = f"{word} for {entity or trigger.pipeline} by {trigger.asked_by} in Stagedoor"
    return StartRequest(
        pipeline=trigger.pipeline.external_id,
        request_id=str(trigger.request_id),
        branch=trigger.branch,
        commit="" if trigger.unpinned else trigger.commit,
        parameters=trigger.parameters,
        labels={name: _one_line(value) for name, value in labels.items()},
        message=_one_line(message),
    )


def _one_line(value: str) -> str:
    """In a vendor's message a line of its own, in a person's name, could pass for one of ours."""
    return " ".join(text(value).split())


def find_gate(client: Provider, trigger: Trigger) -> Gate | None:
    """The gate that the trigger opens, while it still waits in that very build."""
    gates = client.gates(trigger.pipeline.external_id, _build(trigger))
    return next((gate for gate in gates if gate.id == trigger.subject), None)


def hook_target(server: Server) -> HookTarget | None:
    """Where this server's webhooks go; None while it has no secret to sign them with."""
    reference = server.webhook_secret_ref.partition(",")[0].strip()
    if not reference:
        return None
    try:
        secret = resolve(reference)
    except CredentialError as error:
        raise Misconfigured(f"{server.name}: {error}") from None
    return HookTarget(url=address(server), secret=secret)


def _start(client: Provider, trigger: Trigger, request: StartRequest) -> Answer:
    return Answer(client.start(request))


def _retry(client: Provider, trigger: Trigger, request: StartRequest) -> Answer:
    return Answer(client.retry(request, _build(trigger)))


def _cancel(client: Provider, trigger: Trigger, request: StartRequest) -> Answer:
    client.cancel(request.pipeline, _build(trigger))
    return Answer()


def _unblock(client: Provider, trigger: Trigger, request: StartRequest) -> Answer:
    """Looks first: an id that came from a form, or a gate that asks for something else by now,
    must not reach the vendor."""
    gate = find_gate(client, trigger)
    if gate is None or text(gate.name, 200) != trigger.subject_name:
        raise Rejected("The build no longer waits there.")
    values, errors = check_gate(gate, request.parameters)
    if errors or values != request.parameters:
        raise Rejected("What the build asks for there has changed. Open its page and look again.")
    client.unblock(request, _build(trigger), gate.id)
    return Answer()


def _promote(client: Provider, trigger: Trigger, request: StartRequest) -> Answer:
    return Answer(client.promote(request, _build(trigger), trigger.subject))


def _activate(client: Provider, trigger: Trigger, request: StartRequest) -> Answer:
    hooks = Capability.WEBHOOK in client.capabilities
    hook = hook_target(trigger.pipeline.server) if hooks else None
    done = client.activate(request.pipeline, hook)
    return Answer(done=tuple(sentence[:300] for sentence in done[:MAX_SENTENCES]))


def _build(trigger: Trigger) -> str:
    return trigger.build.external_id if trigger.build else ""


_CALLS: Mapping[Action, Callable[[Provider, Trigger, StartRequest], Answer]] = {
    Action.START: _start,
    Action.RETRY: _retry,
    Action.CANCEL: _cancel,
    Action.UNBLOCK: _unblock,
    Action.PROMOTE: _promote,
    Action.ACTIVATE: _activate,
}
