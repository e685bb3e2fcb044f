"""What readers of repository hosts share on the wire: limits, pages, and refusals in sentences.

A host limits how often it may be asked, and other programs share the credential. So a reading ends
as soon as the host says "too often", with what it has; the next one goes on from there. No
answer's text reaches a sentence: it could repeat what the request held.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from catalog.descriptors import ReadError
from catalog.sources.base import MAX_FILE_BYTES, HostStops, NotThere, Usage
from catalog.sources.tree import file_text
from portal.http import HttpClient, HttpError, NotJson, RedirectRefused, Response, TooLarge

JSON = "application/json"
# Of a list; 100 rows each.
MAX_PAGES = 500
# Failures in a row after which a host is taken to be down.
MAX_FAILURES = 8
HOUR = 3600.0
MAX_WAIT = timedelta(days=1)
MAX_KEYS = 100
HTML_STARTS = (b"<!doctype html", b"<html")
GOES_ON = "This reading ends here with what it has; nothing else changes, and the next one goes on."

Row = Mapping[str, Any]
# What was asked within the last hour by this process, per credential: monotonic times.
_asked: dict[str, deque[float]] = {}


class ToldAbsent(NotThere):
    """A 404 in the API's own words (JSON): no page of a proxy or of a sign-in."""


class Host:
    """One host's API below `base`. Counts in `usage`; after HostStops it asks nothing more."""

    def __init__(
        self,
        name: str,
        base: str,
        client: HttpClient,
        headers: Mapping[str, str],
        *,
        hourly: int = 0,
        account: str = "",
    ) -> None:
        """`name` is for sentences. `hourly` is how often `account` (a name of the credential, not
        itself one) may be asked by us where the host does not tell what is left; 0: any number."""
        self.name = name
        self.base = base.rstrip("/")
        self.usage = Usage()
        self._client = client
        self._headers = headers
        self._hourly = hourly
        self._times = _times(f"{self.base} {account}") if hourly else deque()
        self._failures = 0
        self._stopped = ""

    def get(
        self,
        address: str,
        params: Mapping[str, str] | None = None,
        *,
        accept: str = JSON,
        max_bytes: int | None = None,
        counted: bool = True,
    ) -> Response:
        """The 200 answer at a path below `base`, or at a whole URL there.

        Raises NotThere (404, 410), HostStops (limits, the credential) or ReadError. `counted`: it
        falls under `hourly`.
        """
        url = address if address.startswith(f"{self.base}/") else self.base + address
        self._admit(counted)
        self.usage.requests += 1
        try:
            answer = self._client.request(
                "GET",
                url,
                headers={"Accept": accept, **self._headers},
                params=params,
                max_bytes=max_bytes,
            )
        except (RedirectRefused, TooLarge) as error:
            raise ReadError(f"{self.name}: {error}") from None
        except HttpError as error:
            raise self._failed(f"{self.name}: {error}") from None
        self.learn(answer)
        if answer.status == 200:
            self._failures = 0
            return answer
        raise self._refusal(answer)

    def json(self, address: str, params: Mapping[str, str] | None = None) -> Any:
        """A JSON answer, of any shape."""
        return self.parsed(self.get(address, params))

    def one(self, address: str, params: Mapping[str, str] | None = None) -> Row:
        """A JSON object."""
        answer = self.json(address, params)
        if not isinstance(answer, dict):
            raise self.misshapen()
        return answer

    def pages(
        self,
        address: str,
        params: Mapping[str, str],
        rows: Callable[[Any], object],
        following: Callable[[Any, Response], str],
    ) -> Iterator[list[Row]]:
        """Every page of a list, as it comes. `rows` takes them out of an answer, `following` the
        whole URL of the next page ("" at the end): followed below `base` only, and once each."""
        url, query, seen = self.base + address, dict(params), set()
        for _ in range(MAX_PAGES):
            answer = self.get(url, query)
            body = self.parsed(answer)
            yield self.rows(rows(body))
            url, query = following(body, answer), {}
            if not url:
                return
            if not url.startswith(f"{self.base}/"):
                raise ReadError(f"{self.name}'s next page is on another host or path.")
            if url in seen:
                raise ReadError(f"{self.name}'s list of pages goes in a circle.")
            seen.add(url)
        raise ReadError(f"{self.name} lists more than {MAX_PAGES:,} pages.")

    def file(self, address: str, shown: str, params: Mapping[str, str] | None = None) -> bytes:
        """A file's bytes as they are; `shown` is its name in sentences."""
        answer = self.get(address, params, accept="*/*", max_bytes=MAX_FILE_BYTES, counted=False)
        start = answer.body[:200].lstrip()
        if start.lower().startswith(HTML_STARTS) and not shown.endswith((".html", ".htm", ".md")):
            raise ReadError(f"{self.name} answered a web page (HTML) in place of {shown}.")
        return file_text(shown, answer.body)

    # --- What vendors do differently -------------------------------------------------------------
    def learn(self, answer: Response) -> None:
        """Keeps what the headers tell of the limit; may stop() before it is reached."""
        usage, headers = self.usage, answer.headers
        usage.limit = number(headers.get("X-RateLimit-Limit"), usage.limit)
        usage.remaining = number(headers.get("X-RateLimit-Remaining"), usage.remaining)

    def limited(self, answer: Response) -> bool:
        """Whether a refusal means "too often"."""
        return answer.status == 429

    def refused(self, answer: Response) -> str:
        """The sentence for 403: what the credential lacks."""
        return f"{self.name}: the credential lacks a right for this (403)."

    # --- Refusals --------------------------------------------------------------------------------
    def stop(self, sentence: str) -> HostStops:
        """From now on nothing is asked any more."""
        self._stopped = sentence
        return HostStops(sentence)

    def misshapen(self) -> ReadError:
        return ReadError(f"{self.name} answered JSON of another shape than its API gives.")

    def rows(self, answer: object) -> list[Row]:
        """A list of objects; whatever else is no list, and that is not "none"."""
        if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
            raise self.misshapen()
        return answer

    def parsed(self, answer: Response) -> Any:
        """The JSON of an answer."""
        try:
            return answer.json()
        except NotJson as error:
            hint = " Is there a sign-in page in front, or is the address another site's?"
            wrong = hint if answer.content_type == "text/html" else ""
            raise ReadError(f"{self.name}: {error}{wrong}") from None

    def _admit(self, counted: bool) -> None:
        """Raises HostStops where nothing may be asked."""
        if self._stopped:
            raise HostStops(self._stopped)
        if not self._hourly or not counted:
            return
        now = time.monotonic()
        while self._times and self._times[0] < now - HOUR:
            self._times.popleft()
        if len(self._times) >= self._hourly:
            raise self.stop(
                f"{self.name} was asked {self._hourly:,} times within an hour; the rest of its "
                f"limit is left to others. {GOES_ON}"
            )
        self._times.append(now)

    def _refusal(self, answer: Response) -> ReadError:
        status = answer.status
        if self.limited(answer):
            self.usage.reset_at = waits_until(answer, self.usage.reset_at)
            until = f" until {self.usage.reset_at:%H:%M} UTC" if self.usage.reset_at else ""
            return self.stop(f"{self.name} was asked too often ({status}){until}. {GOES_ON}")
        if status == 401:
            return self.stop(
                f"{self.name} does not accept the credential (401). Was it revoked, or has it "
                "expired? Nothing changes until the source has one that works."
            )
        if status in {404, 410}:
            self._failures = 0
            absent = ToldAbsent if _is_json(answer) else NotThere
            return absent(f"{self.name} has no such thing, or hides it ({status}).")
        if status == 403:
            return ReadError(self.refused(answer))
        return self._failed(f"{self.name} fails at the moment ({status}).")

    def _failed(self, sentence: str) -> ReadError:
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            return self.stop(f"{sentence} It did so {MAX_FAILURES} times in a row. {GOES_ON}")
        return ReadError(sentence)


