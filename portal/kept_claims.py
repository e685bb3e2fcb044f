"""What is kept of the claims of a sign-in, for the person and for administrators to look at.

Everything as it arrived, but no token or secret, and never so much that a provider could fill the
database. Standard library only, beside the trail's own words for secrets.
"""

import json
import re
from itertools import accumulate
from typing import Any

from portal.text import storable

# One sign-in's claims, as JSON; 5,000 ids of groups take a third of it.
MAX_SIZE = 600_000
MAX_TEXT = 5_000
MAX_NAME = 200
# So many of those that are too much are named, the others counted.
MAX_NAMED = 50
MORE = "(more)"
NOT_KEPT = "(not kept)"
# Of one sign-in only, or good for acting on the session: nothing that a reader needs.
PASSING = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "sid", "jti"})
SECRET_WORDS = ("token", "secret", "password", "jwt", "api_key", "private_key")
# A JSON web token, wherever it stands (RFC 7519): it could be somebody's key to something.
TOKEN = re.compile(r"^[\w-]{8,}\.[\w-]{8,}\.[\w-]*$")


def kept_claims(claims: dict[str, Any]) -> dict[str, Any]:
    """A copy that can be stored; what is left out says so in its place."""
    kept = {
        storable(name, MAX_NAME): NOT_KEPT if name in PASSING or _secret(name) else _clean(value)
        for name, value in claims.items()
    }
    sizes = {name: len(json.dumps({name: value})) for name, value in kept.items()}
    by_size = sorted(sizes, key=lambda name: sizes[name])
    totals = accumulate(sizes[name] for name in by_size)
    too_much = [name for name, total in zip(by_size, totals, strict=True) if total > MAX_SIZE]
    for name in too_much[-MAX_NAMED:]:
        kept[name] = f"(too long to keep: {sizes[name]:,} characters)"
    for name in too_much[:-MAX_NAMED]:
        del kept[name]
    if len(too_much) > MAX_NAMED:
        kept[MORE] = f"{len(too_much) - MAX_NAMED:,} more claims, which are not kept"
    return kept


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            storable(str(name), MAX_TEXT): NOT_KEPT if _secret(str(name)) else _clean(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, str):
        return (
            NOT_KEPT
            if TOKEN.match(value) and value.startswith("eyJ")
            else storable(value, MAX_TEXT)
        )
    return value


def _secret(name: str) -> bool:
    return any(word in name.lower() for word in SECRET_WORDS)
