"""Reads descriptors over http(s), from one repository of a known host, else from one origin only.

Stricter than Backstage: a target elsewhere is refused, since whoever may edit a descriptor could
otherwise let the portal fetch any address, with the source's credential at that.

People copy the address of a file's page. Where the host is known (web_urls.py), the location is
that page and the raw file is read. A URL has no version: which one was read last is the digest's.
"""

import posixpath
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from catalog.descriptors import ReadError
from catalog.sources.base import MAX_FILE_BYTES, Listing, NotThere, Place, SourceFailed, Usage
from catalog.sources.tree import file_text
from catalog.sources.web_urls import FileAddress, parse_file, parse_repository, same_repository
from portal.credentials import Secret
from portal.http import HttpClient, HttpError, Response, origin

HTML_STARTS = (b"<!doctype html", b"<html")
# GitHub's API gives a file itself only when asked so; others take what they like of this.
ACCEPT = "application/vnd.github.raw, application/yaml, text/yaml, text/plain, */*;q=0.5"


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
        self._root = _location(target)
        self._client = client
        self.usage = Usage()
        self._headers = {"Accept": ACCEPT}
        self._authorised = credential is not None
        if credential is not None:
            self._headers["Authorization"] = f"Bearer {credential.reveal()}"

    def roots(self) -> Listing:
        return Listing([self._root])

    def targets(self, base: str, target: str) -> list[str]:
        if "*" in target:
            raise ReadError(f'"{target}": wild cards need a folder to search; name each file.')
        try:
            url = _joined(base, target)
            same = origin(url) == origin(self._root)
        except ValueError:
            raise ReadError(f'"{target}" is not a URL.') from None
        if not same:
            raise ReadError(
                f'"{target}" is not on {origin(self._root)}. A source reads from one host only; '
                "add a source for the other."
            )
        if same_repository(self._root, url) is False:
            raise ReadError(
                f'"{target}" is in another repository. A source reads from one only; add a source '
                "for the other."
            )
        if self._authorised and not _below(self._root, url):
            raise ReadError(
                f'"{target}" is outside the folder of the source\'s file. Where the host is not '
                "known, its credential reads that folder only; add a source for the other."
            )
        return [url]

    def read(self, location: str) -> bytes:
        try:
            self.usage.requests += 1
            answer = self._client.request(
                "GET", self._address(location), headers=self._headers, max_bytes=MAX_FILE_BYTES
            )
        except HttpError as error:
            raise ReadError(str(error)) from None
        return file_text(location, _body(location, answer))

    def place(self, location: str) -> Place:
        address = parse_file(location)
        if address is None:
            return Place(url=location)
        ref, path = address.split()
        pages = address.repository
        return Place(url=pages.page(ref, path), edit_url=pages.edit(ref, path))

    def _address(self, location: str) -> str:
        """What is asked for: the file's own address, where the location is that of its page."""
        address = parse_file(location)
        if address is None or address.raw:
            return location
        ref, path = address.split()
        pages = address.repository
        return pages.authorised(ref, path) if self._authorised else pages.raw(ref, path)


def _location(url: str) -> str:
    """One spelling for a file: of a known host, its page; elsewhere the URL without fragment."""
    address = parse_file(url)
    if address is None:
        return urldefrag(url).url
    own = origin(url) == origin(address.repository.root)
    if address.raw and own:
        return urldefrag(url).url  # as written: who knows whether the page is there
    return address.repository.page(*address.split())


def _joined(base: str, target: str) -> str:
    """The location that `target` names in the file `base`. Raises ValueError, ReadError."""
    address = parse_file(base)
    if "://" in target or target.startswith("//"):
        return _location(urljoin(base, target))
    if address is None:
        return urldefrag(urljoin(base, target)).url
    if address.raw:
        # Bitbucket Data Center has the branch behind the path.
        joined = urlsplit(urldefrag(urljoin(base, target)).url)
        return urlunsplit(joined._replace(query=urlsplit(base).query))
    return _beside(address, target)


def _below(root: str, url: str) -> bool:
    """Whether a file may be read with the credential for `root`: of the same repository, or else
    below the folder that `root` is in."""
    if same_repository(root, url):
        return True
    paths = [unquote(urlsplit(one).path) for one in (root, url)]
    plain = ".." not in paths[1].split("/") and "%" not in paths[1]
    return plain and paths[1].startswith(f"{posixpath.dirname(paths[0]).rstrip('/')}/")


def _beside(address: FileAddress, target: str) -> str:
    """The page of a file of the same repository; "/" is the repository's root, as in Backstage."""
    ref, path = address.split()
    folder = "" if target.startswith("/") else posixpath.dirname(path)
    wanted = target.partition("#")[0].partition("?")[0].lstrip("/")
    joined = posixpath.normpath(posixpath.join(folder, wanted))
    if joined == ".." or joined.startswith("../"):
        raise ReadError(f'"{target}" leads outside the repository.')
    return address.repository.page(ref, joined)


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
        if parse_repository(location) and not parse_file(location):
            raise ReadError(
                "This is the address of a repository. Name the descriptor in it, or read it as a "
                "git repository."
            )
        raise ReadError(
            f"{host} answered a web page (HTML), not a descriptor: it may ask to sign in, "
            'or the address of the "raw" file is needed.'
        )
    return answer.body
