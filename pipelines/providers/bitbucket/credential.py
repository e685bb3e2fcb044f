"""The three kinds of credentials, and the `Authorization` that each gives to a request.

Source: support.atlassian.com/bitbucket-cloud/docs, pages on API tokens, access tokens and OAuth.
"""

import base64
import hashlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NoReturn

from pipelines.providers.errors import (
    Misconfigured,
    NotAuthorized,
    RateLimited,
    Unavailable,
)
from pipelines.providers.wire import integer, mapping, text
from portal.credentials import Secret
from portal.http import Blocked, HttpClient, HttpError, NotJson, Response, origin

API_TOKEN, ACCESS_TOKEN, OAUTH = "api_token", "access_token", "oauth"
KINDS = (API_TOKEN, ACCESS_TOKEN, OAUTH)
# What Atlassian's generators write before each kind.
_APP_PASSWORD, _API_TOKEN = "ATBB", "ATATT"
# A token is renewed this long before its end, in seconds.
MARGIN = 300.0
DEFAULT_LIFE = 600.0  # where an answer does not say how long a token lives
LONGEST_LIFE = 86_400  # whatever is said
LIMITED_PAUSE = 60.0  # a rolling hour is counted, and no answer says when it will be better
MAX_SLOTS = 100
NO_APP_PASSWORDS = (
    "This is an app password, which Bitbucket no longer takes. Create an API token with scopes "
    'and write it as "email:token", with the e-mail address of the Atlassian account.'
)
NO_EMAIL = (
    'An API token goes with the e-mail address of its Atlassian account ("email:token"), not with '
    "a user name."
)


class Authority(ABC):
    """What authorizes requests; `kind` is one of KINDS, `refusal` what a 401 hints at."""

    kind: str
    refusal: str

    @abstractmethod
    def authorization(self) -> tuple[str, bool]:
        """The header's value, and whether it was fetched just now."""

    def drop(self, authorization: str) -> bool:
        """Forgets what was refused; False where there can be no other."""
        return False


class Fixed(Authority):
    """A token that is sent as it is."""

    def __init__(self, kind: str, header: str, refusal: str) -> None:
        self.kind, self.refusal = kind, refusal
        self._header = Secret(header)

    def authorization(self) -> tuple[str, bool]:
        return self._header.reveal(), False


def authority_for(
    credential: Secret, options: Mapping[str, object], http: HttpClient, token_url: str
) -> Authority:
    """Raises Misconfigured for a credential that can't be one. Sends nothing."""
    value = credential.reveal()
    kind = _kind(value, options.get("auth", ""))
    name, colon, rest = value.partition(":")
    if kind == ACCESS_TOKEN:
        if not value.isascii() or any(char.isspace() for char in value):
            raise Misconfigured("A Bitbucket access token is one word.")
        hint = "Was the access token revoked, or has it expired?"
        return Fixed(kind, f"Bearer {value}", hint)
    if not (name and colon and rest):
        form = "key:secret" if kind == OAUTH else "email:token"
        raise Misconfigured(f'This Bitbucket credential has the form "{form}".')
    basic = f"Basic {base64.b64encode(value.encode()).decode()}"
    if kind == API_TOKEN:
        hint = "Has the token expired?" if "@" in name else NO_EMAIL
        return Fixed(kind, basic, f"{hint} App passwords are no longer taken.")
    return OAuthClient(http, token_url, basic)


def _kind(value: str, wanted: object) -> str:
    if wanted and wanted not in KINDS:
        raise Misconfigured(f'The option "auth" is one of {", ".join(KINDS)}.')
    name, colon, rest = value.partition(":")
    if rest.startswith(_APP_PASSWORD):
        raise Misconfigured(NO_APP_PASSWORDS)
    if rest.startswith(_API_TOKEN) and "@" not in name and not wanted:
        raise Misconfigured(NO_EMAIL)
    if wanted:
        return str(wanted)
    if not colon:
        return ACCESS_TOKEN
    return API_TOKEN if "@" in name else OAUTH


# --- OAuth: a token for an hour or two -----------------------------------------------------------
class _Slot:
    """The token of one consumer. The lock is held while it is fetched, so that one asks for all."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.token: Secret | None = None
        self.until = 0.0  # monotonic


# Adapters live for one question; their tokens live as long as the process, and nowhere else.
_slots: dict[str, _Slot] = {}
_slots_lock = threading.Lock()


def _slot(*parts: str) -> _Slot:
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    with _slots_lock:
        if key not in _slots and len(_slots) >= MAX_SLOTS:
            del _slots[next(iter(_slots))]
        return _slots.setdefault(key, _Slot())


class OAuthClient(Authority):
    """An OAuth consumer with the grant `client_credentials`."""

    kind = OAUTH
    refusal = "The OAuth consumer's new token was refused. Was the consumer removed?"

    def __init__(self, http: HttpClient, token_url: str, basic: str) -> None:
        self._http, self._url, self._basic = http, token_url, Secret(basic)
        self._slot = _slot(token_url, basic)

    def authorization(self) -> tuple[str, bool]:
        """A kept token, or a new one when the kept one ends soon."""
        slot = self._slot
        with slot.lock:
            fresh = slot.token is None or time.monotonic() >= slot.until
            if slot.token is None or fresh:
                slot.token, life = self._fetch()
                slot.until = time.monotonic() + max(life - MARGIN, life / 2)
            return f"Bearer {slot.token.reveal()}", fresh

    def drop(self, authorization: str) -> bool:
        """Forgets the token, unless another thread has fetched a new one meanwhile."""
        slot = self._slot
        with slot.lock:
            if slot.token and authorization == f"Bearer {slot.token.reveal()}":
                slot.token = None
        return True

    def _fetch(self) -> tuple[Secret, float]:
        """The token and its life in seconds. Nothing of the caller's request was sent by then, so
        no failure here is OutcomeUnknown."""
        try:
            answer = self._http.request(
                "POST",
                self._url,
                headers={"Authorization": self._basic.reveal(), "Accept": "application/json"},
                data={"grant_type": "client_credentials"},
                max_bytes=65_536,
            )
        except Blocked as error:
            raise Misconfigured(f"Bitbucket's token address: {error}") from None
        except HttpError as error:
            raise Unavailable(f"Bitbucket gives no OAuth token: {error}") from None
        if answer.status != 200:
            self._refused(answer.status)
        return self._read(answer)

    def _refused(self, status: int) -> NoReturn:
        if status in (400, 401, 403):
            raise NotAuthorized(
                f"Bitbucket does not accept the OAuth consumer's key and secret ({status}). The "
                "consumer has to be private and to have a callback URL. A user name with a token "
                "or password is no consumer: an API token is written as email:token."
            )
        if status == 429:
            raise RateLimited("Bitbucket was asked for tokens too often.", LIMITED_PAUSE)
        if status < 500:
            raise Misconfigured(
                f"Bitbucket's token address answered {status}. Is the option "
                f'"token_url" right? It leads to {origin(self._url)}.'
            )
        raise Unavailable(f"Bitbucket gives no OAuth token at the moment ({status}).")

    def _read(self, answer: Response) -> tuple[Secret, float]:
        try:
            fields = mapping(answer.json())
        except NotJson:
            fields = {}
        token = text(fields.get("access_token"))
        if not token or not token.isascii() or any(char.isspace() for char in token):
            raise Misconfigured(
                f"{origin(self._url)} answered something else than an OAuth token. Is the option "
                '"token_url" right?'
            )
        life = integer(fields.get("expires_in"))
        return Secret(token), float(min(life, LONGEST_LIFE)) if life and life > 0 else DEFAULT_LIFE