def _is_json(answer: Response) -> bool:
    try:
        return isinstance(answer.json(), dict)
    except NotJson:
        return False


def _times(key: str) -> deque[float]:
    if key not in _asked and len(_asked) >= MAX_KEYS:
        del _asked[next(iter(_asked))]
    return _asked.setdefault(key, deque())


def waits_until(answer: Response, known: datetime | None = None) -> datetime | None:
    """When the host takes requests again, by `Retry-After` (seconds) or `known`."""
    seconds = number(answer.headers.get("Retry-After"), None)
    if seconds is None:
        return known
    return datetime.now(UTC).replace(microsecond=0) + min(timedelta(seconds=seconds), MAX_WAIT)


# --- Reading what may have any shape -------------------------------------------------------------
def number(value: str | None, otherwise: int | None) -> int | None:
    """A header's whole number, at least 0."""
    plain = (value or "").strip()
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 12 else otherwise


def mapping(value: object) -> Row:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """The value when it is a text, else empty."""
    return value if isinstance(value, str) else ""


def moment(value: object) -> datetime | None:
    """ISO 8601; without a zone it is UTC."""
    try:
        told = datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def web_link(value: object) -> str:
    """A URL that a page may link to: http(s) only, else empty."""
    link = text(value)
    return link if link.lower().startswith(("https://", "http://")) else ""


# --- Paths ---------------------------------------------------------------------------------------
def segments(*names: str) -> str:
    """A path of percent-encoded names, each of which may hold "/" between names of its own."""
    parts = [part for name in names for part in name.split("/")]
    if any(part in {"", ".", ".."} for part in parts):
        raise ReadError(f'"{"/".join(names)}" is not a path at the host.')
    return "".join("/" + quote(part, safe="", errors="replace") for part in parts)


def words(options: Mapping[str, Any], name: str, default: Sequence[str] = ()) -> tuple[str, ...]:
    """An option that is a list of words."""
    value = options.get(name)
    listed = value.split() if isinstance(value, str) else value
    found = tuple(text(word).strip() for word in listed) if isinstance(listed, list) else ()
    return tuple(word for word in found if word) or tuple(default)
