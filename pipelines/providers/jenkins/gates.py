"""Input steps: where a pipeline waits for a person, and how the person's answer is sent.

They are read from Stage View's `pendingInputActions`, else from the run's exported InputAction.
An id may come again (parallel branches, loops), so the list is read right before an answer.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.providers.base import Gate, RemoteParameter, StartRequest
from pipelines.providers.errors import InvalidResponse, NotFound, Rejected
from pipelines.providers.jenkins.parse import PARAMETERS, TYPES, parse_definitions
from pipelines.providers.jenkins.wire import REDIRECTS, JenkinsWire
from pipelines.providers.labels import PREFIX, refuse_reserved, variables
from pipelines.providers.wire import mapping, mappings, segment, text

_FIELDS = PARAMETERS.partition("[")[2].removesuffix("]")
EXPORTED = f"actions[executions[id,settled,input[message,ok,parameters[{_FIELDS}]]]]"
SETTLED = "This input step waits no longer: somebody was faster, or the build has ended."


@dataclass(frozen=True)
class Input:
    """One open input step. `declared` are all its parameters, `strange` those whose answer only
    Jenkins' own page can give."""

    id: str
    message: str
    proceed: str  # the words on Jenkins' button, which the form has to repeat
    declared: tuple[RemoteParameter, ...]
    strange: tuple[str, ...]

    def gate(self) -> Gate:
        """What a person is asked; the labels are filled in by Stagedoor."""
        first, _, rest = self.message.strip().partition("\n")
        asked = tuple(p for p in self.declared if not p.name.startswith(PREFIX))
        return Gate(self.id, first or self.proceed or self.id, rest.strip(), asked)


def read_inputs(wire: JenkinsWire, run_path: str) -> list[Input]:
    """The open input steps of a run; of several with one id the first, which is who gets it."""
    try:
        found = _from_stage_view(wire.get_json(f"{run_path}/wfapi/pendingInputActions"))
    except NotFound:
        found = _from_run(wire.tree(run_path, EXPORTED))
    first: dict[str, Input] = {}
    for one in found:
        if one.id:
            first.setdefault(one.id, one)
    return list(first.values())


def _from_stage_view(answer: object) -> list[Input]:
    if not isinstance(answer, list):
        raise InvalidResponse("Jenkins does not list the open input steps.")
    inputs = []
    for one in mappings(answer):
        definitions = []
        for asked in mappings(one.get("inputs")):
            more = mapping(asked.get("definition"))
            default = {"value": more.get("defaultVal")}
            known = {"choices": more.get("choices"), "defaultParameterValue": default}
            definitions.append({**asked, **known})
        inputs.append(_input(one.get("id"), one, one.get("proceedText"), definitions))
    return inputs


def _from_run(run: Mapping[str, Any]) -> list[Input]:
    return [
        _input(execution.get("id"), step, step.get("ok"), mappings(step.get("parameters")))
        for action in mappings(run.get("actions"))
        for execution in mappings(action.get("executions"))
        if execution.get("settled") is not True
        for step in [mapping(execution.get("input"))]
    ]


def _input(
    id_: object, step: Mapping[str, Any], proceed: object, definitions: Sequence[Mapping[str, Any]]
) -> Input:
    strange = [
        text(one.get("name")) or "a parameter without a name"
        for one in definitions
        if TYPES.get(text(one.get("type"))) in (None, "password")
    ]
    declared = parse_definitions(definitions)
    return Input(
        capitalised(text(id_)), text(step.get("message")), text(proceed), declared, tuple(strange)
    )


def capitalised(id_: str) -> str:
    """The step itself capitalises the first letter of the id that a Jenkinsfile gives it."""
    return id_[:1].upper() + id_[1:]


def answer(wire: JenkinsWire, run_path: str, gate: str, request: StartRequest) -> None:
    """Lets the pipeline proceed. Raises Rejected when it no longer waits there."""
    found = next((i for i in read_inputs(wire, run_path) if i.id == capitalised(gate)), None)
    if found is None:
        raise Rejected(SETTLED)
    values = _values(found, request)
    path = f"{run_path}/input/{segment(found.id)}"
    form = None
    if found.declared:
        listed = [{"name": name, "value": value} for name, value in values.items()]
        form = {"proceed": found.proceed, "json": json.dumps({"parameter": listed})}
    verb = "submit" if form else "proceedEmpty"
    try:
        reply = wire.post(f"{path}/{verb}", data=form or {}, expect=(*REDIRECTS, 400))
    except NotFound:
        raise Rejected(SETTLED) from None
    if reply.status == 400:
        raise Rejected(
            "Jenkins did not take the answer: the step was settled a moment ago, it takes answers "
            "from certain people only, or a value does not fit."
        )


def _values(step: Input, request: StartRequest) -> dict[str, object]:
    """The answer as Jenkins' form sends it. Who approves travels where the step has a place."""
    if step.strange:
        raise Rejected(
            f"This step asks for {', '.join(step.strange)}, which is a password or of a kind that "
            "only Jenkins' own page can ask for. Answer it in Jenkins."
        )
    declared = {parameter.name: parameter for parameter in step.declared}
    refuse_reserved(request.parameters, declared)
    unasked = sorted(request.parameters.keys() - declared.keys())
    if unasked:
        raise Rejected(f"The input step does not ask you for {', '.join(unasked)}.")
    given = {**request.parameters, **variables(request)}
    values: dict[str, object] = {}
    for name, parameter in declared.items():
        value = given.get(name, parameter.default)
        if parameter.choices and value not in parameter.choices:
            if name in given:
                raise Rejected(f"{name} must be one of {', '.join(parameter.choices)}.")
            value = parameter.choices[0]
        values[name] = value.lower() == "true" if parameter.type == "boolean" else value
    return values
