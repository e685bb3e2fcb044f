"""Reads a request for a write. Nothing is taken that is not understood: a body that names an actor
is refused, not passed over.
"""

import uuid
from dataclasses import dataclass, field

from django.http import HttpRequest

from catalog.api import params
from pipelines.bounds import NUMBER_MAX
from pipelines.models import Trigger
from portal.api_errors import ApiError

Action = Trigger.Action
MAX_BODY = 500_000
MAX_TEXT = 1000
MAX_PARAMETERS = 500  # the declared among them
# Which of the fields belong to which action.
OF_ALL = frozenset({"entity", "pipeline", "action", "note"})
TAKES = {
    Action.START: frozenset({"branch", "commit", "parameters"}),
    Action.RETRY: frozenset({"build"}),
    Action.CANCEL: frozenset({"build"}),
    Action.UNBLOCK: frozenset({"build", "gate", "parameters"}),
    Action.PROMOTE: frozenset({"build", "target", "parameters"}),
    Action.ACTIVATE: frozenset[str](),
}
KNOWN = OF_ALL.union(*TAKES.values())
NEEDED = {"build": "Say which build: its id.", "gate": "Say which gate.", "target": "Say where to."}


@dataclass(frozen=True)
class Body:
    """What was asked for, as it was written."""

    entity: str
    pipeline: str
    action: str
    branch: str = ""
    commit: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    build: int | None = None
    gate: str = ""
    target: str = ""
    note: str = ""


def wrong(fields: dict[str, str]) -> ApiError:
    """422, with a sentence for each field; "" is the request as a whole."""
    said = [f"{name}: {sentence}" if name else sentence for name, sentence in fields.items()]
    return ApiError(422, " ".join(said)[:2000], {"fields": fields})


def key_of(request: HttpRequest) -> uuid.UUID:
    """The Idempotency-Key. Raises ApiError 422."""
    name, written = "Idempotency-Key", request.headers.get("Idempotency-Key", "").strip(' "')
    try:
        return uuid.UUID(written)
    except ValueError:
        raise wrong(
            {name: "Send a UUID that you make for each request, and again for the same."}
        ) from None


def read(request: HttpRequest) -> Body:
    """Raises ApiError 400, 413 and 422."""
    if len(request.body) > MAX_BODY:
        raise ApiError(413, f"A request has {MAX_BODY:,} bytes at most.")
    sent = params.body(request)
    errors = {str(name)[:80]: "unknown field" for name in sorted(set(sent) - KNOWN)[:20]}
    action = sent.get("action")
    if action not in Action.values:
        errors["action"] = f"One of {', '.join(Action.values)}."
    else:
        foreign = (set(sent) & KNOWN) - OF_ALL - TAKES[Action(action)]
        errors |= dict.fromkeys(foreign, f"This does not belong to {action}.")
        needed = (name for name in TAKES[Action(action)] if name in NEEDED and not sent.get(name))
        errors |= {name: NEEDED[name] for name in needed}
    errors |= {name: "This is missing." for name in ("entity", "pipeline") if not sent.get(name)}
    errors |= _of_other_types(sent)
    if errors:
        raise wrong(errors)
    return Body(**sent)


def _of_other_types(sent: dict[str, object]) -> dict[str, str]:
    errors = {}
    for name in KNOWN & set(sent):
        value = sent[name]
        if name == "build":
            is_number = isinstance(value, int) and not isinstance(value, bool)
            if not is_number or not 0 < value <= NUMBER_MAX:  # type: ignore[operator]
                errors[name] = "A whole number: the build's id."
        elif name == "parameters":
            if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
                errors[name] = "An object of strings."
            elif len(value) > MAX_PARAMETERS:
                errors[name] = f"{MAX_PARAMETERS} parameters at most."
        elif not isinstance(value, str) or len(value) > MAX_TEXT:
            errors[name] = f"A string of {MAX_TEXT} characters at most."
    return errors
