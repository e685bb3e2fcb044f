"""Buildkite's webhooks: signed with a timestamp, or with the token itself in a header.

Source: buildkite.com/docs/apis/webhooks/pipelines. There is no delivery id, so a delivery is known
again by its signature, or by its body where it has none.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from pipelines.providers.base import Hint, Hook, HookKeys
from pipelines.providers.errors import HookRefused
from pipelines.providers.signing import digest_of, hmac_sha256, is_any, object_of, secrets_of
from pipelines.providers.wire import integer, mapping, text

WINDOW = 300  # seconds between the vendor's clock at sending and ours
_ADDRESS = re.compile(r"/organizations/([^/?#\s]+)/pipelines/([^/?#\s]+)(?:/|$)")
_MOMENT = re.compile(r"[0-9]{1,12}")


def verify(hook: Hook, keys: HookKeys, now: datetime) -> str:
    """The delivery's id. Raises HookRefused."""
    secrets = secrets_of(keys)
    signature = hook.headers.get("x-buildkite-signature", "")
    if signature:
        return _signed(signature, hook.body, secrets, now)
    token = hook.headers.get("x-buildkite-token", "").encode("utf-8", "replace")
    if not token:
        raise HookRefused("The delivery carries neither a signature nor a token.")
    if not is_any(token, secrets):
        raise HookRefused("The token is not the webhook secret of this server.")
    return f"body-{digest_of(hook.body)}"


def _signed(header: str, body: bytes, secrets: list[bytes], now: datetime) -> str:
    pairs = [part.partition("=") for part in header.split(",")]
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    at, given = fields.get("timestamp", ""), fields.get("signature", "").lower()
    if not _MOMENT.fullmatch(at) or not given:
        raise HookRefused("The signature is not of the form that Buildkite sends.")
    signed = at.encode() + b"." + body
    digests = [hmac_sha256(secret, signed).hex().encode() for secret in secrets]
    if not is_any(given.encode("utf-8", "replace"), digests):
        raise HookRefused("The signature does not fit the webhook secret of this server.")
    # After the signature, so that only the vendor hears about clocks.
    apart = abs(now.timestamp() - int(at))
    if apart > WINDOW:
        raise HookRefused(
            f"The delivery was signed {apart:.0f} s away from this host's clock; {WINDOW} s are "
            "allowed. It was repeated, or one of the clocks is wrong."
        )
    return f"signature-{given}"


def parse(hook: Hook) -> list[Hint]:
    """The build that a delivery is about; of agents, pings and the rest there is nothing to know.

    Raises HookRefused.
    """
    payload = object_of(hook.body)
    build, pipeline = mapping(payload.get("build")), _pipeline(payload)
    number = integer(build.get("number"))
    if number is None or number < 1 or not pipeline:
        return []
    return [Hint(text(payload.get("event")), (pipeline,), str(number))]


def _pipeline(payload: Mapping[str, Any]) -> str:
    """`organization/pipeline` by the addresses in the payload; the slug alone is not enough."""
    places = (mapping(payload.get(name)).get("url") for name in ("pipeline", "build"))
    return next(filter(None, map(pipeline_at, places)), "")


def pipeline_at(address: object) -> str:
    """`organization/pipeline` of an API address, of which nothing else is believed."""
    found = _ADDRESS.search(text(address))
    names = [unquote(name) for name in found.groups()] if found else []
    return "" if {".", ".."} & set(names) else "/".join(names)
