"""Drone's global webhook: an HTTP signature over the date and the digest of the body.

Source: drone's server, service/hook and its signing library. The documents call the header
`Authorization`; it is `Signature`.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from pipelines.providers.base import Hint, Hook, HookKeys
from pipelines.providers.drone.parse import slug_of
from pipelines.providers.errors import HookRefused
from pipelines.providers.signing import digest_of, hmac_sha256, is_any, object_of, secrets_of
from pipelines.providers.wire import integer, mapping, text

WINDOW = timedelta(minutes=5)
SIGNED = ("date", "digest")
_FIELD = re.compile(r'([A-Za-z]{1,20})="([^"]{0,500})"')


def verify(hook: Hook, keys: HookKeys, now: datetime) -> str:
    """An id of the delivery. Raises HookRefused."""
    secrets = secrets_of(keys)
    _check_digest(hook)
    signature, names = _signature(hook)
    signed = "\n".join(f"{name}: {hook.headers[name]}" for name in names).encode("utf-8", "replace")
    if not is_any(signature, [hmac_sha256(secret, signed) for secret in secrets]):
        raise HookRefused("The signature is not made with this server's secret.")
    _check_date(hook.headers["date"], now)
    # Drone numbers no deliveries. The signature covers both parts of this.
    return digest_of(hook.headers["date"].encode() + b"\n" + hook.body)


def _check_digest(hook: Hook) -> None:
    """The signature covers the Digest header only; that the body has it is for us to see."""
    method, _, told = hook.headers.get("digest", "").partition("=")
    if method.upper() != "SHA-256":
        raise HookRefused("There is no SHA-256 digest of the body.")
    real = base64.b64encode(hashlib.sha256(hook.body).digest())
    if not is_any(told.strip().encode("utf-8", "replace"), [real]):
        raise HookRefused("The body is not the one that was signed.")


def _signature(hook: Hook) -> tuple[bytes, list[str]]:
    """The signature and the names of the headers that it covers."""
    header = hook.headers.get("signature", "")
    fields = dict(_FIELD.findall(header))
    names = fields.get("headers", "").lower().split()
    if not header:
        raise HookRefused("There is no signature.")
    if fields.get("algorithm") != "hmac-sha256":
        raise HookRefused("The signature is of another kind than Drone's.")
    if not set(SIGNED) <= set(names) or not set(names) <= hook.headers.keys():
        raise HookRefused("The signature does not cover date and digest.")
    try:
        return base64.b64decode(fields.get("signature", ""), validate=True), names
    except (binascii.Error, ValueError):
        raise HookRefused("The signature can't be read.") from None


def _check_date(date: str, now: datetime) -> None:
    try:
        sent = parsedate_to_datetime(date)
        apart = abs(now - sent)
    except (ValueError, TypeError, OverflowError):
        raise HookRefused("The date can't be read.") from None
    if apart > WINDOW:
        raise HookRefused("The delivery is older than 5 minutes, or a clock is wrong.")


def parse(hook: Hook) -> Sequence[Hint]:
    """What a delivery is about. Events of users are of no interest here."""
    body = object_of(hook.body)
    event, slug = text(body.get("event")), slug_of(mapping(body.get("repo")))
    if event not in ("build", "repo") or not slug:
        return []
    number = integer(mapping(body.get("build")).get("number")) if event == "build" else None
    if event == "build" and number is None:
        raise HookRefused("The delivery names no build.")
    return [Hint(event, (slug,), "" if number is None else str(number))]
