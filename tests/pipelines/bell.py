"""A provider of the tests' own: it reads as Buildkite does, and its webhooks are as simple as can
be. What holds for every vendor's is shown with these; what is a vendor's own, in its own tests.

A delivery is JSON, `{"hints": [{"event", "pipelines", "build"}]}`, with the headers X-Bell-Id,
X-Bell-At (seconds) and X-Bell-Sign: the HMAC over both and the body.
"""

import hashlib
import hmac
import json
import time
from typing import Any, ClassVar

from pipelines.providers.base import Hint, Hook, HookKeys
from pipelines.providers.buildkite import Buildkite
from pipelines.providers.errors import HookRefused

WINDOW = 300
SECRET = "s3cret-bell"


class Bell(Buildkite):
    slug: ClassVar[str] = "bell"
    label: ClassVar[str] = "Bell"

    @classmethod
    def verify_webhook(cls, hook: Hook, keys: HookKeys, now: Any) -> str:
        if hook.headers.get("x-bell-explode"):
            raise ValueError(f"quotes what it was sent: {hook.body!r}")
        if hook.headers.get("x-bell-key"):
            raise HookRefused("Signed with a key that is not known.", stale_key=True)
        given = hook.headers.get("x-bell-sign", "")
        sent, name = hook.headers.get("x-bell-at", ""), hook.headers.get("x-bell-id", "")
        if not given or not sent:
            raise HookRefused("It is not signed.")
        wanted = [signature(key.reveal(), name, sent, hook.body) for key in keys.secrets]
        if keys.secrets and not any(hmac.compare_digest(given, one) for one in wanted):
            raise HookRefused("Its signature is wrong.")
        if abs(now.timestamp() - float(sent)) > WINDOW:
            raise HookRefused("It is older than five minutes.")
        return name

    @classmethod
    def parse_webhook(cls, hook: Hook) -> list[Hint]:
        try:
            told = json.loads(hook.body)
        except ValueError:
            raise HookRefused("It is not JSON.") from None
        return [
            Hint(one["event"], tuple(one["pipelines"]), one.get("build", ""))
            for one in told["hints"]
        ]


def signature(secret: str, name: str, sent: str, body: bytes) -> str:
    told = name.encode("latin-1", "replace") + sent.encode() + body
    return hmac.new(secret.encode(), told, hashlib.sha256).hexdigest()


def delivery(
    *hints: dict[str, Any],
    name: str = "one",
    secret: str = SECRET,
    age: float = 0,
    body: Any = None,
) -> tuple[bytes, dict[str, str]]:
    """(body, headers) of a POST."""
    raw = body if body is not None else json.dumps({"hints": hints}).encode()
    sent = str(time.time() - age)
    headers = {
        "X-Bell-Id": name,
        "X-Bell-At": sent,
        "X-Bell-Sign": signature(secret, name, sent, raw),
        "Content-Type": "application/json",
    }
    return raw, headers
