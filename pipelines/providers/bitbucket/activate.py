"""Makes a repository ready: Pipelines switched on, and one webhook that leads to the portal."""

from collections.abc import Mapping
from typing import Any

from pipelines.providers.base import HookTarget
from pipelines.providers.bitbucket.hooks import EVENTS
from pipelines.providers.bitbucket.wire import PAGE, BitbucketWire
from pipelines.providers.wire import segment, text


def switch_on(wire: BitbucketWire, repository: str) -> str:
    """Says what was done; leaves it as it is when it is on."""
    path = f"{repository}/pipelines_config"
    answer = wire.get(path, expect=(404,))
    if answer.status == 200 and wire.json(answer).get("enabled") is True:
        return "Pipelines was on already."
    wire.write("PUT", path, json={"type": "repository_pipelines_configuration", "enabled": True})
    return "Pipelines was switched on."


def register(wire: BitbucketWire, repository: str, hook: HookTarget) -> str:
    """One webhook per address: Bitbucket allows few per repository, and each sends everything."""
    path = f"{repository}/hooks"
    for known in wire.all_rows(path, {"pagelen": str(PAGE)}):
        if known.get("url") == hook.url:
            return _mend(wire, path, known, hook)
    wire.write("POST", path, json=_subscription(hook))
    return "A webhook was registered."


def _mend(wire: BitbucketWire, path: str, known: Mapping[str, Any], hook: HookTarget) -> str:
    events = known.get("events")
    heard = set(events) if isinstance(events, list) and all(map(text, events)) else set()
    whole = known.get("active") is True and known.get("secret_set") is True
    if whole and heard.issuperset(EVENTS):
        return "The webhook was there already."
    wire.write("PUT", f"{path}/{segment(text(known.get('uuid')))}", json=_subscription(hook))
    return "The webhook was there and was mended."


def _subscription(hook: HookTarget) -> dict[str, object]:
    return {
        "description": "Stagedoor",
        "url": hook.url,
        "active": True,
        "events": list(EVENTS),
        "secret": hook.secret.reveal(),
    }
