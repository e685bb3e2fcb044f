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
from ..script import Snapshot
from ..wire import Changed, Outgoing
from . import ids
from .model import duration, stamp, word
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
    build, seen = changed.build, changed.after
    state = word(build, seen)
    if state not in _MESSAGES or (changed.before and state == word(build, changed.before)):
        return []
    return [signed(changed.instance, build, payload(changed.instance, build, seen), url)]


def signed(instance: Instance, build: Build, said: Mapping[str, Any], url: str) -> Outgoing:
    text = json.dumps(said, ensure_ascii=False)
    signature = _key(instance).sign(text.encode(), PKCS1v15(), SHA1())  # noqa: S303
    headers = {
        "Signature": base64.b64encode(signature).decode(),
        "Travis-Repo-Slug": build.pipeline.name,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return Outgoing(url, headers, urlencode({"payload": text}).encode(), redirect=True)


def payload(instance: Instance, build: Build, seen: Snapshot) -> dict[str, Any]:
    """What the documents show of a payload: the build as it stood then."""
    number, state = ids.build_id(instance, build), word(build, seen)
    owner, _, name = build.pipeline.name.partition("/")
    pull = build.details.get("pull_request") or {}
    address = f"{instance.base}/{owner}/{name}"
    return {
        "id": number,
        "number": str(build.number),
        "config": {"language": "generic"},
        "type": event_of(build),
        "state": state,
        **_result(state),
        "started_at": stamp(seen.started_at),
        "finished_at": stamp(seen.finished_at),
        "duration": duration(seen),
        "build_url": f"{address}/builds/{number}",
        **_commit(build, number),
        "compare_url": f"{address}/compare",
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
            {"id": ids.job_id(instance, build, run.index), "parent_id": number, "state": state}
            for run in seen.current()
        ],
    }


def _result(state: str) -> dict[str, Any]:
    result, message = _RESULTS.get(state), _MESSAGES[state]
    return {
        "status": result,
        "result": result,
        "status_message": message,
        "result_message": message,
    }


def _commit(build: Build, number: int) -> dict[str, Any]:
    who = build.who
    person = {"name": who.name if who else None, "email": who.email if who else None}
    return {
        "commit_id": number,
        "commit": build.commit,
        "base_commit": None,
        "head_commit": None,
        "branch": build.branch,
        "message": build.message,
        "committed_at": stamp(build.created_at),
        **{f"author_{key}": value for key, value in person.items()},
        **{f"committer_{key}": value for key, value in person.items()},
    }
