"""Reads the repositories of a Bitbucket Data Center, or of one of its projects.

Source: developer.atlassian.com/server/bitbucket/rest. Its list of repositories does not tell what
has changed. So each reading asks for the newest commit of those that were not asked about for the
longest time, up to a number; the others count as unchanged until it is their turn.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from catalog.descriptors import ReadError
from catalog.sources.base import (
    HostStops,
    NotThere,
    RemotePullRequest,
    RemoteRepository,
    SourceFailed,
    SourceSpec,
)
from catalog.sources.host_reader import OPTIONS as SHARED
from catalog.sources.host_reader import PROJECTS, Held, HostReader
from catalog.sources.hosts import Host, Row, mapping, segments, text
from catalog.sources.web_urls import BITBUCKET_DC
from portal.credentials import Secret
from portal.http import HttpClient, Response

PAGE = "1000"  # the server lowers it to its own limit
PULL_REQUESTS = "50"
# So many repositories are asked for their newest commit in one reading.
MAX_CHECKS = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OPTIONS = (PROJECTS, *SHARED)

_TARGET = re.compile(
    r"(?P<base>https?://[^/?#]+(?:/[^?#]*?)?)"
    r"(?:/(?:projects/(?P<key>[^/?#]+)|users/(?P<user>[^/?#]+))(?:/[^?#]*)?)?/?"
)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class BitbucketDcReader(HostReader):
    """The repositories that the credential sees."""

    flavour = BITBUCKET_DC
    whole = "Data Center"
    lists_read_branch = True

    def __init__(self, spec: SourceSpec, client: HttpClient, credential: Secret | None) -> None:
        """Raises SourceFailed for a target, an option or a credential that can't be one."""
        match = _TARGET.fullmatch(spec.target.strip())
        if match is None:
            raise SourceFailed(
                "The target is the address of a Data Center or of one of its projects, for "
                "example https://bitbucket.example or https://bitbucket.example/projects/PAY."
            )
        self._base = match["base"].rstrip("/")
        self._project = match["key"] or (f"~{match['user']}" if match["user"] else "")
        headers = {} if credential is None else {"Authorization": _bearer(credential)}
        host = Host("Bitbucket Data Center", f"{self._base}/rest/api/1.0", client, headers)
        super().__init__(spec, host)
        self._now = datetime.now(UTC).isoformat()

    def listed(self) -> Iterator[list[RemoteRepository]]:
        path = f"/projects{segments(self._project)}/repos" if self._project else "/repos"
        due: list[tuple[str, RemoteRepository, RemoteRepository]] = []
        for rows in self.host.pages(path, {"limit": PAGE}, _values, _next):
            new = []
            for repository in map(self._repository, rows):
                known = self.known.get(repository.external_id)
                if known and known.marker and known.head_commit and self.wanted(repository):
                    due.append((known.marker, repository, known))
                else:
                    new.append(repository)
            yield new
        due.sort(key=lambda entry: entry[0])
        yield from self._checked([(repository, known) for _, repository, known in due])

    def _checked(
        self, due: list[tuple[RemoteRepository, RemoteRepository]]
    ) -> Iterator[list[RemoteRepository]]:
        """Those first in the row with their newest commit, the others as they were."""
        checks = 0
        for repository, known in due:
            as_known = replace(
                repository,
                head_commit=known.head_commit,
                default_branch=known.default_branch,
                marker=known.marker.partition(" ")[0],
            )
            if checks >= MAX_CHECKS or (repository.archived and not self.archived_too):
                yield [as_known]
                continue
            checks += 1
            try:
                yield [self._look(repository, known)]
            except HostStops:
                # Reading this one says why; nothing is asked about the others.
                checks = MAX_CHECKS
                yield [repository]
            except ReadError:
                yield [repository]

    def _look(self, repository: RemoteRepository, known: RemoteRepository) -> RemoteRepository:
        head, branch = self.head(repository, self.branch), known.default_branch
        if head != known.head_commit:
            branch = self._default_branch(repository)
        return replace(repository, head_commit=head, default_branch=branch)

    def again(self, repository: RemoteRepository) -> RemoteRepository:
        # There is no address by id; another repository may have the name by now.
        now = self._repository(self.host.one(_path(repository)))
        if now.external_id != repository.external_id:
            raise NotThere(f"{repository.full_name} is another repository now.")
        return now

    def ask_head(self, held: Held) -> str:
        try:
            commit = self.head(held.listed, self.branch)
        except NotThere:
            what = f'has no branch "{self.branch}"' if self.branch else "is empty"
            raise NotThere(f"{held.listed.full_name} {what}, or is hidden.") from None
        branch = self._default_branch(held.listed)
        held.listed = replace(held.listed, default_branch=branch)
        return commit

    def head(self, repository: RemoteRepository, branch: str) -> str:
        """Of the default branch when none is named."""
        params = {"limit": "1"} | ({"until": f"refs/heads/{branch}"} if branch else {})
        rows = self.host.rows(_values(self.host.one(f"{_path(repository)}/commits", params)))
        commit = text(rows[0].get("id")) if rows else ""
        if not _COMMIT.fullmatch(commit):
            raise self.host.misshapen()
        return commit

    def fetch(self, repository: RemoteRepository, commit: str, path: str) -> bytes:
        address = f"{_path(repository)}/raw{segments(path)}"
        return self.host.file(address, path, {"at": commit})

    def files(self, repository: RemoteRepository, commit: str, folder: str) -> Iterator[str]:
        place = segments(folder) if folder else ""
        params = {"at": commit, "limit": PAGE}
        address = f"{_path(repository)}/files{place}"
        for paths in self.host.pages(address, params, _named, _next):
            for row in paths:
                yield f"{folder}/{row['path']}" if folder else str(row["path"])

    def pull_requests(self, repository: RemoteRepository) -> list[RemotePullRequest]:
        params = {"state": "OPEN", "order": "NEWEST", "limit": PULL_REQUESTS}
        page = self.host.one(f"{_path(repository)}/pull-requests", params)
        found = (_pull_request(repository, row) for row in self.host.rows(_values(page)))
        return [request for request in found if request is not None]

    def _default_branch(self, repository: RemoteRepository) -> str:
        """Its name; the second address is of versions before 7.5."""
        for address in ("default-branch", "branches/default"):
            try:
                return text(self.host.one(f"{_path(repository)}/{address}").get("displayId"))
            except NotThere:
                continue
        return ""

    def _repository(self, row: Row) -> RemoteRepository:
        number, slug = row.get("id"), text(row.get("slug"))
        key = text(mapping(row.get("project")).get("key"))
        if not isinstance(number, int) or not slug or not key:
            raise self.host.misshapen()
        space = f"/users{segments(key[1:])}" if key.startswith("~") else f"/projects{segments(key)}"
        return RemoteRepository(
            external_id=str(number),
            full_name=f"{key}/{slug}",
            url=f"{self._base}{space}/repos{segments(slug)}",
            description=text(row.get("description")),
            project=key,
            archived=row.get("archived") is True,
            marker=self._now,
        )


