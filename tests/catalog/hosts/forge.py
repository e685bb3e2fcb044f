"""Repositories with commits, branches and pull requests, and what can go wrong with their host.

The wire formats are in the files beside this one; this is what they tell about.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from tests.httpd import Httpd, json_reply, reply, serve

Files = dict[str, str | dict | list]
BEGAN = datetime(2026, 11, 1, 8, tzinfo=UTC)


@dataclass
class Pull:
    number: int
    title: str
    author: str = "Ana Sol"
    source: str = "feature/x"
    target: str = "main"
    draft: bool = False
    updated: datetime = BEGAN


@dataclass
class Repo:
    """`main` is None while it is empty."""

    id: str
    owner: str
    name: str
    project: str
    main: str | None = None
    heads: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    pulls: list[Pull] = field(default_factory=list)
    updated: datetime = BEGAN
    archived: bool = False
    description: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True)
class Question:
    """One request, taken apart."""

    path: str  # still encoded
    parts: tuple[str, ...]  # decoded
    query: dict[str, str]
    headers: dict[str, str]


Reply = Callable[[BaseHTTPRequestHandler], None]


class Forge:
    """What a host holds, and how it misbehaves. Subclasses answer `question`s on the wire."""

    prefix = ""

    def __init__(self, owner: str = "acme", token: str = "s3cret-token") -> None:
        self.owner, self.token = owner, token
        self.repos: dict[str, Repo] = {}  # by id
        self.asked: list[Question] = []
        self.pulls_refused = False
        # After so many more requests: 429, 401, or the list of repositories fails.
        self.limited_after: int | None = None
        self.revoked_after: int | None = None
        self.failing_page: int | None = None
        self.headers: dict[str, str] = {}  # with every answer
        self.before: Callable[[Question], None] = lambda question: None
        self.httpd: Httpd | None = None
        self._clock = BEGAN

    # --- What people do there --------------------------------------------------------------------
    def add(self, name: str, files: Files | None = None, *, project: str = "PAY", **more) -> Repo:
        """A repository, empty without files; a name without "/" is the owner's."""
        owner, _, short = name.rpartition("/")
        repo = Repo(self.new_id(name), owner or self.owner, short, project, **more)
        self.repos[repo.id] = repo
        if files is not None:
            self.push(repo, files, branch=more.get("main") or "main")
        return repo

    def push(
        self, repo: Repo, files: Files, *, remove: tuple[str, ...] = (), branch: str = ""
    ) -> str:
        """A commit with these files added or changed; gives its hash."""
        branch = branch or repo.main or "main"
        tree = dict(repo.commits.get(repo.heads.get(branch, ""), {}))
        tree |= {path: content(value) for path, value in files.items()}
        tree = {path: data for path, data in tree.items() if path not in remove}
        said = f"{repo.id} {branch} {len(repo.commits)}"
        commit = hashlib.sha1(said.encode()).hexdigest()
        repo.commits[commit] = tree
        repo.heads[branch] = commit
        repo.main = repo.main or branch
        self.touch(repo)
        return commit

    def touch(self, repo: Repo) -> None:
        self._clock += timedelta(seconds=1, microseconds=7)
        repo.updated = self._clock

    def rename_branch(self, repo: Repo, name: str) -> None:
        repo.heads[name] = repo.heads.pop(repo.main or "")
        repo.main = name

    def delete(self, *repos: Repo) -> None:
        for repo in repos:
            del self.repos[repo.id]

    def new_id(self, name: str) -> str:
        return str(len(self.repos) + 1)

    def find(self, full_name: str) -> Repo | None:
        owner, _, name = full_name.lower().partition("/")
        named = (r for r in self.repos.values() if r.name.lower() == name)
        return next((r for r in named if r.owner.lower() == owner), None)

    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [question.path for question in self.asked]

    # --- The server ------------------------------------------------------------------------------
    @property
    def url(self) -> str:
        assert self.httpd is not None
        return self.httpd.url

    @contextmanager
    def running(self) -> Iterator["Forge"]:
        with serve(self._behave) as httpd:
            self.httpd = httpd
            yield self

    def _behave(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        asked = Question(
            path=parts.path,
            parts=tuple(unquote(part) for part in parts.path.strip("/").split("/")),
            query=dict(parse_qsl(parts.query)),
            headers={name.lower(): value for name, value in handler.headers.items()},
        )
        self.asked.append(asked)
        self.before(asked)
        self._answer(asked)(handler)

    def _answer(self, asked: Question) -> Reply:
        if self._spent("revoked_after") or not self.admits(asked.headers.get("authorization", "")):
            return self.unauthorized()
        if self._spent("limited_after"):
            return self.limited()
        return self.answer(asked)

    def _spent(self, name: str) -> bool:
        left: int | None = getattr(self, name)
        if left is None:
            return False
        setattr(self, name, max(left - 1, 0))
        return left <= 0

    def json(self, body: str, status: int = 200) -> Reply:
        return json_reply(body, status, **self.headers)

    def raw(self, data: bytes) -> Reply:
        return reply(200, data, Content_Type="text/plain", **self.headers)

    # --- The wire --------------------------------------------------------------------------------
    def admits(self, authorization: str) -> bool:
        return authorization == f"Bearer {self.token}"

    def answer(self, asked: Question) -> Reply:
        raise NotImplementedError

    def unauthorized(self) -> Reply:
        raise NotImplementedError

    def limited(self) -> Reply:
        raise NotImplementedError


def content(value: str | dict | list) -> bytes:
    """A file's bytes: text as it is, one document or several as YAML."""
    if isinstance(value, str):
        return value.encode()
    documents = value if isinstance(value, list) else [value]
    return "---\n".join(yaml.safe_dump(document) for document in documents).encode()
