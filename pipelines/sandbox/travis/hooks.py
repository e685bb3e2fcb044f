"""Travis CI's webhooks: a form with one field, signed by an RSA key that `/config` publishes.

The key is made when it is first needed and lasts as long as the sandbox runs; a secret is of no
use to Travis.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..engine import Instance
from ..objects import Build
from ..wire import Changed, Outgoing
from . import ids
from .model import Model, state_of
from .requesting import event_of

_RESULTS = {"passed": 0, "failed": 1, "errored": 1}
_MESSAGES = {
    "started": "Pending",
    "passed": "Passed",
    "failed": "Failed",
    "errored": "Errored",
    "canceled": "Canceled",
}


def _key(instance: Instance) -> RSAPrivateKey:
    key: RSAPrivateKey | None = instance.memory.get("hook_key")
    if key is None:
        key = instance.memory["hook_key"] = generate_private_key(65537, 2048)
    return key


def public_key(instance: Instance) -> str:
    """PEM, as `/config` tells it."""
    public = _key(instance).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def deliveries(changed: Changed, url: str, _secret: str) -> Sequence[Outgoing]:
    """One when a build begins and one when it ends, sent once and never again."""
    build = changed.build
    before = changed.before.state if changed.before else ""
    state = state_of(build, changed.at)
    if state not in _MESSAGES or (changed.before and before == changed.after.state):
        return []
    if state == "started" and before and before != "queued":
        return []  # it runs on
    return [signed(changed.instance, build, payload(changed.instance, build, changed.at), url)]


def signed(instance: Instance, build: Build, said: Mapping[str, Any], url: str) -> Outgoing:
    text = json.dumps(said, ensure_ascii=False)
    signature = _key(instance).sign(text.encode(), PKCS1v15(), SHA1())  # noqa: S303
    headers = {
        "Signature": base64.b64encode(signature).decode(),
        "Travis-Repo-Slug": build.pipeline.name,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return Outgoing(url, headers, urlencode({"payload": text}).encode(), redirect=True)


def payload(instance: Instance, build: Build, now: float) -> dict[str, Any]:
    """What the documents show of a payload."""
    model, state = Model(instance, ""), state_of(build, now)
    model.now = now
    shown = model.build(build)
    owner, _, name = build.pipeline.name.partition("/")
    pull = build.details.get("pull_request") or {}
    result = _RESULTS.get(state)
    who = build.who
    person = {"name": who.name if who else None, "email": who.email if who else None}
    return {
        "id": shown["id"],
        "number": shown["number"],
        "config": {"language": "generic"},
        "type": event_of(build),
        "state": state,
        "status": result,
        "result": result,
        "status_message": _MESSAGES[state],
        "result_message": _MESSAGES[state],
        "started_at": shown["started_at"],
        "finished_at": shown["finished_at"],
        "duration": shown["duration"],
        "build_url": f"{instance.base}/{owner}/{name}/builds/{shown['id']}",
        "commit_id": shown["id"],
        "commit": build.commit,
        "base_commit": None,
        "head_commit": None,
        "branch": build.branch,
        "message": build.message,
        "compare_url": f"{instance.base}/{owner}/{name}/compare",
        "committed_at": shown["commit"]["committed_at"],
        **{f"author_{key}": value for key, value in person.items()},
        **{f"committer_{key}": value for key, value in person.items()},
        "pull_request": bool(pull),
        "pull_request_number": pull.get("number"),
        "pull_request_title": pull.get("title"),
        "tag": build.details.get("tag"),
        "repository": {
            "id": ids.repository_id(instance, build.pipeline),
            "name": name,
            "owner_name": owner,
            "url": None,
        },
        "matrix": [
            {"id": job["id"], "parent_id": shown["id"], "state": state, "allow_failure": None}
            for job in shown["jobs"]
        ],
    }
