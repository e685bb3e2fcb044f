"""Reads the repositories of a Bitbucket Cloud workspace: listed one after another, then read.

Source: developer.atlassian.com/cloud/bitbucket/rest. Code search, which Backstage builds on, goes
away; the list with each main branch's commit does the same and tells what has changed.
"""

import base64
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from catalog.descriptors import ReadError
from catalog.sources.base import (
    Option,
    RemotePullRequest,
    RemoteRepository,
    SourceFailed,
    SourceSpec,
)
from catalog.sources.host_reader import OPTIONS as SHARED
from catalog.sources.host_reader import PROJECTS, HostReader
from catalog.sources.hosts import GOES_ON, Host, Row, mapping, moment, number, segments, text
from catalog.sources.web_urls import BITBUCKET
from portal.credentials import Secret
from portal.http import HttpClient, NotJson, Response

API = "https://api.bitbucket.org/2.0"
WEB = "https://bitbucket.org"
WEB_HOSTS = frozenset({"bitbucket.org", "www.bitbucket.org"})
# Of 1,000 requests an hour that one credential has; the rest is for builds and people.
HOURLY = 800
ANONYMOUS_HOURLY = 50  # of 60
PAGE = "100"
PULL_REQUESTS = "50"  # more is refused there
# How many folders deep one answer goes; a deeper one times out there (555).
DEPTH = 8

