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

import pytest
from django.test import Client

from pipelines.providers import PROVIDERS
from pipelines.providers.base import Hint, Hook, HookKeys
from pipelines.providers.buildkite import Buildkite
from pipelines.providers.errors import HookRefused
from portal.models import Delivery

WINDOW = 300
SECRET = "s3cret-bell"
SECRET_REF = "env:STAGEDOOR_CREDENTIAL_BELL"
SHOP = "acme/shop"
BUILD = {"event": "build.finished", "pipelines": [SHOP], "build": "1"}


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


def ring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the provider known, and two secrets."""
    monkeypatch.setitem(PROVIDERS, "bell", Bell)
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BELL", SECRET)
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_NEW", "s3cret-new")


def post(
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    path: str = "/hooks/bell/",
    method: str = "POST",
) -> Any:
    """As a vendor's machine would: without a session, with CSRF checks on."""
    headers = dict(headers or {})
    kind = headers.pop("Content-Type", "application/json")
    client = Client(enforce_csrf_checks=True)
    return client.generic(method, path, body, content_type=kind, headers=headers)


def only() -> Delivery:
    return Delivery.objects.get()
