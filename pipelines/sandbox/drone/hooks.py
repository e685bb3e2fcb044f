"""Drone's global webhook: every change of every build, signed over date and digest.

One attempt, no retry, whatever the answer is. Approvals send nothing: only what follows them does.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence

from ..wire import Changed, Outgoing, http_date
from .model import VERSION, Model


def deliveries(changed: Changed, url: str, secret: str) -> Sequence[Outgoing]:
    """One delivery; none for a build that was declined."""
    if changed.build.cancel_reason == "declined":
        return []
    model = Model(changed.instance, changed.instance.base)
    repo, created = model.repo(changed.build.pipeline), changed.before is None
    who = changed.build.who
    build = model.build(changed.build, stages=not created)
    body = {
        "event": "build",
        "action": "created" if created else "updated",
        **({"user": model.user(who)} if created and who else {}),
        "repo": repo if created else repo | {"build": build},
        "build": build,
        "system": {
            "proto": "http",
            "host": changed.instance.base.partition("//")[2].partition("/")[0],
            "link": changed.instance.base,
            "version": VERSION,
        },
    }
    data = json.dumps(body, ensure_ascii=False).encode()
    # The wall's time, not the sandbox's: what a test jumps ahead is not on the receiver's clock.
    date = http_date(time.time() + changed.instance.skew)
    return [Outgoing(url, signed(data, secret, date) | {"X-Drone-Event": "build"}, data)]


def signed(data: bytes, secret: str, date: str) -> dict[str, str]:
    """The headers of an HTTP signature as Drone's library makes it."""
    digest = "SHA-256=" + base64.b64encode(hashlib.sha256(data).digest()).decode()
    text = f"date: {date}\ndigest: {digest}".encode()
    code = base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "Date": date,
        "Digest": digest,
        "Signature": f'keyId="hmac-key",algorithm="hmac-sha256",signature="{code}",'
        'headers="date digest"',
    }
