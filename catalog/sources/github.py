"""Reads every repository of a GitHub organisation, at github.com or on an Enterprise server."""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from catalog.descriptors import ReadError
from catalog.sources.base import (
    MAX_FILE_BYTES,
    Gone,
    NotThere,
    Option,
    RemotePullRequest,
    RemoteRepository,
    SourceFailed,
    SourceSpec,
)
from catalog.sources.github_app import VERSION, GithubApp
from catalog.sources.host_reader import OPTIONS as SHARED
from catalog.sources.host_reader import HostReader
from catalog.sources.hosts import (
    GOES_ON,
    Host,
    Row,
    mapping,
    moment,
    number,
    segments,
    text,
    web_link,
    words,
)
from catalog.sources.tree import file_text
from catalog.sources.web_urls import GITHUB
from portal.credentials import Secret
from portal.http import HttpClient, Response

NAME = "GitHub"
HOST = "github.com"
API = "https://api.github.com"
RAW = "application/vnd.github.raw+json"
SHA = "application/vnd.github.sha"
PAGE = "100"
PULLS = "50"
# The last twentieth of the limit is left to others who use the credential.
LEFT_TO_OTHERS = 20
SYMLINK, FILE = "120000", "blob"
OPTIONS = (
    *SHARED,
    Option("topics", "Topics", "Only repositories with one of these.", "list"),
    Option("include_forks", "Forks", "Read these too.", "flag"),
    Option(
        "app_id",
        "GitHub App",
        "Its id; the credential is then the App's private key. Empty: the credential is a token.",
    ),
    Option("installation_id", "Installation", "Of the App; empty: looked up."),
)


class GithubHost(Host):
    """GitHub's own ways to say "too often" and "no"."""

    def __init__(
        self, base: str, client: HttpClient, credential: Secret | None, app: GithubApp | None
    ) -> None:
        headers = {"X-GitHub-Api-Version": VERSION}
        if credential is not None and app is None:
            headers["Authorization"] = f"Bearer {credential.reveal()}"
        super().__init__(NAME, base, client, headers)
        self._plain = headers
        self._app = app

    def get(self, address: str, *args: Any, **kwargs: Any) -> Response:
        if self._app is not None:
            try:
                token = self._app.token().reveal()
            except ReadError as error:
                raise self.stop(str(error)) from None
            self._headers = {**self._plain, "Authorization": f"Bearer {token}"}
        return super().get(address, *args, **kwargs)

    def learn(self, answer: Response) -> None:
        super().learn(answer)
        usage = self.usage
        at = number(answer.headers.get("X-RateLimit-Reset"), None)
        if at is not None:
            usage.reset_at = datetime.fromtimestamp(at, UTC)
        if usage.limit and usage.remaining is not None and answer.status == 200:
            kept = usage.limit // LEFT_TO_OTHERS
            if usage.remaining <= kept:
                until = f" until {usage.reset_at:%H:%M} UTC" if usage.reset_at else ""
                self.stop(
                    f"{NAME} takes {usage.remaining:,} more requests{until}; they are left to "
                    f"others who use the credential. {GOES_ON}"
                )

    def limited(self, answer: Response) -> bool:
        """403 is a limit when nothing remains, or when it says how long to wait."""
        headers = answer.headers
        spent = headers.get("X-RateLimit-Remaining", "").strip() == "0"
        told = "Retry-After" in headers or b"secondary rate limit" in answer.body[:2000]
        return answer.status == 429 or (answer.status == 403 and (spent or told))

    def refused(self, answer: Response) -> str:
        if answer.headers.get("X-GitHub-SSO"):
            return (
                f"{NAME} asks that the token be authorised for the organisation's single sign-on "
                "(403)."
            )
        if b"suspended" in answer.body[:2000]:
            return f"{NAME} says that the App's installation is suspended (403)."
        return super().refused(answer)

    def _refusal(self, answer: Response) -> ReadError:
        if answer.status == 401 and self._app is not None:
            self._app.forget()
        if answer.status == 409:
            return Gone("The repository is empty.")
        if answer.status == 422:
            return NotThere(f"{NAME} has no such branch (422).")
        if answer.status == 451:
            return ReadError(f"{NAME} may not show this for legal reasons (451).")
        return super()._refusal(answer)


