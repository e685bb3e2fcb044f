"""What the calls take and give, as JSON Schema; part of the OpenAPI document."""

from typing import Any

from pipelines.api.bodies import MAX_TEXT
from pipelines.models import STATES, Trigger

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "integer"}
FLAG: Json = {"type": "boolean"}
ANY: Json = {"type": "object"}
MAYBE_TEXT: Json = {"type": ["string", "null"]}
MAYBE_NUMBER: Json = {"type": ["integer", "null"]}
TIME: Json = {"type": ["string", "null"], "format": "date-time"}
WORDS: Json = {"type": "object", "additionalProperties": TEXT}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _object(**properties: Json) -> Json:
    """All of them are always there."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _choice(*values: str) -> Json:
    return {"type": "string", "enum": list(values)}


def _short(words: str) -> Json:
    return {"type": "string", "maxLength": MAX_TEXT, "description": words}


_ACTIONS: Json = {"type": "object", "additionalProperties": _ref("Decision")}
_STEP = _object(id=TEXT, name=TEXT, state=_choice(*STATES))
_BUILD: Json = {
    "id": NUMBER,
    "pipeline": TEXT,
    "number": MAYBE_NUMBER,
    "state": _choice(*STATES),
    "rawState": TEXT,
    "branch": TEXT,
    "commit": TEXT,
    "person": TEXT,
    "agent": TEXT,
    "how": TEXT,
    "queuedAt": TIME,
    "startedAt": TIME,
    "finishedAt": TIME,
    "readAt": TIME,
    "trigger": MAYBE_TEXT,
    "links": WORDS,
    "actions": _ACTIONS,
}
_TRIGGER: Json = {
    "id": TEXT,
    "state": _choice(*Trigger.State.values),
    "stateLabel": TEXT,
    "message": TEXT,
    "action": _choice(*Trigger.Action.values),
    "entity": MAYBE_TEXT,
    "pipeline": TEXT,
    "environment": TEXT,
    "branch": TEXT,
    "commit": TEXT,
    "parameters": WORDS,
    "subject": TEXT,
    "note": TEXT,
    "person": TEXT,
    "agent": TEXT,
    "approvals": _object(needed=NUMBER, given=NUMBER, until=TIME),
    "createdAt": TIME,
    "about": MAYBE_NUMBER,
    "build": MAYBE_NUMBER,
    "links": WORDS,
}
_NAMED_ERROR: Json = {
    **_object(name=TEXT, message=TEXT),
    "description": "A denial has rule, reason and suggestion besides; wrong values have fields.",
}

SCHEMAS: Json = {
    "Decision": _object(
        effect=_choice("allow", "needs_approval", "deny"),
        rule=TEXT,
        reason=TEXT,
        helpers=_list(TEXT),
    ),
    "Service": _object(entity=TEXT, pipelines=_list(_ref("Pipeline"))),
    "Pipeline": _object(
        pipeline=TEXT,
        name=TEXT,
        server=TEXT,
        defaultBranch=TEXT,
        environment=TEXT,
        parameters=_list(ANY),
        url=TEXT,
        actions=_ACTIONS,
        builds=_list(_object(**_BUILD)),
    ),
    "Build": _object(**_BUILD, entity=MAYBE_TEXT, gates=_list(_ref("Gate"))),
    "Gate": _object(id=TEXT, name=TEXT, message=TEXT, parameters=_list(ANY)),
    "Log": _object(
        build=NUMBER,
        step={"oneOf": [_STEP, {"type": "null"}]},
        steps=_list(_STEP),
        text=TEXT,
        next=TEXT,
        done=FLAG,
        restarted=FLAG,
        truncated=FLAG,
    ),
    "Trigger": _object(**_TRIGGER),
    "Asked": _object(**_TRIGGER, decision=_ref("Decision")),
    "Error": _object(
        error=_NAMED_ERROR,
        request=_object(method=TEXT, url=TEXT),
        response=_object(statusCode=NUMBER),
    ),
}

_ASK = _object(
    entity=_short("The service, for example component:default/shop."),
    pipeline=_short("The server's slug and the pipeline's id there, for example ci:acme/shop."),
    action=_choice(*Trigger.Action.values),
    branch=_short("Of a start."),
    commit=_short("Of a start: the whole id."),
    parameters={**WORDS, "description": "Of a start, an unblock or a promotion."},
    build={"type": "integer", "minimum": 1, "description": "All but starts are about a build."},
    gate=_short("Of an unblock: the gate's id."),
    target=_short("Of a promotion."),
    note=_short("Why, in a sentence; approvers read it."),
)
BODIES: Json = {
    "Ask": {
        **_ASK,
        "required": ["entity", "pipeline", "action"],
        "additionalProperties": False,
    }
}
