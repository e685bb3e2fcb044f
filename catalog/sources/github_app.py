"""Signs in as a GitHub App: a short-lived token of its installation, from the App's private key.

The key is named by reference and the token stays in this process's memory: neither is stored.
"""

import hashlib
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import jwt

from catalog.descriptors import ReadError
from catalog.sources.hosts import mapping, moment, segments, text
from portal.credentials import Secret
from portal.http import HttpClient, HttpError, NotJson, Response

ACCEPT = "application/vnd.github+json"
VERSION = "2022-11-28"
# A token is used until so long before its end, which is an hour after it was made.
EARLY = timedelta(minutes=5)
# GitHub takes ten minutes at most; clocks may differ by one.
PROOF_SECONDS = 540
CLOCK_SECONDS = 60
RIGHTS = {"contents": "read", "metadata": "read", "pull_requests": "read"}
MAX_KEPT = 100
MAX_RIGHTS = 30


@dataclass(frozen=True)
class Installation:
    """What a token was made for, and with."""

    token: Secret = field(repr=False)
    expires_at: datetime
    rights: tuple[str, ...] = ()


_kept: dict[tuple[str, ...], Installation] = {}
_lock = threading.Lock()


class GithubApp:
    """One App at one organisation. `installation_id` is looked up where it is not given."""

    def __init__(
        self,
        client: HttpClient,
        base: str,
        app_id: str,
        key: Secret,
        organisation: str,
        *,
        installation_id: str = "",
    ) -> None:
        self._client = client
        self._base = base
        self._app_id = app_id
        self._key = key
        self._organisation = organisation
        self._installation_id = installation_id

    def token(self) -> Secret:
        """A token that holds for some minutes at least. Raises ReadError."""
        return self.installation().token

    def installation(self) -> Installation:
        """The token with what it may."""
        place = self._place()
        with _lock:
            kept = _kept.get(place)
            if kept is None or kept.expires_at - EARLY <= datetime.now(UTC):
                kept = self._ask()
                if len(_kept) >= MAX_KEPT:
                    _kept.clear()
                _kept[place] = kept
        return kept

    def forget(self) -> None:
        """The token was refused: the next one is made anew."""
        with _lock:
            _kept.pop(self._place(), None)

    def _place(self) -> tuple[str, ...]:
        """Under which a token is kept: with the key, so that only who has it gets the token."""
        key = hashlib.sha256(self._key.reveal().encode(errors="replace")).hexdigest()
        organisation = self._organisation.lower()
        return self._base, self._app_id, organisation, self._installation_id, key

    def _ask(self) -> Installation:
        number = self._installation_id or self._look_up()
        address = f"/app/installations/{number}/access_tokens"
        answer = self._send("POST", address, {"permissions": RIGHTS})
        if answer.status == 422:
            # The App may not read pull requests; what it may do is enough for descriptors.
            fewer = {name: right for name, right in RIGHTS.items() if name != "pull_requests"}
            answer = self._send("POST", address, {"permissions": fewer})
        if answer.status != 201:
            raise ReadError(_refusal(answer.status))
        told = mapping(_json(answer))
        expires_at = moment(told.get("expires_at"))
        if not text(told.get("token")) or expires_at is None:
            raise ReadError("GitHub answered no token for the App.")
        rights = mapping(told.get("permissions"))
        words = tuple(f"{name}: {text(right)}" for name, right in sorted(rights.items()))
        return Installation(Secret(text(told["token"])), expires_at, words[:MAX_RIGHTS])

    def _look_up(self) -> str:
        answer = self._send("GET", f"/orgs{segments(self._organisation)}/installation")
        if answer.status != 200:
            raise ReadError(_refusal(answer.status))
        number = mapping(_json(answer)).get("id")
        if not isinstance(number, int):
            raise ReadError("GitHub answered no installation of the App.")
        return str(number)

    def _send(self, method: str, address: str, body: object = None) -> Response:
        headers = {
            "Accept": ACCEPT,
            "X-GitHub-Api-Version": VERSION,
            "Authorization": f"Bearer {self._proof()}",
        }
        try:
            return self._client.request(method, self._base + address, headers=headers, json=body)
        except HttpError as error:
            raise ReadError(f"GitHub: {error}") from None

    def _proof(self) -> str:
        """A JSON Web Token that only who has the App's key can make."""
        now = int(time.time())
        claims = {"iss": self._app_id, "iat": now - CLOCK_SECONDS, "exp": now + PROOF_SECONDS}
        try:
            return jwt.encode(claims, self._key.reveal(), algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError):
            raise ReadError(
                "The credential is not the private key of a GitHub App (a PEM file)."
            ) from None


def _json(answer: Response) -> object:
    try:
        return answer.json()
    except NotJson as error:
        raise ReadError(f"GitHub: {error}") from None


def _refusal(status: int) -> str:
    if status == 401:
        return (
            "GitHub does not accept the App's key (401). Do the App's id and its key belong to it?"
        )
    if status == 404:
        return "The GitHub App is not installed in this organisation (404)."
    if status == 403:
        return "GitHub refuses the App a token (403). Is its installation suspended?"
    return f"GitHub gives the App no token at the moment ({status})."
