"""Bitbucket on the wire: credential, pages, refusals in our own words, and logs kept elsewhere.

Source: developer.atlassian.com/cloud/bitbucket/rest, its introduction and the group Pipelines.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from pipelines.providers.bitbucket.credential import LIMITED_PAUSE, Authority
from pipelines.providers.bitbucket.rights import NAMES
from pipelines.providers.errors import (
    Forbidden,
    InvalidResponse,
    Misconfigured,
    NotAuthorized,
    NotFound,
    ProviderError,
    Unavailable,
)
from pipelines.providers.wire import (
    Wire,
    error_fields,
    in_our_words,
    mapping,
    seconds_in,
    text,
)
from portal.http import HttpClient, Response

PAGE = 100
MAX_PAGES = 200
TO_STORE = 307  # any other redirect leads to a sign-in page
_SCOPE = re.compile(r"[a-z][a-z:_-]{0,80}")
# What the vendor's key or sentence holds -> ours.
SENTENCES = (
    ("selector-not-found", "bitbucket-pipelines.yml has no custom pipeline of this name there."),
    ("selector is not found", "bitbucket-pipelines.yml has no custom pipeline of this name there."),
    ("last reference for branch", "The repository has no branch of this name."),
    ("already complete", "The build has ended already, so there is nothing to stop."),
    ("invalid properties", "Bitbucket does not take this target or these variables."),
    ("is not enabled", "Pipelines is switched off for this repository."),
    ("bitbucket-pipelines.yml", "There is no usable bitbucket-pipelines.yml at this commit."),
)
DATA_CENTER = (
    "This is a Bitbucket Data Center, which runs no builds of its own: connect the CI that builds "
    "for it. For Bitbucket Cloud the base URL is https://api.bitbucket.org/2.0."
)


class BitbucketWire(Wire):
    """The API below the base URL, https://api.bitbucket.org/2.0."""

    label = "Bitbucket"

    def __init__(self, http: HttpClient, base_url: str, authority: Authority) -> None:
        super().__init__(http, base_url, {})
        self.authority = authority

    def _ask(self, method: str, path: str, *, headers: Mapping[str, str], **how: Any) -> Response:
        """A kept OAuth token may have been withdrawn: a read is then asked once more with a new
        one, and a write, of which nothing was carried out, is left to dispatch."""
        kept, fresh = self.authority.authorization()
        sent = {**headers, "Authorization": kept}
        answer = super()._ask(method, path, headers=sent, **how)
        if answer.status != 401 or fresh or not self.authority.drop(kept):
            return answer
        if method != "GET":
            raise Unavailable("Bitbucket withdrew the OAuth token; the next try takes a new one.")
        sent["Authorization"] = self.authority.authorization()[0]
        return super()._ask(method, path, headers=sent, **how)

    def rows(self, path: str, params: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Reads one page of a list."""
        return self.objects(self.one(path, params).get("values"))

    def all_rows(self, path: str, params: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Reads every page of a list; complete, or an error. `size` is not believed, and `next`
        only below the base URL: the credential goes along."""
        found: list[Mapping[str, Any]] = []
        wanted: Mapping[str, str] | None = params
        for _ in range(MAX_PAGES):
            page = self.one(path, wanted)
            found += self.objects(page.get("values"))
            following = text(page.get("next"))
            if not following:
                return found
            if not following.startswith(f"{self.base}/"):
                raise InvalidResponse("Bitbucket's next page is on another host or path.")
            path, wanted = following[len(self.base) :], None
        raise InvalidResponse(f"Bitbucket lists more than {MAX_PAGES * PAGE:,} of these.")

    # --- Logs ------------------------------------------------------------------------------------
    def log(self, path: str, start: int, limit: int) -> tuple[Response, bool]:
        """A log from byte `start`, at most `limit` bytes, and whether it is the whole of an ended
        step: such a log is in an object store, behind a signed address. Also gives 404 and 416.
        """
        headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}
        answer = self.get(
            path,
            accept="application/octet-stream",
            headers=headers,
            max_bytes=limit,
            truncate=True,
            expect=(TO_STORE, 404, 416),
        )
        if answer.status != TO_STORE:
            return answer, False
        store, rest = self._elsewhere(answer)
        stored = store.get(
            rest,
            accept="*/*",
            headers=headers,
            max_bytes=limit,
            truncate=True,
            expect=(404, 416),
        )
        return stored, True

    def _elsewhere(self, answer: Response) -> tuple[Wire, str]:
        """The store that a redirect points to, asked without the credential, and the path there."""
        try:
            target = urlsplit(urljoin(answer.url, answer.headers.get("Location", "")))
        except ValueError:
            raise InvalidResponse("Bitbucket sends the log's reader to an invalid address.") from (
                None
            )
        # Plain HTTP only where the API itself is reached by it, as a stand-in on loopback is.
        if target.scheme != "https" and target.scheme != urlsplit(self.base).scheme:
            raise InvalidResponse("Bitbucket sends the log's reader to an address without TLS.")
        rest = urlunsplit(("", "", target.path, target.query, ""))
        return LogStore(self._http, f"{target.scheme}://{target.netloc}", {}), rest

    # --- Refusals --------------------------------------------------------------------------------
    def failure(self, response: Response, *, write: bool) -> ProviderError:
        """The error's true cause stands in its detail and key; a lacking scope in the headers."""
        status = response.status
        if "X-AUSERNAME" in response.headers:
            return Misconfigured(DATA_CENTER)
        if status == 401:
            return NotAuthorized(
                f"Bitbucket does not accept the credential (401). {self.authority.refusal}"
            )
        error = mapping(error_fields(response).get("error"))
        if status == 403:
            missing = _missing_scopes(response, error)
            if missing:
                return Forbidden(f"Bitbucket: the token lacks the scope {', '.join(missing)}.")
        if status in (400, 404, 409):
            key = text(mapping(error.get("data")).get("key"))
            said = f"{key} {text(error.get('message'))} {text(error.get('detail'))}"
            if refused := in_our_words(said, SENTENCES):
                return refused
        return super().failure(response, write=write)

    def retry_after(self, response: Response) -> float | None:
        """Bitbucket counts a rolling hour and does not say when it will be better."""
        told = seconds_in(response.headers.get("Retry-After"))
        return LIMITED_PAUSE if told is None else told


