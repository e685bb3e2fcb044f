"""Travis CI on the wire: version and token, the v3 envelope, pages, refusals in our own words.

Sources: developer.travis-ci.com and travis-ci/travis-api. Links of answers are never followed; they
only name objects, since behind an Enterprise's `/api` they don't fit the base URL.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

from pipelines.providers.errors import (
    Forbidden,
    InvalidResponse,
    NotAuthorized,
    NotFound,
    ProviderError,
    RateLimited,
    Rejected,
)
from pipelines.providers.wire import (
    EPOCH,
    MAX_RETRY_AFTER,
    Wire,
    integer,
    mapping,
    single_word,
    text,
)
from portal.credentials import Secret
from portal.http import HttpClient, Response

PAGE = 100
MAX_PAGES = 200
# No header tells how long to wait; requests are counted by the minute.
WINDOW = 60.0
SHAPE = "Travis CI answered JSON of another shape than its API v3 gives."
# Travis has no 401: whatever is wrong with a token is a 403, told apart by type or by text.
KINDS: Mapping[str, tuple[type[ProviderError], str]] = MappingProxyType(
    {
        "login_required": (NotAuthorized, "Travis CI took no notice of the token."),
        "wrong_credentials": (NotAuthorized, "Travis CI does not accept the credential."),
        "insufficient_access": (
            Forbidden,
            "The token's user lacks the right for this on the repository.",
        ),
        "admin_access_required": (Forbidden, "Only an admin of the repository may do this."),
        "private_repo_feature": (Rejected, "Travis CI offers this for private repositories only."),
        "repo_migrated": (
            Rejected,
            "The repository has moved to travis-ci.com and is read-only here.",
        ),
        "repository_inactive": (
            Rejected,
            "The repository is not switched on in Travis CI; activate it first.",
        ),
        "log_expired": (NotFound, "Travis CI no longer keeps this log."),
        "log_access_denied": (Forbidden, "The repository's settings hide its logs from the token."),
        "build_not_cancelable": (Rejected, "The build has ended already."),
        "job_not_cancelable": (Rejected, "The job has ended already."),
        "build_already_running": (Rejected, "The build is running already."),
    }
)


class Answer:
    """One v3 answer. An object that stood in it before is only a link the second time."""

    def __init__(self, data: Mapping[str, Any], now: datetime = EPOCH) -> None:
        self.data = data
        self.now = now  # by the vendor's clock
        self._known: dict[str, Mapping[str, Any]] = {}
        for node in _objects(data):
            href = text(node.get("@href"))
            if href and len(node) > 1:
                self._known.setdefault(href, node)

    def at(self, row: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """The object under a key, found again when only its link stands there; else empty."""
        found = mapping(row.get(key))
        if found.keys() == {"@href"}:
            return self._known.get(text(found["@href"]), {})
        return found

    def rows(self, key: str) -> list[Mapping[str, Any]]:
        """The objects of a list. Raises InvalidResponse when there is no such list."""
        rows = self.data.get(key)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InvalidResponse(SHAPE)
        return rows


def _objects(data: object) -> Iterator[Mapping[str, Any]]:
    waiting = [data]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


class TravisWire(Wire):
    """The API below the base URL: https://api.travis-ci.com, or https://HOST/api."""

    label = "Travis CI"

    def __init__(self, http: HttpClient, base_url: str, credential: Secret) -> None:
        token = single_word(credential, "A Travis CI credential is an API token: one word.")
        headers = {
            # Without a version the old API answers, with other shapes.
            "Travis-API-Version": "3",
            "Authorization": f"token {token}",
            "User-Agent": "Stagedoor",
        }
        super().__init__(http, base_url, headers)

    def ask(
        self, path: str, params: Mapping[str, str] | None = None, *, max_bytes: int | None = None
    ) -> Answer:
        """Reads one answer."""
        response = self.get(path, params, max_bytes=max_bytes)
        data = self.json(response)
        if not isinstance(data, dict) or data.get("@type") == "error":
            raise InvalidResponse(SHAPE)
        return Answer(data, self.clock(response))

    def all_rows(self, path: str, key: str, params: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Reads every page of a list; complete, or an error."""
        found: dict[object, Mapping[str, Any]] = {}
        for answer, rows in self.pages(path, key, params):
            fresh = {row.get("id"): row for row in rows if row.get("id") not in found}
            if rows and not fresh:
                raise InvalidResponse("Travis CI gives the same page of its list again and again.")
            found |= fresh
            if not _more(answer, rows):
                return list(found.values())
        raise InvalidResponse(f"Travis CI lists more than {MAX_PAGES * PAGE:,} of these.")

    def pages(
        self, path: str, key: str, params: Mapping[str, str], most: int = MAX_PAGES
    ) -> Iterator[tuple[Answer, list[Mapping[str, Any]]]]:
        """Page after page, until the caller has enough; an empty one may be the last."""
        offset = 0
        for _ in range(most):
            asked = {**params, "limit": str(PAGE), "offset": str(offset)}
            answer = self.ask(path, asked)
            rows = answer.rows(key)
            yield answer, rows
            # A larger limit than the vendor's own is cut without a word; this tells.
            told = integer(mapping(answer.data.get("@pagination")).get("limit"))
            offset += told if told and told > 0 else max(len(rows), 1)

    def clock(self, response: Response) -> datetime:
        """The vendor's time, which may differ from ours; ours where it does not tell."""
        try:
            moment = parsedate_to_datetime(response.headers.get("Date", ""))
        except (TypeError, ValueError):
            return datetime.now(UTC)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def failure(self, response: Response, *, write: bool) -> ProviderError:
        """Told apart by the error's type, or by the plain texts of the layers before the API."""
        error = _error(response)
        kind = text(error.get("error_type"))
        if kind in KINDS:
            known, sentence = KINDS[kind]
            return known(sentence)
        if response.status == 429:
            most = integer(error.get("max_requests"))
            return RateLimited(_limit_sentence(kind, most), MAX_RETRY_AFTER if kind else WINDOW)
        if response.status == 403 and not error:
            said = response.body[:100].strip().lower()
            if said == b"access denied":
                return NotAuthorized("Travis CI does not accept the token: unknown or expired.")
            if said == b"forbidden":
                return RateLimited(
                    "Travis CI has shut this token out for up to an hour: it wrote too often.",
                    MAX_RETRY_AFTER,
                )
        return super().failure(response, write=write)


def _more(answer: Answer, rows: Sequence[object]) -> bool:
    """Whether another page follows. `next` is never null where nobody counted, so an empty page
    ends a list whatever stands beside it."""
    page = mapping(answer.data.get("@pagination"))
    if not rows or page.get("is_last") is True:
        return False
    if not page:
        return len(rows) >= PAGE
    return page.get("next") is not None


def _limit_sentence(kind: str, most: int | None) -> str:
    if kind != "request_limit_reached":
        return "Travis CI was asked too often."
    times = f"{most} times" if most else "so often"
    return f"Travis CI lets clients start builds of one repository {times} an hour, and that is up."


def _error(response: Response) -> Mapping[str, Any]:
    """The JSON of an error; that of a log is called text/plain."""
    try:
        return mapping(json.loads(response.body))
    except (ValueError, RecursionError):
        return {}
