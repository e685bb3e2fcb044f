"""What a real Drone server answered, served again over real HTTP."""

import json
from collections.abc import Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from pipelines.providers.base import Hook
from tests.httpd import Behaviour, reply

FOLDER = Path(__file__).parents[1] / "recordings"
ANSWERS = sorted(
    path.stem
    for path in (FOLDER / "drone").glob("*.json")
    if not path.name.endswith(".headers.json")
)
DELIVERIES = sorted(path.stem for path in (FOLDER / "drone-webhooks").glob("*.json"))
SECRET = "whsec"


@cache
def recorded(name: str) -> Mapping[str, Any]:
    return json.loads((FOLDER / "drone" / f"{name}.json").read_text())


def stream(name: str) -> bytes:
    return (FOLDER / "drone" / f"{name}.sse.txt").read_bytes()


def asked(name: str) -> tuple[str, str]:
    """Method and path, without the query."""
    request = recorded(name)["request"]
    return request["method"], request["path"].partition("?")[0]


def answer(name: str) -> Behaviour:
    """The recorded status, headers and body."""
    taken = recorded(name)
    # A body of `null` was kept as JSON without a text.
    body = json.dumps(taken["json"]) if taken.get("json") is not None else taken["text"]
    dropped = ("content-length", "connection", "date", "transfer-encoding")
    headers = {k: v for k, v in taken["headers"] if k.lower() not in dropped}
    return reply(taken["status"], body, **headers)


def replay(*names: str, **places: str) -> Behaviour:
    """Answers what was asked for with what was recorded, and anything else as a missing route.

    `places` are paths below /api to read, and the recording that stands there.
    """
    known = {asked(name): answer(name) for name in reversed(names)}
    known |= {("GET", f"/api/{path}"): answer(name) for path, name in places.items()}

    def behave(handler: BaseHTTPRequestHandler) -> None:
        place = handler.command, handler.path.partition("?")[0]
        known.get(place, reply(404, '{"message":"Not Found"}', Content_Type="application/json"))(
            handler
        )

    return behave


@cache
def delivery(name: str) -> Hook:
    """A webhook as it arrived."""
    taken = json.loads((FOLDER / "drone-webhooks" / f"{name}.json").read_text())
    headers = {key.lower(): value for key, value in taken["headers"].items()}
    return Hook(headers=headers, body=taken["body_text"].encode())