class LogStore(Wire):
    """Where logs of ended steps are kept. Its answers are no API's: only bytes and a status."""

    label = "Bitbucket's log store"

    def failure(self, response: Response, *, write: bool) -> ProviderError:
        """A signed address that is refused has expired, and asking again gives a new one."""
        if response.status == 410:
            return NotFound("Bitbucket no longer keeps this log.")
        if 400 <= response.status < 500:
            return Unavailable(f"{self.label} refuses its own address ({response.status}).")
        return super().failure(response, write=write)


def scopes(value: object) -> set[str]:
    """Scopes of a header (a list with commas) or of an error's detail (a list)."""
    words = value.split(",") if isinstance(value, str) else value
    listed = words if isinstance(words, list) else []
    return {word.strip() for word in listed if isinstance(word, str) and _is_scope(word.strip())}


def _is_scope(word: str) -> bool:
    return _SCOPE.fullmatch(word) is not None


def _missing_scopes(response: Response, error: Mapping[str, Any]) -> list[str]:
    detail = mapping(error.get("detail"))
    wanted = scopes(detail.get("required"))
    granted = scopes(detail.get("granted"))
    if not wanted:
        wanted = scopes(response.headers.get("X-Accepted-OAuth-Scopes"))
        granted = scopes(response.headers.get("X-OAuth-Scopes"))
    # Only names that are ours to say: the answer could hold anything.
    return sorted((wanted - granted) & NAMES)
