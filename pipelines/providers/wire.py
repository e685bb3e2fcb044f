"""What every adapter does on the wire: ask, sort failures into ProviderErrors, read JSON.

The error's class decides whether dispatch may try again, so a status means the same everywhere:
a write that was sent and got no clear answer is OutcomeUnknown, whoever the vendor is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar
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
from portal.credentials import Secret
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

Told = TypeVar("Told")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A vendor that says "wait" for longer is asked again all the same.
MAX_RETRY_AFTER = 120.0
MAX_DIGITS = 18
LONGEST_SAYING = 200

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

    def one(self, path: str, params: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """Reads one JSON object."""
        answer = self.get_json(path, params)
        if not isinstance(answer, dict):
            raise self.misshapen()
        return answer

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

    def objects(self, answer: object) -> list[Mapping[str, Any]]:
        """The rows of a list; InvalidResponse when it is none, for that is not "all gone"."""
        if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
            raise self.misshapen()
        return answer

    def misshapen(self) -> InvalidResponse:
        return InvalidResponse(f"{self.label} answered JSON of another shape than its API gives.")

    def written(self, response: Response, parse: Callable[[object], Told]) -> Told:
        """What a write that was accepted answered. Where that can't be read, nobody knows what
        became of it: OutcomeUnknown."""
        try:
            return parse(self.json(response))
        except InvalidResponse:
            raise OutcomeUnknown(
                f"{self.label} took the request and answered something else than its API gives."
            ) from None

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


def single_word(credential: Secret, sentence: str) -> str:
    """A token. Raises Misconfigured with `sentence` for what no header could carry."""
    token = credential.reveal()
    if not (token.isascii() and token.isprintable()) or not token or " " in token:
        raise Misconfigured(sentence)
    return token


# --- Refusals ----------------------------------------------------------------------------------
def error_fields(response: Response) -> Mapping[str, Any]:
    """The JSON object that an error came with, empty where there is none."""
    try:
        return mapping(response.json())
    except NotJson:
        return {}


def in_our_words(said: str, sentences: Iterable[tuple[str, str]]) -> Rejected | None:
    """The first of our sentences whose words the vendor's refusal holds. The vendor's own text is
    never shown: it may repeat what was sent."""
    lower = said.lower()
    return next((Rejected(ours) for words, ours in sentences if words in lower), None)


# --- Paths -----------------------------------------------------------------------------------
def segment(text: str) -> str:
    """One path segment, percent-encoded. Raises NotFound for what would climb or vanish."""
    if text in ("", ".", ".."):
        raise NotFound(f"{text!r} is not a name.")
    return quote(text, safe="", errors="replace")  # JSON may hold half a pair, \ud800


def is_number(name: str) -> bool:
    """Whether a name is a number in plain digits, as most vendors' builds are called."""
    return name.isascii() and name.isdigit() and len(name) <= MAX_DIGITS


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


def first_line(value: object) -> str:
    """The first line of a text."""
    return text(value).strip().partition("\n")[0].rstrip()


def short(value: object) -> str:
    """What a vendor says for people, in one line and cut."""
    line = " ".join(text(value).split())
    return line if len(line) <= LONGEST_SAYING else f"{line[: LONGEST_SAYING - 1]}…"


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


def epoch_seconds(value: object) -> datetime | None:
    """Seconds since 1970; None as in epoch_ms()."""
    seconds = integer(value)
    return epoch_ms(seconds * 1000) if seconds else None


def not_before(moment: datetime | None, other: datetime | None) -> datetime | None:
    """`moment`, but never before `other`: a runner's clock is not its server's."""
    return max(moment, other) if moment and other else moment
