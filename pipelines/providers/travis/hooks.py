"""Travis CI's webhooks: a form field `payload`, signed by Travis' own RSA key.

Source: docs.travis-ci.com, "Verifying webhook requests". There is no secret, no timestamp and no
delivery id, so a delivery is known again by what it says of its build.
"""

import base64
import json
from urllib.parse import parse_qsl

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pipelines.providers.base import Hint, Hook, HookKeys
from pipelines.providers.errors import HookRefused
from pipelines.providers.signing import digest_of, object_of
from pipelines.providers.wire import integer, mapping, text

MAX_FIELDS = 10
NO_KEY = "Travis CI's public key is not known yet: run the server's connection test."
NO_SHA1 = (
    "This host's cryptographic policy forbids SHA-1, with which Travis CI signs webhooks. Allow it "
    "for verifying, or rely on polling."
)
WRONG = "The signature fits none of the server's public keys."


def verify(hook: Hook, keys: HookKeys) -> str:
    """The delivery's id. Raises HookRefused unless one of the keys signed exactly this payload."""
    if not keys.public_keys:
        raise HookRefused(NO_KEY)
    payload = _payload(hook)
    try:
        signature = base64.b64decode(hook.headers.get("signature", ""), validate=True)
    except ValueError:
        signature = b""
    if not signature:
        raise HookRefused("The delivery carries no readable signature.")
    if not any(_signed(payload.encode(), signature, pem) for pem in keys.public_keys):
        raise HookRefused(WRONG, stale_key=True)
    said = object_of(payload)
    facts = ("id", "state", "status_message", "started_at", "finished_at")
    told = json.dumps([str(said.get(name)) for name in facts])
    return digest_of(told.encode())


def _signed(payload: bytes, signature: bytes, pem: str) -> bool:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    if not isinstance(key, RSAPublicKey):
        return False
    try:
        key.verify(signature, payload, PKCS1v15(), SHA1())  # noqa: S303  the vendor's choice
    except InvalidSignature:
        return False
    except (UnsupportedAlgorithm, InternalError):
        # Which of them depends on how the host's OpenSSL was told.
        raise HookRefused(NO_SHA1) from None
    return True


def parse(hook: Hook) -> list[Hint]:
    """The build that a payload speaks of. The repository's name in the headers is not signed."""
    said = object_of(_payload(hook))
    repository, build = mapping(said.get("repository")), integer(said.get("id"))
    owner, name = text(repository.get("owner_name")), text(repository.get("name"))
    if not owner or not name or build is None:
        raise HookRefused("The payload names no repository and build.")
    return [Hint(event=text(said.get("state")), pipelines=(f"{owner}/{name}",), build=str(build))]


def _payload(hook: Hook) -> str:
    """The field exactly as it was signed."""
    try:
        fields = parse_qsl(
            hook.body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise HookRefused("The delivery is no form.") from None
    found = [value for name, value in fields if name == "payload"]
    if len(found) != 1:
        raise HookRefused("The delivery has no payload field.")
    return found[0]
