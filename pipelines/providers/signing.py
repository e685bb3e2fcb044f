"""What shows that a delivery comes from the vendor: secrets, comparisons that tell nothing by their
time, and a body that can be read."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.providers.base import HookKeys
from pipelines.providers.errors import HookRefused


def secrets_of(keys: HookKeys) -> list[bytes]:
    """Raises HookRefused without any. An empty secret is none: anybody could sign with it."""
    secrets = [secret.reveal().encode() for secret in keys.secrets if secret.reveal()]
    if not secrets:
        raise HookRefused("No webhook secret is configured for this server.")
    return secrets


def hmac_sha256(secret: bytes, data: bytes) -> bytes:
    return hmac.new(secret, data, hashlib.sha256).digest()


def is_any(given: bytes, known: Iterable[bytes]) -> bool:
    """Whether it is one of them. All are compared, each in the same time, so that nobody learns
    which came near."""
    same = [hmac.compare_digest(given, one) for one in known]
    return any(same)


def digest_of(data: bytes) -> str:
    """The id of a delivery that carries none: what comes again is the same."""
    return hashlib.sha256(data).hexdigest()


def object_of(body: bytes | str, hint: str = "") -> Mapping[str, Any]:
    """The JSON object that a delivery's body or field holds. Raises HookRefused, with a hint."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise HookRefused(f"The delivery is not JSON. {hint}".rstrip()) from None
    if not isinstance(fields, dict):
        raise HookRefused(f"The delivery is not a JSON object. {hint}".rstrip())
    return fields
