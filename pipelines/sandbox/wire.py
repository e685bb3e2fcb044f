"""HTTP as the vendors' files see it: a request in, an answer out, no sockets."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, unquote

from .engine import Instance, World
from .journal import Entry
from .objects import Build, Hook
from .script import Snapshot


class BadBody(Exception):
    """The request's body is not what its type says."""


@dataclass(frozen=True)
class Request:
    """One request. `segments` are the decoded path parts behind the instance's prefix."""

    world: World
    instance: Instance
    entry: Entry
    method: str
    path: str  # as sent, still encoded
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    headers: Message
    body: bytes
    origin: str  # scheme, host and port as the client asked for them

    def get(self, name: str, default: str = "") -> str:
        """The first value of a query argument."""
        return next((value for key, value in self.query if key == name), default)

    def all(self, name: str) -> list[str]:
        """All values of a query argument, `name` and `name[]` alike."""
        return [value for key, value in self.query if key in (name, f"{name}[]")]

    def form(self) -> list[tuple[str, str]]:
        """Query and urlencoded body together, as servlets see them."""
        fields = list(self.query)
        if self.headers.get_content_type() == "application/x-www-form-urlencoded":
            fields += parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return fields

    def json(self) -> Any:
        """The JSON body; an empty one is {}."""
        if not self.body.strip():
            return {}
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise BadBody("The body is not JSON.") from error

    @property
    def base(self) -> str:
        """The instance's own address as the client sees it, without a trailing slash."""
        return f"{self.origin}/{self.instance.prefix}"


@dataclass
class Answer:
    """What goes back. A body of several pieces is sent chunked."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outgoing:
    """A webhook to be sent: signed, whole, ready for one POST."""

    url: str
    headers: dict[str, str]
    body: bytes
    redirect: bool = False  # whether this vendor follows redirects
    retries: tuple[float, ...] = ()  # seconds before each further attempt after a 5xx or no answer
    timeout: float = 10.0


@dataclass(frozen=True)
class Changed:
    """What happened to a build at one moment; `before` is None for one just created.

    `hook` is whom it is told. Addresses in a payload begin with `instance.base`.
    """

    instance: Instance
    build: Build
    before: Snapshot | None
    after: Snapshot
    at: float = 0.0  # by the instance's clock
    hook: Hook | None = None


@dataclass(frozen=True)
class Vendor:
    """How one vendor speaks. `route` classifies a request for faults and for the journal.

    `rights` are all that a token may have, `api` is what a base URL has behind the prefix, and
    `credential` puts a login and a token into the form that a credential of this vendor has.
    `hooks` are the deliveries that a change causes, to an address with a secret; `hook_path` puts
    the secret into the address of a vendor that can't sign.
    """

    slug: str
    route: Callable[[str, tuple[str, ...]], str]
    answer: Callable[[Request], Answer]
    rate_limited: Callable[[Instance, float], Answer]
    failure: Callable[[Instance, int], Answer]
    rights: tuple[str, ...] = ()
    api: str = ""
    credential: Callable[[str, str], str] = lambda login, token: token
    hooks: Callable[[Changed, str, str], Sequence[Outgoing]] | None = None
    hook_path: Callable[[str], str] = lambda secret: ""  # what an address has behind it


def json_answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(
        status,
        json.dumps(value, ensure_ascii=False).encode(),
        {"Content-Type": "application/json;charset=utf-8"} | (headers or {}),
    )


def html_answer(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(
        status, text.encode(), {"Content-Type": "text/html;charset=utf-8"} | (headers or {})
    )


def text_answer(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(
        status, text.encode(), {"Content-Type": "text/plain;charset=utf-8"} | (headers or {})
    )


def decoded(path: str) -> tuple[str, ...]:
    """The path's parts, each decoded once; empty parts (double or trailing slash) fall away."""
    return tuple(unquote(part) for part in path.split("/") if part)


def http_date(at: float) -> str:
    return formatdate(at, usegmt=True)
