"""The identity provider's own description: where its endpoints are and which keys it signs with.

mozilla-django-oidc wants every endpoint as a setting. Here they come from the provider's discovery
document (OpenID Connect Discovery 1.0, section 4), whose issuer must equal the configured one to
the letter, and the library's `get_settings` is answered from it (`DiscoveredSettings`).
"""

import hashlib
import logging
import time
from collections.abc import Callable
from functools import lru_cache
from threading import BoundedSemaphore, Lock
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.functional import lazy
from mozilla_django_oidc.utils import import_from_settings

from portal.http import HttpClient, HttpError, Response
from portal.process_cache import notes
from portal.signin_failure import SignInFailure

logger = logging.getLogger(__name__)

FRESH_SECONDS = 3600
# A copy this old still says where the endpoints are while the provider is down.
STALE_SECONDS = 7 * 24 * 3600
# With the provider down, the old copy serves this long before the provider is asked again; without
# a copy all are refused so long. Strangers come here, too, and a provider that hangs takes seconds.
RETRY_SECONDS = 30
# One asks the provider for its documents; so many more may wait for it, of all that answer pages.
MAX_WAITING = 8
MAX_BYTES = 1_000_000
REQUIRED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
ENDPOINTS = (*REQUIRED, "userinfo_endpoint", "end_session_endpoint")
NOTHING = {"at": 0, "value": None, "failure": ""}
_ASKING, _WAITING = Lock(), BoundedSemaphore(MAX_WAITING)
# the library's setting -> the member of the discovery document
DISCOVERED = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
    "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
    "OIDC_OP_USER_ENDPOINT": "userinfo_endpoint",
    "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
}


class DiscoveredSettings:
    """Answers the library's `get_settings`; put it before the library's class in the bases.

    The library reads endpoints in constructors, which also run for every signed-in request. So
    an endpoint is a string that is looked up only when it is used.
    """

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        if attr in DISCOVERED:
            return lazy(lambda: endpoint(DISCOVERED[attr]), str)()
        return import_from_settings(attr, *args)


def endpoint(name: str) -> str:
    """A URL of the discovery document, "" when the provider does not offer it.

    Raises SignInFailure when there is no document that can be trusted.
    """
    return str(discovery_document().get(name) or "")


def discovery_document() -> dict[str, Any]:
    """The checked document: at most an hour old, or older while the provider is down."""
    document: dict[str, Any] = _kept("discovery", lambda: _checked(_get_json(_discovery_url())))
    return document


def signing_keys(*, refetch: bool = False) -> list[dict[str, Any]]:
    """The provider's JWKS (RFC 7517), kept as the document; `refetch` when a key id is unknown."""
    url = endpoint("jwks_uri")
    keys: list[dict[str, Any]] = _kept("jwks", lambda: _keys_at(url), refetch=refetch)
    return keys


def _keys_at(url: str) -> list[dict[str, Any]]:
    keys = _get_json(url).get("keys")
    if not isinstance(keys, list):
        raise SignInFailure("provider_down", "the JWKS holds no list of keys")
    return [item for item in keys if isinstance(item, dict)]


def _kept(what: str, ask: Callable[[], Any], *, refetch: bool = False) -> Any:
    """What the provider said when it was last asked; asks anew when that is an hour old.

    Raises SignInFailure when nothing is known of it.
    """
    key = _cache_key(what)
    entry = notes.get(key) or NOTHING
    if _serves(entry, refetch) or not _WAITING.acquire(blocking=False):
        return _value(entry)
    try:
        with _ASKING:
            newer = notes.get(key) or NOTHING
            if newer == entry or not _serves(newer, refetch=False):
                newer = _asked(what, ask, entry)
                notes.set(key, newer, STALE_SECONDS)
    finally:
        _WAITING.release()
    return _value(newer)


def _serves(entry: dict[str, Any], refetch: bool) -> bool:
    """Whether nobody need ask; when asking has just failed, it would fail again."""
    return time.time() - entry["at"] < FRESH_SECONDS and not (refetch and not entry["failure"])


def _asked(what: str, ask: Callable[[], Any], entry: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"at": time.time(), "value": ask(), "failure": ""}
    except SignInFailure as failure:
        if failure.code != "provider_down":
            raise
        logger.warning("%s: %s; going on with the last copy, if any", what, failure.detail)
        at = time.time() - FRESH_SECONDS + RETRY_SECONDS
        return {"at": at, "value": entry["value"], "failure": failure.detail}


def _value(entry: dict[str, Any]) -> Any:
    if entry["value"] is None:
        raise SignInFailure("provider_down", entry["failure"] or "too many wait for its documents")
    return entry["value"]


def ask_provider(method: str, url: str, **kwargs: Any) -> Response:
    """One request to the provider. Raises SignInFailure when it can't be reached."""
    try:
        return _client(tuple(settings.OUTGOING_ALLOW), _issuer_host()).request(
            method, url, follow=False, **kwargs
        )
    except HttpError as error:
        raise SignInFailure("provider_down", str(error)) from None


def answer_json(answer: Response, what: str) -> dict[str, Any]:
    """The JSON object of an answer with status 200. Raises SignInFailure otherwise."""
    if answer.status != 200:
        raise SignInFailure("provider_down", f"{what} answered {answer.status}")
    try:
        document = answer.json()
    except HttpError as error:
        raise SignInFailure("provider_down", f"{what}: {error}") from None
    if not isinstance(document, dict):
        raise SignInFailure("provider_down", f"{what} answered no JSON object")
    return document


def _get_json(url: str) -> dict[str, Any]:
    answer = ask_provider("GET", url, headers={"Accept": "application/json"})
    return answer_json(answer, url.rpartition("?")[0] or url)


def _checked(document: dict[str, Any]) -> dict[str, Any]:
    """The document's parts that are used here; a mix-up of issuers must never pass."""
    issuer = document.get("issuer")
    if issuer != settings.OIDC_OP_ISSUER:
        raise SignInFailure(
            "provider_misconfigured",
            f"issuer is {issuer!r} in the discovery document, {settings.OIDC_OP_ISSUER!r} here",
        )
    wanted = urlsplit(settings.OIDC_OP_ISSUER).scheme
    for name in ENDPOINTS:
        url = document.get(name)
        if url is None and name not in REQUIRED:
            continue
        scheme = urlsplit(url).scheme if isinstance(url, str) else ""
        # An https issuer must not send people or secrets over plain http.
        if scheme != "https" and (scheme != "http" or wanted != "http"):
            raise SignInFailure("provider_misconfigured", f"{name} is {url!r}")
    return {name: document.get(name) for name in ("issuer", *ENDPOINTS)}


def _discovery_url() -> str:
    return settings.OIDC_OP_ISSUER.rstrip("/") + "/.well-known/openid-configuration"


def _issuer_host() -> str:
    return urlsplit(settings.OIDC_OP_ISSUER).hostname or ""


def _cache_key(what: str) -> str:
    return f"oidc:{what}:{hashlib.sha256(settings.OIDC_OP_ISSUER.encode()).hexdigest()}"


@lru_cache(maxsize=8)
def _client(allow: tuple[str, ...], issuer_host: str) -> HttpClient:
    # The operator names the issuer, so its host may be on the company's private network.
    return HttpClient(
        allow=[*allow, issuer_host],
        timeout=(settings.OIDC_TIMEOUT, settings.OIDC_TIMEOUT),
        deadline=3 * settings.OIDC_TIMEOUT,
        max_bytes=MAX_BYTES,
        ca_bundle=settings.OUTGOING_CA_BUNDLE,
    )