class GithubReader(HostReader):
    """The target is the name of an organisation, or the address of its page."""

    flavour = GITHUB
    whole = "organisation"
    OPTIONS: ClassVar[tuple[Option, ...]] = OPTIONS

    def __init__(
        self, spec: SourceSpec, client: HttpClient, credential: Secret | None = None
    ) -> None:
        """Raises SourceFailed."""
        web, self._organisation = place_of(spec.target)
        base = API if web == f"https://{HOST}" else f"{web}/api/v3"
        self.app = _app(spec, client, base, credential, self._organisation)
        super().__init__(spec, GithubHost(base, client, credential, self.app))
        self._promised = 0
        self.signs_in = credential is not None
        self._topics = {topic.lower() for topic in words(spec.options, "topics")}
        self._forks = bool(spec.options.get("include_forks"))

    def listed(self) -> Iterator[list[RemoteRepository]]:
        """An App is told of what it was installed for; the order keeps pages apart."""
        if self.app is not None:
            address, params = "/installation/repositories", {"per_page": PAGE}
        else:
            address = f"/orgs{segments(self._organisation)}/repos"
            params = {"per_page": PAGE, "type": "all", "sort": "created", "direction": "asc"}
        seen = 0
        for page in self.host.pages(address, params, self._rows, _next):
            seen += len(page)
            yield [_repository(row) for row in page if self._taken(row)]
        if seen < self._promised:
            raise ReadError(f"{NAME} tells of {self._promised:,} repositories and shows {seen:,}.")

    def again(self, repository: RemoteRepository) -> RemoteRepository:
        row = self.host.one(f"/repositories{segments(repository.external_id)}")
        if not self._taken(row):
            raise ReadError(f"{repository.full_name} is no longer one that this source reads.")
        return _repository(row)

    def head(self, repository: RemoteRepository, branch: str) -> str:
        address = f"/repos{segments(repository.full_name)}/commits{segments(branch)}"
        commit = self.host.get(address, accept=SHA, max_bytes=200).text().strip()
        if not commit.isalnum():
            raise self.host.misshapen()
        return commit

    def fetch(self, repository: RemoteRepository, commit: str, path: str) -> bytes:
        address = f"/repos{segments(repository.full_name)}/contents{segments(path)}"
        answer = self.host.get(address, {"ref": commit}, accept=RAW, max_bytes=MAX_FILE_BYTES)
        data = answer.body
        if answer.content_type == "application/json":
            data = _told(data, path)
        return file_text(path, data)

    def files(self, repository: RemoteRepository, commit: str, folder: str) -> Iterator[str]:
        """The whole tree comes in one answer; a cut one is no list of all files."""
        address = f"/repos{segments(repository.full_name)}/git/trees{segments(commit)}"
        told = self.host.one(address, {"recursive": "1"})
        if told.get("truncated"):
            raise ReadError(
                f"{repository.full_name} holds more files than {NAME} lists; name each descriptor "
                "in place of a wild card."
            )
        start = f"{folder}/" if folder else ""
        for row in self.host.rows(told.get("tree")):
            path = text(row.get("path"))
            # A link may be a file or a folder; its target, if here, is listed by its own name.
            if row.get("type") == FILE and row.get("mode") != SYMLINK and path.startswith(start):
                yield path

    def pull_requests(self, repository: RemoteRepository) -> list[RemotePullRequest]:
        params = {"state": "open", "sort": "updated", "direction": "desc", "per_page": PULLS}
        address = f"/repos{segments(repository.full_name)}/pulls"
        rows = self.host.rows(self.host.json(address, params))
        return [pull for row in rows if (pull := _pull_request(row)) is not None]

    def who(self) -> tuple[str, datetime | None]:
        """Who the host says that we are and what we may, and when that ends. Raises ReadError."""
        if self.app is not None:
            rights = ", ".join(self.app.installation().rights) or "nothing that it names"
            return f"The App's installation may: {rights}.", None
        if not self.signs_in:
            return f"Nobody signs in, so {NAME} shows what is public only.", None
        answer = self.host.get("/user")
        login = text(mapping(self.host.parsed(answer)).get("login"))
        scopes = answer.headers.get("X-OAuth-Scopes", "").strip()
        may = f", with the scopes {scopes}" if scopes else ""
        end = answer.headers.get("GitHub-Authentication-Token-Expiration", "")
        return f"{NAME} knows the token as {login}{may}.", _end(end)

    def _rows(self, body: Any) -> object:
        """Of an App they stand inside an object, with how many there are."""
        if not isinstance(body, dict):
            return body
        count = body.get("total_count")
        self._promised = count if isinstance(count, int) else 0
        return body.get("repositories")

    def _taken(self, row: Row) -> bool:
        owner = text(mapping(row.get("owner")).get("login")).lower()
        if owner != self._organisation.lower() or row.get("disabled"):
            return False
        if row.get("fork") and not self._forks:
            return False
        told = row.get("topics")
        topics = {text(topic).lower() for topic in told} if isinstance(told, list) else set()
        return not self._topics or bool(self._topics & topics)


