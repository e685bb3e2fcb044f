"""Starting builds: anew, again, and on a deployment target."""

from collections.abc import Mapping
from typing import Any

from pipelines.providers.base import StartRequest
from pipelines.providers.drone.labels import again, is_ours, message, query
from pipelines.providers.drone.parse import HEADS
from pipelines.providers.drone.wire import DroneWire, repository
from pipelines.providers.errors import NotFound, Rejected
from pipelines.providers.labels import variables, without_ours
from pipelines.providers.wire import integer, text
from portal.http import Response

DEPLOYMENTS = ("promote", "rollback")
MAX_PARENTS = 10


def start(wire: DroneWire, request: StartRequest, branch: str) -> Response:
    """A build of a branch, at a commit where one is named."""
    place = {"branch": branch, "commit": request.commit}
    return _create(wire, request, place, request.parameters, request.message)


def _create(
    wire: DroneWire,
    request: StartRequest,
    place: Mapping[str, str],
    parameters: Mapping[str, str],
    said: str,
) -> Response:
    asked = query(request, parameters)
    return wire.write(
        "POST",
        f"{repository(request.pipeline)}/builds",
        params={name: value for name, value in place.items() if value} | asked,
        data={"message": message(request, said or f"Build {place['branch']}")},
    )


def run_again(wire: DroneWire, request: StartRequest, row: Mapping[str, Any]) -> Response:
    """The same once more, under the new request."""
    event, ref = text(row.get("event")), text(row.get("ref"))
    if event in DEPLOYMENTS:
        return deploy(wire, request, row, text(row.get("deploy_to")), event)
    if event == "custom" and ref.startswith(HEADS):
        place = {"branch": ref[len(HEADS) :], "commit": text(row.get("after"))}
        said = request.message or text(row.get("message"))
        return _create(wire, request, place, without_ours(row.get("params")), said)
    original = _original(wire, request.pipeline, row)
    number = _number(original)
    return wire.write(
        "POST",
        f"{repository(request.pipeline)}/builds/{number}",
        params={**variables(request), **again(request, number)},
    )


def _original(wire: DroneWire, pipeline: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The build that an earlier retry copied. Drone lets the copied labels win over new ones, so
    a retry of a retry would name the person who asked first."""
    seen = row
    for _ in range(MAX_PARENTS):
        parent = integer(seen.get("parent"))
        if not parent or not is_ours(seen):
            break
        try:
            seen = wire.one(f"{repository(pipeline)}/builds/{parent}")
        except NotFound:
            break
    return seen


def deploy(
    wire: DroneWire, request: StartRequest, row: Mapping[str, Any], target: str, kind: str
) -> Response:
    """Promotes or rolls back to `target`. Here new parameters win over the old build's."""
    if not target.strip():
        raise Rejected("Drone needs the name of a deployment target.")
    number = _number(row)
    asked = query(request, request.parameters) if kind == "promote" else variables(request)
    return wire.write(
        "POST",
        f"{repository(request.pipeline)}/builds/{number}/{kind}",
        params={**asked, **again(request, number), "target": target},
    )


def _number(row: Mapping[str, Any]) -> int:
    number = integer(row.get("number"))
    if not number:
        raise NotFound("Drone answered a build without a number.")
    return number
