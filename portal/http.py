"""The one outgoing HTTP client: requests with bounds on where, how long and how much.

It refuses private addresses (portal/egress.py), follows no redirect off the host, stops endless
and slow bodies, and tells "certainly not sent" from "may have been sent", on which every retry
of a write hangs. No error text holds a path, a query, a header or a body.
"""

import json as jsonlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import ReadTimeoutError

from portal.egress import Blocked, ConnectFailed, Egress, HttpError, guarded_session

__all__ = [
    "Blocked",
    "ConnectFailed",
    "ConnectionLost",
    "HttpClient",
    "HttpError",
    "NotJson",
    "RedirectRefused",
    "Response",
    "TimedOut",
    "TooLarge",
    "origin",
]

SAFE_METHODS = frozenset({"GET", "HEAD"})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5
CHUNK = 65_536


class ConnectionLost(HttpError):
    """The connection ended before the answer was whole; the request may have been carried out."""


class TimedOut(HttpError):
    """No whole answer in time; the request may have been carried out."""


class TooLarge(HttpError):
    """The answer is larger than the limit."""


class RedirectRefused(HttpError):
    """A redirect to another origin, or too many of them; `host` is where it pointed."""

    def __init__(self, message: str, host: str) -> None:
        super().__init__(message)
        self.host = host


class NotJson(HttpError):
    """The answer is not JSON, by its Content-Type or its text."""


@dataclass(frozen=True)
class Response:
    """A whole answer of any status. `truncated` says that the body was cut at the limit."""

    status: int
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)  # names in any case
    body: bytes = field(repr=False)
    elapsed: float  # seconds
    truncated: bool = False

    @property
    def content_type(self) -> str:
        """For example "application/json", without parameters, in lower case."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def next_page(self) -> str:
        """What the header Link names as the next page of a list (RFC 8288), wherever that leads."""
        links = requests.utils.parse_header_links(self.headers.get("Link", ""))
        return next((link["url"] for link in links if link.get("rel") == "next"), "")

    def text(self) -> str:
        """The body as text; bytes that do not decode become U+FFFD."""
        encoding = requests.utils.get_encoding_from_headers(
            CaseInsensitiveDict({"content-type": self.headers.get("Content-Type", "")})
        )
        # The library assumes ISO-8859-1 for text/* without a charset; today that means UTF-8.
        if encoding is None or "charset" not in self.headers.get("Content-Type", "").lower():
            encoding = "utf-8"
        try:
            return self.body.decode(encoding, errors="replace")
        except (LookupError, UnicodeError):  # unknown, or an encoding of names and not of texts
            return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The parsed body. Raises NotJson when it isn't JSON by Content-Type or by parsing."""
        kind = self.content_type
        if kind != "application/json" and not kind.endswith("+json"):
            raise NotJson(f"{origin(self.url)} answered {kind or 'no content type'}, not JSON.")
        try:
            return jsonlib.loads(self.body)
        except (ValueError, RecursionError):
            raise NotJson(f"{origin(self.url)} answered JSON that does not parse.") from None


@dataclass(frozen=True)
class _Bounds:
    """How much of one answer is read, and for how long; see HttpClient.request()."""

    limit: int
    truncate: bool
    linger: float | None


