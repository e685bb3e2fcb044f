"""Lists of GitHub and Bitbucket that come in pages, read whole or not at all."""

from typing import Any

from django.conf import settings

from portal.http import HttpClient, Response, origin
from portal.social.configuration import Door

BITBUCKET_API = "https://api.bitbucket.org"
GITHUB_API = "https://api.github.com"
MAX_PAGES, PER_PAGE = 500, 100


class NotRead(Exception):
    """The reading did not succeed as a whole; the text is a sentence without a secret."""


def github_api(door: Door) -> str:
    """Where GitHub's REST API is: below the address of an Enterprise Server, else beside it."""
    return GITHUB_API if door.issuer == "https://github.com" else f"{door.issuer}/api/v3"


def paged(api: str, path: str, token: str) -> list[dict[str, Any]]:
    """All items of a list that comes in pages. Raises NotRead, HttpError."""
    size = f"per_page={PER_PAGE}&pagelen={PER_PAGE}"  # GitHub's word, and Bitbucket's
    url: str | None = f"{api}{path}{'&' if '?' in path else '?'}{size}"
    items: list[dict[str, Any]] = []
    for _ in range(MAX_PAGES):
        answer = ask(url or "", token)
        page = items_of(answer)
        items += page if isinstance(page, list) else page["values"]
        url = _next(answer, page)
        if not url:
            return items
        if origin(url) != origin(api):
            raise NotRead(f"{origin(api)} continues its list on another host.")
    raise NotRead(f"{origin(api)} has more than {MAX_PAGES} pages.")


def ask(url: str, token: str) -> Response:
    """One question with a bearer token."""
    client = HttpClient(allow=settings.OUTGOING_ALLOW, ca_bundle=settings.OUTGOING_CA_BUNDLE)
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    return client.request("GET", url, headers=headers)


def items_of(answer: Response) -> Any:
    """The answer's JSON. Raises NotRead, NotJson."""
    if answer.status != 200:
        raise NotRead(f"{origin(answer.url)} answered {answer.status}.")
    return answer.json()


def _next(answer: Response, page: Any) -> str | None:
    """The next page's address: in the Link header (GitHub) or in the body (Bitbucket)."""
    return page.get("next") if isinstance(page, dict) else answer.next_page