def place_of(target: str) -> tuple[str, str]:
    """Where the host's pages are, and the organisation. Raises SourceFailed."""
    given = target.strip().rstrip("/")
    if "://" not in given and "/" in given:
        given = f"https://{given}"
    try:
        parts = urlsplit(given) if "://" in given else urlsplit(f"https://{HOST}/{given}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
        parts = urlsplit("")
    name = parts.path.strip("/").removeprefix("orgs/")
    plain = name.replace("-", "").replace("_", "")
    if not host or "@" in parts.netloc or not (plain.isascii() and plain.isalnum()):
        raise SourceFailed(
            f"The target is not an organisation: its name, or its page such as https://{HOST}/acme."
        )
    if parts.scheme not in {"https", "http"}:
        raise SourceFailed("The target's address begins with https://.")
    host = HOST if host == f"www.{HOST}" else host
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}", name


def _app(
    spec: SourceSpec, client: HttpClient, base: str, key: Secret | None, organisation: str
) -> GithubApp | None:
    app_id, installation = (
        str(spec.options.get(name) or "").strip() for name in ("app_id", "installation_id")
    )
    if not app_id:
        return None
    if key is None:
        raise SourceFailed("A GitHub App needs its private key: name it as the credential.")
    return GithubApp(client, base, app_id, key, organisation, installation_id=installation)


def _next(body: Any, answer: Response) -> str:
    if "partial-results" in answer.headers.get("X-GitHub-SSO", ""):
        raise ReadError(
            f"{NAME} leaves out what the token is not authorised for by single sign-on."
        )
    return answer.next_page


def _repository(row: Row) -> RemoteRepository:
    return RemoteRepository(
        external_id=str(row.get("id") or ""),
        full_name=text(row.get("full_name")),
        url=web_link(row.get("html_url")),
        description=text(row.get("description")),
        default_branch=text(row.get("default_branch")),
        archived=bool(row.get("archived")),
        # Another main branch is another descriptor, though nothing was pushed.
        marker=f"{text(row.get('pushed_at'))} {text(row.get('default_branch'))[:40]}",
    )


def _pull_request(row: Row) -> RemotePullRequest | None:
    updated_at = moment(row.get("updated_at"))
    name = row.get("number")
    if updated_at is None or not isinstance(name, int):
        return None
    return RemotePullRequest(
        number=name,
        title=text(row.get("title")),
        author=text(mapping(row.get("user")).get("login")),
        url=web_link(row.get("html_url")),
        source_branch=text(mapping(row.get("head")).get("ref")),
        target_branch=text(mapping(row.get("base")).get("ref")),
        draft=bool(row.get("draft")),
        updated_at=updated_at,
    )


def _end(told: str) -> datetime | None:
    """ "2026-12-31 10:00:00 UTC", or with an offset in its place."""
    for shape in ("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S %z"):
        try:
            end = datetime.strptime(told.strip(), shape)
        except ValueError:
            continue
        return end if end.tzinfo else end.replace(tzinfo=UTC)
    return None


def _told(data: bytes, path: str) -> bytes:
    """What stands at a path that is no plain file is told as JSON; raw files come as they are."""
    try:
        told: object = json.loads(data)
    except (ValueError, RecursionError):
        return data
    if isinstance(told, list):
        raise ReadError(f"{path} is a folder, not a file.")
    entry: Mapping[str, Any] = mapping(told)
    kind = entry.get("type") if "sha" in entry else None
    if kind == "submodule":
        raise ReadError(f"{path} is a submodule: a repository of its own.")
    if kind == "symlink":
        raise ReadError(f"{path} is a link that leads to no file of the repository.")
    if kind == "file" and entry.get("encoding") == "base64":
        return b64decode(text(entry.get("content")))
    if kind == "file":
        raise ReadError(f"{path} is larger than {NAME} gives out.")
    return data
