"""Buildkite on the wire: bearer token, pages, limits, and refusals in our own words.

Source: buildkite.com/docs/apis/rest-api and its pages on limits and tokens.
"""

import re
from collections.abc import Mapping
from typing import Any

from pipelines.providers.errors import Forbidden, InvalidResponse, ProviderError
from pipelines.providers.wire import (
    MAX_RETRY_AFTER,
    Wire,
    error_fields,
    in_our_words,
    integer,
    seconds_in,
    single_word,
    text,
)
from portal.credentials import Secret
from portal.http import HttpClient, Response

PAGE = 100
MAX_PAGES = 100
# Seconds left, not a moment. The names changed over the years; all are optional.
RESETS = ("RateLimit-Reset", "RateLimit-User-Reset", "Rate-Limit-Reset", "Retry-After")
_SCOPE = re.compile(r"[a-z_]{1,60}")
# What the vendor's sentence speaks of -> ours.
SENTENCES = (
    ("branches have been disabled", "The pipeline's settings do not allow builds of this branch."),
    ("not supported", "Buildkite does not list builds this old."),
    ("cannot be canceled", "The build has ended already, so there is nothing to cancel."),
    ("cannot be unblocked", "This step can't be unblocked: it, or its build, has ended."),
    ("can't be canceled", "The build has ended already, so there is nothing to cancel."),
)


class BuildkiteWire(Wire):
    """The API below the base URL, for example https://api.buildkite.com/v2."""

    label = "Buildkite"

    def __init__(self, http: HttpClient, base_url: str, credential: Secret) -> None:
        token = single_word(credential, "A Buildkite credential is an API access token: one word.")
        super().__init__(http, base_url, {"Authorization": f"Bearer {token}"})

    def rows(self, path: str, params: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Reads one page of a list."""
        return self.objects(self.get_json(path, params))

    def all_rows(self, path: str) -> list[Mapping[str, Any]]:
        """Reads every page of a list; complete, or an error. Only the Link header's `rel` is
        believed: its URLs are the vendor's and need not lead to the configured host."""
        found: list[Mapping[str, Any]] = []
        for page in range(1, MAX_PAGES + 1):
            answer = self.get(path, {"page": str(page), "per_page": str(PAGE)})
            rows = self.objects(self.json(answer))
            found += rows
            link = answer.headers.get("Link")
            more = 'rel="next"' in link if link is not None else len(rows) >= PAGE
            if not more:
                return found
        raise InvalidResponse(f"Buildkite lists more than {MAX_PAGES * PAGE:,} of these.")

    def failure(self, response: Response, *, write: bool) -> ProviderError:
        """A lacking scope is named from the headers; a refusal is told in our own words."""
        if response.status == 403:
            missing = sorted(
                _scopes(response, "X-Accepted-OAuth-Scopes") - _scopes(response, "X-OAuth-Scopes")
            )
            if missing:
                return Forbidden(f"Buildkite: the token lacks the scope {', '.join(missing)}.")
        if response.status in (400, 422):
            said = text(error_fields(response).get("message"))
            if refused := in_our_words(said, SENTENCES):
                return refused
        return super().failure(response, write=write)

    def retry_after(self, response: Response) -> float | None:
        """The longest of the limits' resets, in seconds."""
        named = [seconds_in(response.headers.get(name)) for name in RESETS]
        told = integer(error_fields(response).get("reset"))
        waits = [seconds for seconds in named if seconds is not None]
        if told is not None:
            waits.append(min(max(float(told), 0.0), MAX_RETRY_AFTER))
        return max(waits, default=None)


def _scopes(response: Response, header: str) -> set[str]:
    return set(_SCOPE.findall(response.headers.get(header, "")))
