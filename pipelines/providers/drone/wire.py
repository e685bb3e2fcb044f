"""Drone on the wire: a user's token, short pages, and refusals in our own words.

Drone answers 404 for nearly everything: unknown, not allowed, and "the source host could not be
asked". Which of them it was can't be told from the answer, so the sentence names them all.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.providers.errors import (
    NotFound,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Unavailable,
    Unsupported,
)
from pipelines.providers.wire import (
    Wire,
    error_fields,
    in_our_words,
    segment,
    single_word,
    text,
)
from portal.credentials import Secret
from portal.http import HttpClient, HttpError, Response, TimedOut

PAGE = 100  # more, and Drone silently gives 25
MAX_LIST_BYTES = 64_000_000  # every repository comes in one answer, about 1 kB each
# What a refusal speaks of -> ours.
SENTENCES = (
    ("cannot approve a pipeline", "This stage does not wait for an approval any longer."),
    ("cannot start a blocked build", "The build waits for an approval; it can't run again."),
    ("cannot start a declined build", "The build was declined; it can't run again."),
    ("missing target environment", "Drone needs the name of a deployment target."),
)


class DroneWire(Wire):
    """The API below the base URL, for example https://drone.example."""

    label = "Drone"

    def __init__(self, http: HttpClient, base_url: str, credential: Secret) -> None:
        token = single_word(credential, "A Drone credential is the token of a user: one word.")
        super().__init__(http, base_url, {"Authorization": f"Bearer {token}"})

    def repositories(self) -> list[Mapping[str, Any]]:
        """All that the account sees, without pages."""
        return self.rows("/api/user/repos", max_bytes=MAX_LIST_BYTES)

    def rows(
        self, path: str, params: Mapping[str, str] | None = None, max_bytes: int | None = None
    ) -> list[Mapping[str, Any]]:
        """Reads a list or a page of one; `null` is an empty one, as Go writes it."""
        answer = self.json(self.get(path, params, max_bytes=max_bytes))
        return [] if answer is None else self.objects(answer)

    def pages(
        self, path: str, params: Mapping[str, str], limit: int
    ) -> Iterator[Mapping[str, Any]]:
        """The first `limit` rows of a list, each page when it is needed. Drone tells no total: a
        short page is the last."""
        size = max(min(limit, PAGE), 1)
        for page in range(1, -(-limit // size) + 1):
            rows = self.rows(path, {**params, "page": str(page), "per_page": str(size)})
            yield from rows[: limit - (page - 1) * size]
            if len(rows) < size:
                break

    def acknowledge(self, method: str, path: str, **how: Any) -> Response:
        """Writes what is answered without anything to read. A page is no acknowledgement."""
        response = self.write(method, path, **how)
        if response.content_type == "text/html":
            raise OutcomeUnknown("Drone answered a page to what was sent.")
        return response

    def stream(self, path: str, seconds: float, max_bytes: int) -> bytes:
        """What a stream of events gives within `seconds`; empty where a proxy holds it back."""
        try:
            response = self._http.request(
                "GET",
                self.base + path,
                headers={**self._headers, "Accept": "text/event-stream"},
                follow=False,
                linger=seconds,
                max_bytes=max_bytes,
                truncate=True,
            )
        except TimedOut:
            return b""
        except HttpError as error:
            raise Unavailable(f"Drone: {error}") from None
        if response.status in (404, 408) or response.status >= 500:
            return b""  # the step ended a moment ago, or a proxy in front knows no streams
        if response.status != 200:
            raise self.failure(response, write=False)
        return response.body if response.content_type == "text/event-stream" else b""

    def failure(self, response: Response, *, write: bool) -> ProviderError:
        """404 says less than it seems to; 501 and 402 mean this build or licence of Drone."""
        if response.status == 404:
            return NotFound(
                "Drone has no such thing, or the account may not see or do this, or Drone could "
                "not ask the source host about it (404)."
            )
        if response.status in (402, 501):
            return Unsupported(f"This edition of Drone can't do that ({response.status}).")
        if response.status == 409:
            return Rejected("Drone was changing this at the same moment; try again.")
        if response.status == 400:
            said = text(error_fields(response).get("message"))
            if refused := in_our_words(said, SENTENCES):
                return refused
        return super().failure(response, write=write)


def repository(pipeline: str) -> str:
    """The API path of `namespace/name`. Drone's routes have room for two parts and no more."""
    parts = pipeline.split("/")
    if len(parts) != 2:
        raise NotFound(
            "Drone's API reaches namespace/name only; a repository in a subgroup is listed there "
            "and can't be asked for."
            if len(parts) > 2 and all(parts)
            else f"{pipeline!r} is not the name of a repository."
        )
    return f"/api/repos/{segment(parts[0])}/{segment(parts[1])}"