def origin(url: str) -> str:
    """Scheme, host and port of a URL: the only part that an error or a log line may show."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an invalid URL"
    return f"{parts.scheme}://{parts.hostname or ''}{port}"


class HttpClient:
    """Outgoing requests with bounds. Safe to share between threads; one per process is enough.

    `allow` is settings.OUTGOING_ALLOW (see Egress); `timeout` is (connect, read) in seconds,
    `deadline` the seconds that one request may take in all, `max_bytes` counts the decoded body,
    `ca_bundle` is a file of certificate authorities to trust in place of the public ones.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        timeout: tuple[float, float] = (5, 30),
        deadline: float = 60,
        max_bytes: int = 10_000_000,
        ca_bundle: str = "",
    ) -> None:
        self._timeout = timeout
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._session = partial(guarded_session, Egress(allow), deadline, ca_bundle)
        self._reads = self._session()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        data: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        json: object = None,
        max_bytes: int | None = None,
        truncate: bool = False,
        follow: bool = True,
        linger: float | None = None,
    ) -> Response:
        """Sends one request and reads its whole answer; a status of 400 or more is no error here.

        `follow` obeys redirects of GET and HEAD on the same origin; any other redirect of them
        raises RedirectRefused. Without it, and for writes, the 3xx answer itself is returned.
        `truncate` cuts the body at `max_bytes` (0: headers only) instead of raising TooLarge.
        `linger` is for a stream that never ends by itself: what has come within so many seconds of
        its headers is returned, cut where it is.
        A read whose connection ends without an answer is asked once more; a write never is.
        """
        question = requests.Request(
            method, url, headers=headers, params=params, data=data, json=json
        )
        bounds = _Bounds(self._max_bytes if max_bytes is None else max_bytes, truncate, linger)
        if method in SAFE_METHODS:
            return self._ask(self._reads, question, bounds, follow)
        # A write never goes out on a kept connection: the server may have closed it a moment
        # ago, and then nobody could say whether the write was carried out.
        with self._session() as session:
            session.headers["Connection"] = "close"
            return self._ask(session, question, bounds, follow=False)

    def _ask(
        self,
        session: requests.Session,
        question: requests.Request,
        bounds: _Bounds,
        follow: bool,
    ) -> Response:
        started = time.monotonic()
        for _ in range(MAX_REDIRECTS + 1):
            _require_plain(str(question.url))
            try:
                answer = self._send(session, question, bounds)
            except ConnectionLost:
                if session is not self._reads:
                    raise
                # The server had closed the kept connection; a read may be asked again.
                answer = self._send(session, question, bounds)
            with answer:
                target = answer.headers.get("Location", "")
                if not (follow and answer.status_code in REDIRECTS and target):
                    body, cut = self._read(answer, started, bounds)
                    return Response(
                        status=answer.status_code,
                        url=str(answer.url),
                        headers=answer.headers,
                        body=body,
                        elapsed=time.monotonic() - started,
                        truncated=cut,
                    )
                question.url, question.params = _same_origin(str(answer.url), target), {}
        last = str(question.url)
        raise RedirectRefused(
            f"{origin(last)} redirects more than {MAX_REDIRECTS} times.", urlsplit(last).netloc
        )

    def _send(
        self, session: requests.Session, request: requests.Request, bounds: _Bounds
    ) -> requests.Response:
        where = origin(str(request.url))
        timeout = (self._timeout[0], bounds.linger or self._timeout[1])
        try:
            prepared = session.prepare_request(request)
        except (requests.RequestException, ValueError):
            raise Blocked(f"{where}: not a URL or header that can be sent.") from None
        try:
            return session.send(prepared, timeout=timeout, stream=True, allow_redirects=False)
        except requests.Timeout:
            raise TimedOut(f"{where} did not answer within {timeout[1]:g} s.") from None
        except (requests.RequestException, Urllib3Error, OSError):
            raise ConnectionLost(f"{where} ended the connection without an answer.") from None

    def _read(
        self, answer: requests.Response, started: float, bounds: _Bounds
    ) -> tuple[bytes, bool]:
        """The decoded body and whether it was cut. read1() returns what has come, so that a slow
        drip meets the deadline and a decompressed body is counted as it grows."""
        where = origin(str(answer.url))
        body, limit = bytearray(), bounds.limit
        leaves_at = time.monotonic() + (bounds.linger or self._deadline)
        while True:
            if bounds.linger and time.monotonic() > leaves_at:
                return bytes(body[:limit]), True
            if time.monotonic() - started > self._deadline:
                raise TimedOut(f"{where} did not finish its answer within {self._deadline:g} s.")
            if bounds.truncate and len(body) >= limit:
                return bytes(body[:limit]), True
            try:
                piece = answer.raw.read1(CHUNK, decode_content=True)
            except ReadTimeoutError:
                if bounds.linger:
                    return bytes(body[:limit]), True
                raise TimedOut(f"{where} stopped in the middle of its answer.") from None
            except (Urllib3Error, OSError):
                raise ConnectionLost(f"{where} broke off its answer.") from None
            if not piece:
                return bytes(body), False
            body += piece
            if len(body) > limit and not bounds.truncate:
                raise TooLarge(f"{where} answered more than {limit:,} bytes.")


def _require_plain(url: str) -> None:
    """Raises Blocked for other schemes and for user names in URLs (they end up in logs)."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable:
        raise Blocked("Only complete http:// and https:// URLs can be asked.")
    if "@" in parts.netloc:
        raise Blocked(f"{origin(url)}: a URL may not hold a user name or password.")


def _same_origin(url: str, location: str) -> str:
    """The redirect's target. Raises RedirectRefused when it leaves scheme, host or port."""
    try:
        target = urljoin(url, location)
        same = _endpoint(target) == _endpoint(url)
    except ValueError:
        raise RedirectRefused(f"{origin(url)} redirects to an invalid URL.", "") from None
    if not same:
        raise RedirectRefused(
            f"{origin(url)} redirects to {origin(target)}, which was not asked for.",
            urlsplit(target).netloc.rpartition("@")[2],
        )
    return target


def _endpoint(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
