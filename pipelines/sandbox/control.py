"""The control endpoint `/_control/…`: for tests in other processes and for trying things by hand.

JSON in, JSON out; every request carries the control token in `X-Sandbox-Control`.
"""

import hmac
import json
from collections.abc import Callable
from email.message import Message
from typing import Any, Protocol
from urllib.parse import parse_qsl

from .definitions import BadDefinition, add_hook, add_pipeline, add_token
from .engine import Instance, World
from .faults import Fault
from .hooks import Delivery
from .objects import Build
from .wire import Answer, json_answer

PREFIX = "_control"


class Posted(Protocol):
    """What was sent by webhook."""

    def deliveries(self, prefix: str) -> list[Delivery]:
        """Of one instance, oldest first."""


class Steered(Protocol):
    """The running sandbox, as far as a command reaches."""

    world: World
    control_token: str
    courier: "Posted"

    def refuse(self, seconds: float) -> None:
        """Refuses connections for a while."""


class BadCommand(Exception):
    """The command can't be carried out; the text says why."""


def answer(
    sandbox: Steered,
    method: str,
    path: tuple[str, ...],
    *,
    headers: Message,
    body: bytes,
    query: str,
) -> Answer:
    """One command. 403 without the token, 400 with a sentence when it makes no sense."""
    given = headers.get("X-Sandbox-Control", "")
    if not sandbox.control_token or not hmac.compare_digest(given, sandbox.control_token):
        return json_answer({"message": "X-Sandbox-Control is missing or wrong."}, 403)
    command = _COMMANDS.get((method, "/".join(path)))
    if command is None:
        known = ", ".join(f"{m} {p}" for m, p in _COMMANDS)
        return json_answer({"message": f"Unknown command; known are {known}."}, 404)
    try:
        given_body = json.loads(body or b"{}")
        values = dict(parse_qsl(query)) | given_body
        with sandbox.world.lock:
            return json_answer(command(sandbox, values))
    except (BadCommand, BadDefinition, KeyError, TypeError, ValueError) as error:
        return json_answer({"message": f"{type(error).__name__}: {error}"}, 400)


def _instance(sandbox: Steered, values: dict[str, Any]) -> Instance:
    prefix = values.pop("instance", "")
    try:
        return sandbox.world.instances[prefix]
    except KeyError:
        known = ", ".join(sandbox.world.instances)
        raise BadCommand(f"No instance {prefix!r}; known are {known}.") from None


def _log(sandbox: Steered, values: dict[str, Any]) -> object:
    fill_builds(sandbox)
    return sandbox.world.journal.as_dicts(values.get("instance", ""))


def fill_builds(sandbox: Steered) -> None:
    """Writes into the journal which build each queued start has become."""
    numbers = {}
    for instance in sandbox.world.instances.values():
        instance.settle()
        for build in instance.builds:
            if build.queue_id is not None:
                numbers[instance.prefix, build.queue_id] = build.number
    for accepted in sandbox.world.journal.accepted:
        if accepted.build is None and accepted.queue_id is not None:
            accepted.build = numbers.get((accepted.instance, accepted.queue_id))


def _faults(sandbox: Steered, values: dict[str, Any]) -> object:
    return _instance(sandbox, values).faults.as_dicts()


def _add_fault(sandbox: Steered, values: dict[str, Any]) -> object:
    board = _instance(sandbox, values).faults
    board.add(Fault(**values))
    return board.as_dicts()


def _clear_faults(sandbox: Steered, values: dict[str, Any]) -> object:
    _instance(sandbox, values).faults.clear()
    return []


def _clock(sandbox: Steered, values: dict[str, Any]) -> object:
    clock = sandbox.world.clock
    if "speed" in values:
        clock.speed = max(float(values["speed"]), 0.001)
    clock.advance(float(values.get("advance", 0)))
    if "skew" in values:
        _instance(sandbox, values).skew = float(values["skew"])
    return {"now": clock.now(), "speed": clock.speed}


def _pipeline(sandbox: Steered, values: dict[str, Any]) -> object:
    return {"name": add_pipeline(_instance(sandbox, values), values).name}


def _token(sandbox: Steered, values: dict[str, Any]) -> object:
    return {"login": add_token(_instance(sandbox, values), values).person.login}


def _revoke(sandbox: Steered, values: dict[str, Any]) -> object:
    return {"revoked": _instance(sandbox, values).tokens.pop(values["value"], None) is not None}


def _finish(sandbox: Steered, values: dict[str, Any]) -> object:
    instance = _instance(sandbox, values)
    instance.settle()
    build = build_of(instance, values["pipeline"], int(values["number"]))
    instance.finish(build, values.get("outcome", "passed"))
    return {"state": build.at(instance.now()).state}


def build_of(instance: Instance, pipeline: str, number: int) -> Build:
    """Raises BadCommand when there is no such build."""
    found = instance.pipelines.get(pipeline)
    build = found.builds.get(number) if found else None
    if build is None:
        raise BadCommand(f"No build {number} of {pipeline!r} at /{instance.prefix}.")
    return build


def _hooks(sandbox: Steered, values: dict[str, Any]) -> object:
    instance = _instance(sandbox, values)
    targets = [
        {"id": hook.id, "url": hook.url, "pipeline": hook.pipeline}
        for hook in instance.hooks.values()
    ]
    sent = [delivery.as_dict() for delivery in sandbox.courier.deliveries(instance.prefix)]
    return {"targets": targets, "deliveries": sent}


def _add_hook(sandbox: Steered, values: dict[str, Any]) -> object:
    return {"id": add_hook(_instance(sandbox, values), values).id}


def _drop_hooks(sandbox: Steered, values: dict[str, Any]) -> object:
    instance = _instance(sandbox, values)
    chosen = [values["id"]] if "id" in values else list(instance.hooks)
    return {"removed": sum(instance.drop_hook(identifier) for identifier in chosen)}


def _refuse(sandbox: Steered, values: dict[str, Any]) -> object:
    seconds = float(values.get("seconds", 5))
    sandbox.refuse(seconds)
    return {"seconds": seconds}


_COMMANDS: dict[tuple[str, str], Callable[[Steered, dict[str, Any]], object]] = {
    ("GET", "log"): _log,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "clock"): _clock,
    ("POST", "pipelines"): _pipeline,
    ("POST", "tokens"): _token,
    ("DELETE", "tokens"): _revoke,
    ("POST", "finish"): _finish,
    ("GET", "hooks"): _hooks,
    ("POST", "hooks"): _add_hook,
    ("DELETE", "hooks"): _drop_hooks,
    ("POST", "refuse"): _refuse,
}
