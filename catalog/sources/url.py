"""Reads descriptors over http(s), from one origin only.

Stricter than Backstage: a target on another host is refused, since whoever may edit a descriptor
could otherwise let the portal fetch any address, with the source's credential at that.
"""

from urllib.parse import urldefrag, urljoin, urlsplit

from catalog.descriptors import ReadError
from catalog.sources.base import MAX_FILE_BYTES, Listing, NotThere, Place, SourceFailed, Usage
from portal.credentials import Secret
from portal.http import HttpClient, HttpError, Response, origin

HTML_STARTS = (b"<!doctype html", b"<html")


class UrlReader:
    """Locations are absolute URLs without a fragment."""

    type = "url"

    def __init__(self, target: str, client: HttpClient, credential: Secret | None = None) -> None:
        """Raises SourceFailed when `target` is not a complete http(s) URL."""
        try:
            parts = urlsplit(target)
            usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
        except ValueError:
            usable = False
        if not usable or "@" in parts.netloc:
            raise SourceFailed(
                "The target is not a complete http:// or https:// URL without a user name."
            )
        self._root = urldefrag(target).url
        self._client = client
        self.usage = Usage()
        self._headers = {"Accept": "application/yaml, text/yaml, text/plain, */*;q=0.5"}
        if credential is not None:
            self._headers["Authorization"] = f"Bearer {credential.reveal()}"

    def roots(self) -> Listing:
        return Listing([self._root])

    def targets(self, base: str, target: str) -> list[str]:
        if "*" in target:
            raise ReadError(f'"{target}": wild cards need a folder to search; name each file.')
        try:
            url = urldefrag(urljoin(base, target)).url
            same = origin(url) == origin(self._root)
        except ValueError:
            raise ReadError(f'"{target}" is not a URL.') from None
        if not same:
            raise ReadError(
                f'"{target}" is not on {origin(self._root)}. A source reads from one host only; '
                "add a source for the other."
            )
        return [url]

    def read(self, location: str) -> bytes:
        try:
            self.usage.requests += 1
            answer = self._client.request(
                "GET", location, headers=self._headers, max_bytes=MAX_FILE_BYTES
            )
        except HttpError as error:
            raise ReadError(str(error)) from None
        return _body(location, answer)

    def place(self, location: str) -> Place:
        return Place(url=location)


def _body(location: str, answer: Response) -> bytes:
    """The text of a descriptor, or the sentence that says what came instead."""
    status, host = answer.status, origin(location)
    if status in {404, 410}:
        raise NotThere(f"{host} has no such file (it answered {status}).")
    if status in {401, 403}:
        raise ReadError(f"{host} refused access ({status}). Check the source's credential.")
    if status != 200:
        raise ReadError(f"{host} answered {status} in place of the file.")
    start = answer.body[:64].lstrip().lower()
    if "html" in answer.content_type or start.startswith(HTML_STARTS):
        raise ReadError(
            f"{host} answered a web page (HTML), not a descriptor: it may ask to sign in, "
            'or the address of the "raw" file is needed.'
        )
    return answer.body
