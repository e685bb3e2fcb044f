"""Decides whether an ID token may be believed (OpenID Connect Core 1.0, section 3.1.3.7).

The library accepts a foreign audience or issuer and a token without an end. Here every rule is
checked, and each refusal names the rule for the log.
"""

import hmac
from collections.abc import Callable, Collection
from typing import Any

import jwt

from portal.signin_failure import SignInFailure

# Signatures by a key that only the provider has. A shared secret (HS256) also signs for whoever
# reads our settings, and taking it beside RS256 invites the classic confusion of the two.
ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA",
    "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC",
    "EdDSA": "OKP",
}  # fmt: skip
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
LEEWAY_SECONDS = 30  # for clocks that differ
MAX_SUBJECT = 255  # Core 1.0, section 2: at most 255 characters

KeySource = Callable[[bool], list[dict[str, Any]]]


def verified_claims(
    token: object, *, nonce: str, algorithm: str, issuer: str, client_id: str, keys: KeySource
) -> dict[str, Any]:
    """The claims of an ID token that passes every check; raises what signed_claims() raises."""
    claims, _ = signed_claims(
        token, algorithm=algorithm, issuer=issuer, client_id=client_id, keys=keys
    )
    _check_claims(claims, nonce, client_id)
    return claims


def signed_claims(
    token: object,
    *,
    algorithm: str,
    issuer: str,
    client_id: str,
    keys: KeySource,
    required: Collection[str] = REQUIRED,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The claims and the header of a token that the provider signed, now, for us.

    `keys(refetch)` gives the provider's JWKS; it is asked again, with True, when no key fits.
    Raises SignInFailure("token_refused") with the rule that failed, without the token's content.
    """
    if algorithm not in ALGORITHMS:
        raise SignInFailure("provider_misconfigured", f"OIDC_SIGN_ALGO {algorithm} is not allowed")
    if not isinstance(token, str) or not token:
        raise SignInFailure("token_refused", "there is no token")
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") != algorithm:
            raise SignInFailure(
                "token_refused", f"signed with {header.get('alg')!r}, not {algorithm}"
            )
        claims = jwt.decode(
            token,
            _key(header.get("kid"), algorithm, keys),
            algorithms=[algorithm],
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": list(required)},
        )
    # The library lets TypeError through where a claim has an unexpected type.
    except (jwt.PyJWTError, TypeError, ValueError, OverflowError) as error:
        raise SignInFailure("token_refused", f"{type(error).__name__}: {error}") from None
    return claims, header


def _check_claims(claims: dict[str, Any], nonce: str, client_id: str) -> None:
    if not 0 < len(claims["sub"]) <= MAX_SUBJECT or not claims["sub"].isprintable():
        raise SignInFailure("token_refused", "sub is empty, too long or not printable")
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and "azp" not in claims:
        raise SignInFailure("token_refused", "several audiences and no azp")
    if "azp" in claims and claims["azp"] != client_id:
        raise SignInFailure("token_refused", "azp is another client")
    sent = claims.get("nonce")
    if (
        not nonce
        or not isinstance(sent, str)
        or not hmac.compare_digest(sent.encode(), nonce.encode())
    ):
        raise SignInFailure("token_refused", "nonce is missing or another")


def _key(kid: object, algorithm: str, keys: KeySource) -> Any:
    for refetch in (False, True):
        fitting = [key for key in keys(refetch) if _fits(key, kid, algorithm)]
        # Without a key id in the header only a single candidate is no guess.
        if fitting and (kid is not None or len(fitting) == 1):
            return jwt.PyJWK(fitting[0], algorithm=algorithm).key
    raise SignInFailure("token_refused", "no key of the provider fits the token")


def _fits(key: dict[str, Any], kid: object, algorithm: str) -> bool:
    return (
        key.get("kty") == ALGORITHMS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    )
