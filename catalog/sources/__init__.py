"""Where descriptor text comes from; one reader a kind of source."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings

from catalog.sources.backstage import BackstageReader
from catalog.sources.base import Gone, Listing, NotThere, Reader, SourceFailed, SourceSpec
from catalog.sources.bitbucket import BitbucketReader
from catalog.sources.bitbucket_dc import BitbucketDcReader
from catalog.sources.git import GitReader
from catalog.sources.git_remote import parse_remote
from catalog.sources.git_session import Session
from catalog.sources.git_store import Store
from catalog.sources.github import GithubReader
from catalog.sources.path import PathReader
from catalog.sources.url import UrlReader
from portal.credentials import CredentialError, Secret, resolve
from portal.egress import Egress
from portal.http import HttpClient

__all__ = [
    "Gone",
    "Listing",
    "NotThere",
    "Reader",
    "SourceFailed",
    "SourceSpec",
    "git_reader",
    "open_reader",
    "reader_for",
    "url_reader",
]

# Seconds for one file: (connect, between two pieces of the answer), and in all.
TIMEOUT = (5, 15)
DEADLINE = 30


# Readers of a host's API: all are made of their settings, a client and perhaps a secret.
_HOSTS: dict[str, Callable[[SourceSpec, HttpClient, Secret | None], Reader]] = {
    "backstage": BackstageReader,
    "bitbucket": BitbucketReader,
    "bitbucket_dc": BitbucketDcReader,
    "github": GithubReader,
}


def reader_for(spec: SourceSpec) -> Reader:
    """The reader of a source. Raises SourceFailed with what to mend when it can't be one."""
    if spec.kind == "path":
        return PathReader(spec.target, settings.CATALOG_PATHS)
    if spec.kind == "url":
        return url_reader(spec.target, spec.credential_ref)
    if spec.kind == "git":
        return git_reader(spec)
    if spec.kind in _HOSTS:
        return _HOSTS[spec.kind](spec, *access(spec.credential_ref))
    raise SourceFailed(f'Stagedoor can\'t read sources of the kind "{spec.kind}".')


def url_reader(target: str, credential_ref: str = "") -> UrlReader:
    """A reader of one origin; the credential, if any, is sent as a bearer token."""
    return UrlReader(target, *access(credential_ref))


def git_reader(spec: SourceSpec) -> GitReader:
    """A reader of one git repository; its cache is in the data folder."""
    remote = parse_remote(spec.target, settings.CATALOG_PATHS)
    _, secret = access(spec.credential_ref)
    session = Session(
        remote,
        # Another credential may see another repository, so it has a cache of its own.
        lambda: Store(settings.DATA_DIR / "git", remote.url, spec.credential_ref),
        Egress(settings.OUTGOING_ALLOW),
        secret,
        str(spec.options.get("username") or "").strip(),
        settings.OUTGOING_CA_BUNDLE,
    )
    return GitReader(session, spec.options)


def open_reader(target: str) -> UrlReader:
    """A reader without credential for a URL that a descriptor names. Raises SourceFailed.

    Private addresses only where an operator lists the host here as well as in OUTGOING_ALLOW.
    """
    try:
        host = (urlsplit(target).hostname or "").lower()
    except ValueError:
        host = ""
    allowed = [pattern.lower() for pattern in settings.CATALOG_URL_ALLOW]
    named = any(pattern != "*" and fnmatchcase(host, pattern) for pattern in allowed)
    if not named and "*" not in allowed:
        raise SourceFailed(
            f'Descriptors may not name files on "{host}". An operator can add it to '
            "CATALOG_URL_ALLOW."
        )
    private = tuple(settings.OUTGOING_ALLOW) if named else ()
    return UrlReader(target, _client(private, settings.OUTGOING_CA_BUNDLE))


def access(credential_ref: str) -> tuple[HttpClient, Secret | None]:
    """What a reader of a host asks with. Raises SourceFailed when there is no such secret."""
    client = _client(tuple(settings.OUTGOING_ALLOW), settings.OUTGOING_CA_BUNDLE)
    try:
        return client, resolve(credential_ref) if credential_ref else None
    except CredentialError as error:
        raise SourceFailed(str(error)) from None


@lru_cache(maxsize=4)
def _client(allow: tuple[str, ...], ca_bundle: str) -> HttpClient:
    """Shared, so that a source of many files keeps its connection."""
    return HttpClient(allow=allow, timeout=TIMEOUT, deadline=DEADLINE, ca_bundle=ca_bundle)
