"""What every adapter does on the wire: ask, sort failures into ProviderErrors, read JSON.

The error's class decides whether dispatch may try again, so a status means the same everywhere:
a write that was sent and got no clear answer is OutcomeUnknown, whoever the vendor is.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from pipelines.providers.errors import (
    Forbidden,
    InvalidResponse,
    Misconfigured,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    Rejected,
    Unavailable,
)
from portal.http import (
    Blocked,
    ConnectFailed,
    ConnectionLost,
    HttpClient,
    HttpError,
    NotJson,
    Response,
    TimedOut,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A vendor that says "wait" for longer is asked again all the same.
MAX_RETRY_AFTER = 120.0

STATUSES: Mapping[int, tuple[type[ProviderError], str]] = {
    401: (NotAuthorized, "{} does not accept the credential ({})."),
    403: (Forbidden, "{}: the credential lacks a right for this ({})."),
    404: (NotFound, "{} has no such thing, or hides it from the credential ({})."),
    410: (NotFound, "{} no longer has this ({})."),
}


class Wire:
    """One vendor's API below a base URL, with its credential in `headers`.

    No answer's text ever reaches an error: a body could hold what the request sent.
    """

    label: ClassVar[str]

    def __init__(self, http: HttpClient, base_url: str, headers: Mapping[str, str]) -> None:
        self._http = http
        self.base = base_url.rstrip("/")
        self._headers = headers

    def get(
        self,
        path: str,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        *,
        accept: str = "application/json",
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        truncate: bool = False,
        expect: Sequence[int] = (),
    ) -> Response:
        """Reads. A status of 2xx or in `expect` is returned, any other raises."""
        response = self._ask(
            "GET",
            path,
            params=params,
            headers={"Accept": accept, **(headers or {})},
            max_bytes=max_bytes,
            truncate=truncate,
        )
        if not (200 <= response.status < 300 or response.status in expect):
            raise self.failure(response, write=False)
        return response

    def get_json(
        self, path: str, params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None
    ) -> Any:
        """Reads JSON; InvalidResponse when it isn't."""
        return self.json(self.get(path, params))

    def write(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        json: object = None,
        expect: Sequence[int] = (),
    ) -> Response:
        """Writes once, never follows a redirect. Raises OutcomeUnknown when it may have worked."""
        response = self._ask(
            method,
            path,
            params=params,
            data=data,
            json=json,
            headers={"Accept": "application/json"},
        )
        if not (200 <= response.status < 300 or response.status in expect):
            raise self.failure(response, write=True)
        return response

    def _ask(self, method: str, path: str, *, headers: Mapping[str, str], **how: Any) -> Response:
        write = method != "GET"
        lost = OutcomeUnknown if write else Unavailable
        wrong = OutcomeUnknown if write else InvalidResponse
        try:
            return self._http.request(
                method, self.base + path, headers={**self._headers, **headers}, follow=False, **how
            )
        except Blocked as error:
            raise Misconfigured(f"{self.label}: {error}") from None
        except ConnectFailed as error:
            raise Unavailable(f"{self.label} is not reached: {error}") from None
        except (TimedOut, ConnectionLost) as error:
            raise lost(f"{self.label}: {error}") from None
        except HttpError as error:
            raise wrong(f"{self.label}: {error}") from None

    def json(self, response: Response) -> Any:
        """The parsed answer of a read."""
        try:
            return response.json()
        except NotJson as error:
            hint = " Is there a sign-in page in front, or is the base URL another site's?"
            wrong = hint if response.content_type == "text/html" else ""
            raise InvalidResponse(f"{self.label}: {error}{wrong}") from None

    def failure(self, response: Response, *, write: bool) -> ProviderError:
        """The error that a status means. Vendors override the part they know more about."""
        status, label = response.status, self.label
        if 300 <= status < 400:
            return Misconfigured(
                f"{label} answered with a redirect to {_host(response)}. Is the base URL right, "
                "and is no sign-in page in front of the API?"
            )
        if status == 429:
            seconds = self.retry_after(response)
            after = f" and asks to wait {seconds:.0f} s" if seconds is not None else ""
            return RateLimited(f"{label} was asked too often{after}.", seconds)
        if status == 408 or status >= 500:
            if write:
                return OutcomeUnknown(f"{label} failed ({status}) after the request was sent.")
            return Unavailable(f"{label} fails at the moment ({status}).")
        error, sentence = STATUSES.get(status, (Rejected, "{} refused the request ({})."))
        return error(sentence.format(label, status))

    def retry_after(self, response: Response) -> float | None:
        """Seconds to wait, from the `Retry-After` header."""
        return seconds_in(response.headers.get("Retry-After"))


def _host(response: Response) -> str:
    try:
        return urlsplit(response.headers.get("Location", "")).hostname or "another page"
    except ValueError:
        return "an invalid address"


def seconds_in(text: str | None) -> float | None:
    """A header's number of seconds, between 0 and MAX_RETRY_AFTER; None when it holds none."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if seconds == seconds else None  # noqa: PLR0124


# --- Paths -----------------------------------------------------------------------------------
def segment(text: str) -> str:
    """One path segment, percent-encoded. Raises NotFound for what would climb or vanish."""
    if text in ("", ".", ".."):
        raise NotFound(f"{text!r} is not a name.")
    return quote(text, safe="", errors="replace")  # JSON may hold half a pair, \ud800


def web_link(value: object) -> str:
    """A URL that a page may link to: http(s) only, else empty."""
    if isinstance(value, str) and value.lower().startswith(("https://", "http://")):
        return value
    return ""


# --- Reading what may have any shape -----------------------------------------------------------
def mapping(value: object) -> Mapping[str, Any]:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; whatever else stands in it is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """The value when it is a text, else empty."""
    return value if isinstance(value, str) else ""


def integer(value: object) -> int | None:
    """The value when it is a whole number, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def iso_time(value: object) -> datetime | None:
    """ISO 8601, or Buildkite's `2025-07-23 06:07:42 UTC`; None when it is neither."""
    if not isinstance(value, str) or not value:
        return None
    try:
        moment = datetime.fromisoformat(value.removesuffix(" UTC"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def epoch_ms(value: object) -> datetime | None:
    """Milliseconds since 1970; None when unset (0), negative or absurd."""
    milliseconds = integer(value)
    if not milliseconds or milliseconds < 0:
        return None
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
