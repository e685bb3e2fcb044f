"""What a write carries, and how the build that it made is recognised afterwards.

Parameters travel as URL query and become variables without a prefix; the message travels as form
body, since in the query it would become a parameter too. A build that Drone runs again copies the
old build's parameters, and the old values win. So the request id counts only on a build without a
parent; a build with a parent carries a parameter of a name of its own, whose value names the
parent: copies of it stand beside another parent and do not count.
"""

import re
from collections.abc import Mapping
from typing import Any

from pipelines.providers.base import StartRequest
from pipelines.providers.errors import Rejected
from pipelines.providers.labels import PREFIX, REQUEST_ID, refuse_reserved, variables
from pipelines.providers.wire import integer, mapping, text

AGAIN = f"{PREFIX}AGAIN_"
MAX_MESSAGE = 2_000
# What Drone itself reads from the query: as parameters they would change what is built.
TAKEN = frozenset({"access_token", "branch", "commit", "message", "action", "target", "debug"})
# PLUGIN_* are the settings of plugins, which hold secrets: one that a step does not set, such as
# the host that it signs in to, would be a person's.
OF_DRONE = ("DRONE_", "CI_", "PLUGIN_")
_LAST_LINE = re.compile(r"^Stagedoor request (\S{1,200})$", re.MULTILINE)
_OURS = re.compile(
    r"\n\nRequested (?:by [^\n]* )?via Stagedoor\n(?:[^\n]+\n)*Stagedoor request \S+\s*$"
)
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9]")


def query(request: StartRequest, parameters: Mapping[str, str]) -> dict[str, str]:
    """Parameters and labels as they go into the URL. Raises Rejected for names nobody may use."""
    refuse_reserved(parameters, vendors=OF_DRONE)
    for name in parameters:
        if name.lower() in TAKEN:
            raise Rejected(f"{name} is Drone's own; it can't be a parameter.")
    return {**parameters, **variables(request)}


def again(request: StartRequest, parent: int) -> dict[str, str]:
    """The parameter by which a build with a parent is known to be of this request."""
    return {f"{AGAIN}{_NOT_A_NAME.sub('_', request.request_id)}": f"{parent}:{request.request_id}"}


def message(request: StartRequest, wanted: str) -> str:
    """The message with who asked and for what, for people: Drone's pages do not show parameters."""
    said = _OURS.sub("", wanted).strip()
    labels = request.labels
    person = labels.get("person", "")
    lines = [f"Requested by {person} via Stagedoor" if person else "Requested via Stagedoor"]
    lines += [
        f"{name}: {labels[name]}"
        for name in ("team", "service", "repository", "environment")
        if labels.get(name)
    ]
    lines.append(f"Stagedoor request {request.request_id}")
    tail = "\n\n" + "\n".join(lines)
    return said[: max(MAX_MESSAGE - len(tail), 0)] + tail[:MAX_MESSAGE]


def is_ours(row: Mapping[str, Any]) -> bool:
    """Whether the portal has set parameters of this build, or of one that it copies."""
    return any(name.startswith(PREFIX) for name in mapping(row.get("params")))


def request_id(row: Mapping[str, Any]) -> str:
    """The id of the request that made this very build; empty on copies of such a build."""
    parameters, parent = mapping(row.get("params")), integer(row.get("parent"))
    if parent:
        start = f"{parent}:"
        marks = (
            value[len(start) :]
            for name, value in parameters.items()
            if name.startswith(AGAIN) and isinstance(value, str) and value.startswith(start)
        )
        return next(marks, "")
    if REQUEST_ID in parameters:
        return text(parameters[REQUEST_ID])
    return _told(row)


def _told(row: Mapping[str, Any]) -> str:
    """A build whose configuration is broken gets no parameters; its message is all it carries."""
    if row.get("event") != "custom" or row.get("status") != "error":
        return ""
    found = _LAST_LINE.search(text(row.get("message")))
    return found.group(1) if found else ""