def _bearer(credential: Secret) -> str:
    value = credential.reveal()
    if ":" in value or not value.isascii() or any(char.isspace() for char in value):
        raise SourceFailed("The credential is no HTTP access token: that is one word.")
    return f"Bearer {value}"


def _path(repository: RemoteRepository) -> str:
    key, _, slug = repository.full_name.partition("/")
    return f"/projects{segments(key)}/repos{segments(slug)}"


def _values(page: Any) -> object:
    return mapping(page).get("values")


def _named(page: Any) -> object:
    """A list of paths as the rows that pages() takes."""
    values = _values(page)
    if not isinstance(values, list) or not all(isinstance(path, str) for path in values):
        return None
    return [{"path": path} for path in values]


def _next(page: Any, answer: Response) -> str:
    """The same address from `nextPageStart` on, which is not always start + limit."""
    body = mapping(page)
    start = body.get("nextPageStart")
    if body.get("isLastPage") is True or not isinstance(start, int):
        return ""
    parts = urlsplit(answer.url)
    query = {**dict(parse_qsl(parts.query)), "start": str(start)}
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query), ""))


def _pull_request(repository: RemoteRepository, row: Row) -> RemotePullRequest | None:
    number, updated = row.get("id"), row.get("updatedDate")
    if not isinstance(number, int) or not isinstance(updated, int):
        return None
    author = mapping(mapping(row.get("author")).get("user"))
    return RemotePullRequest(
        number=number,
        title=text(row.get("title")),
        author=text(author.get("displayName")) or text(author.get("name")),
        url=f"{repository.url}/pull-requests/{number}",
        source_branch=text(mapping(row.get("fromRef")).get("displayId")),
        target_branch=text(mapping(row.get("toRef")).get("displayId")),
        draft=row.get("draft") is True,
        updated_at=EPOCH + timedelta(milliseconds=min(max(updated, 0), 253_000_000_000_000)),
    )