_FIELDS = (
    "uuid",
    "full_name",
    "description",
    "project.key",
    "updated_on",
    "mainbranch.name",
    "mainbranch.target.hash",
)
_PULL_REQUEST_FIELDS = (
    "id",
    "title",
    "draft",
    "author.display_name",
    "source.branch.name",
    "destination.branch.name",
    "updated_on",
)
_SLUG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|\{[0-9a-fA-F-]{36}\}")
_FULL_NAME = re.compile(r"[^/\s]+/[^/\s]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SCOPE = re.compile(r"[a-z][a-z:_-]{0,80}")
_FOLDER = re.compile(rb'"type":\s*"commit_(file|directory)"')

OPTIONS = (
    PROJECTS,
    *SHARED,
    Option("api_url", "API address", f"Empty: {API}."),
)


def authorization(credential: Secret) -> str:
    """The header for "email:API token" or an access token. Raises SourceFailed."""
    value = credential.reveal()
    name, colon, rest = value.partition(":")
    if rest.startswith("ATBB"):
        raise SourceFailed(
            "The credential is an app password, which Bitbucket no longer takes. Create an API "
            'token with the scope read:repository:bitbucket and write it as "email:token".'
        )
    if colon and ("@" not in name or not rest):
        raise SourceFailed(
            "The credential is an access token, or an API token with the e-mail address of its "
            'Atlassian account ("email:token"). A user name or an OAuth consumer does not do here.'
        )
    if colon:
        return f"Basic {base64.b64encode(value.encode()).decode()}"
    if not value.isascii() or any(char.isspace() for char in value):
        raise SourceFailed("The credential is no access token: that is one word.")
    return f"Bearer {value}"


def workspace_of(target: str) -> str:
    """The workspace that a slug or the address of a page names. Raises SourceFailed."""
    slug = target.strip()
    if "://" in slug:
        try:
            parts = urlsplit(slug)
        except ValueError:
            parts = urlsplit("")
        if parts.hostname not in WEB_HOSTS:
            raise SourceFailed(f"The target is a workspace, for example acme or {WEB}/acme.")
        slug = parts.path.strip("/").partition("/")[0]
    if not _SLUG.fullmatch(slug):
        raise SourceFailed(f"The target is a workspace, for example acme or {WEB}/acme.")
    return slug


class BitbucketHost(Host):
    """What Bitbucket says differently: it tells when its limit is near, and which scope lacks."""

    def learn(self, answer: Response) -> None:
        near = answer.headers.get("X-RateLimit-NearLimit")
        if near is None:
            return
        # Only access tokens are told, and then nobody has to count.
        self._hourly = 0
        limit = self.usage.limit = number(answer.headers.get("X-RateLimit-Limit"), None)
        if near.strip().lower() == "true":
            self.usage.remaining = limit // 5 if limit else None
            self.stop(
                "Less than a fifth of what Bitbucket allows the token in an hour is left, for "
                f"others. {GOES_ON}"
            )

    def refused(self, answer: Response) -> str:
        missing = _missing_scopes(answer)
        if missing:
            return f"Bitbucket: the token lacks the scope {', '.join(missing)} (403)."
        return super().refused(answer)


class BitbucketReader(HostReader):
    """The repositories of one workspace."""

    flavour = BITBUCKET
    whole = "workspace"

    def __init__(self, spec: SourceSpec, client: HttpClient, credential: Secret | None) -> None:
        """Raises SourceFailed for a target, an option or a credential that can't be one."""
        base = str(spec.options.get("api_url") or "").strip().rstrip("/") or API
        headers = {} if credential is None else {"Authorization": authorization(credential)}
        host = BitbucketHost(
            "Bitbucket",
            base,
            client,
            headers,
            hourly=HOURLY if headers else ANONYMOUS_HOURLY,
            account=spec.credential_ref,
        )
        super().__init__(spec, host)
        self._workspace = workspace_of(spec.target)
        self._pages = WEB if base == API else base.removesuffix("/2.0")

    def listed(self) -> Iterator[list[RemoteRepository]]:
        fields = ["next", *(f"values.{field}" for field in _FIELDS)]
        # By what never changes, so that a push while it is read moves nothing between the pages.
        params = {"pagelen": PAGE, "sort": "created_on", "fields": ",".join(fields)}
        path = f"/repositories{segments(self._workspace)}"
        for rows in self.host.pages(path, params, _values, _next):
            yield [self._repository(row) for row in rows]

    def again(self, repository: RemoteRepository) -> RemoteRepository:
        # By its uuid, whatever it and its workspace are called now.
        path = f"/repositories{segments('{}', repository.external_id)}"
        now = self._repository(self.host.one(path, {"fields": ",".join(_FIELDS)}))
        if now.full_name.partition("/")[0] != repository.full_name.partition("/")[0]:
            raise ReadError(f"{repository.full_name} has moved to another workspace.")
        return now

    def head(self, repository: RemoteRepository, branch: str) -> str:
        path = f"{_path(repository)}/refs/branches{segments(branch)}"
        row = self.host.one(path, {"fields": "target.hash"})
        commit = text(mapping(row.get("target")).get("hash"))
        if not _COMMIT.fullmatch(commit):
            raise self.host.misshapen()
        return commit

    def fetch(self, repository: RemoteRepository, commit: str, path: str) -> bytes:
        data = self.host.file(f"{_path(repository)}/src{segments(commit, path)}", path)
        if data.startswith(b"{") and _FOLDER.search(data) and not path.endswith(".json"):
            raise ReadError(f"{path} is a folder, not a file.")
        return data

    def files(self, repository: RemoteRepository, commit: str, folder: str) -> Iterator[str]:
        waiting = [folder]
        while waiting:
            top = waiting.pop()
            place = segments(commit, top) if top else segments(commit)
            address = f"{_path(repository)}/src{place}/"
            params = {
                "pagelen": PAGE,
                "max_depth": str(DEPTH),
                "fields": "next,values.path,values.type",
            }
            lowest = len(top.split("/")) * bool(top) + DEPTH
            for rows in self.host.pages(address, params, _values, _next):
                for row in rows:
                    path = text(row.get("path")).strip("/")
                    if row.get("type") == "commit_file":
                        yield path
                    elif len(path.split("/")) >= lowest:
                        waiting.append(path)

    def pull_requests(self, repository: RemoteRepository) -> list[RemotePullRequest]:
        fields = [f"values.{field}" for field in _PULL_REQUEST_FIELDS]
        params = {
            "state": "OPEN",
            "pagelen": PULL_REQUESTS,
            "sort": "-updated_on",
            "fields": ",".join(fields),
        }
        page = self.host.one(f"{_path(repository)}/pullrequests", params)
        found = (self._pull_request(repository, row) for row in self.host.rows(_values(page)))
        return [request for request in found if request is not None]

    def _repository(self, row: Row) -> RemoteRepository:
        external_id, name = text(row.get("uuid")), text(row.get("full_name"))
        if not external_id or not _FULL_NAME.fullmatch(name):
            raise self.host.misshapen()
        branch = mapping(row.get("mainbranch"))
        head = text(mapping(branch.get("target")).get("hash"))
        marker = text(row.get("updated_on"))
        if not head or self.branch:
            marker = f"{marker}~{_day(external_id)}"
        return RemoteRepository(
            external_id=external_id,
            full_name=name,
            url=f"{self._pages}{segments(name)}",
            description=text(row.get("description")),
            project=text(mapping(row.get("project")).get("key")),
            default_branch=text(branch.get("name")),
            head_commit=head if _COMMIT.fullmatch(head) else "",
            marker=marker,
        )

    def _pull_request(self, repository: RemoteRepository, row: Row) -> RemotePullRequest | None:
        number, updated = row.get("id"), moment(row.get("updated_on"))
        if not isinstance(number, int) or updated is None:
            return None
        return RemotePullRequest(
            number=number,
            title=text(row.get("title")),
            author=text(mapping(row.get("author")).get("display_name")),
            url=f"{repository.url}/pull-requests/{number}",
            source_branch=_branch(row.get("source")),
            target_branch=_branch(row.get("destination")),
            draft=row.get("draft") is True,
            updated_at=updated,
        )


def _day(external_id: str) -> int:
    """Another number every day, at an hour of its own for each repository: what a push does to
    `updated_on` is nowhere promised, so each is looked at once a day where no commit is told."""
    return int(time.time() // 3600 + zlib.crc32(external_id.encode()) % 24) // 24


def _path(repository: RemoteRepository) -> str:
    return f"/repositories{segments(repository.full_name)}"


def _values(page: Any) -> object:
    return mapping(page).get("values")


def _next(page: Any, answer: Response) -> str:
    return text(mapping(page).get("next"))


def _branch(end: object) -> str:
    return text(mapping(mapping(end).get("branch")).get("name"))


def _missing_scopes(answer: Response) -> list[str]:
    """What the error's detail says; names only, for the answer could hold anything."""
    try:
        detail = mapping(mapping(mapping(answer.json()).get("error")).get("detail"))
    except NotJson:
        return []
    return sorted(_scopes(detail, "required") - _scopes(detail, "granted"))


def _scopes(detail: Mapping[str, Any], name: str) -> set[str]:
    listed = detail.get(name)
    found = listed if isinstance(listed, list) else []
    return {word for word in found if isinstance(word, str) and _SCOPE.fullmatch(word)}
