"""GitHub's REST API, as far as a source reads it: pages, media types, limits, Apps, refusals."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.catalog.hosts.forge import Forge, Pull, Question, Reply, Repo
from tests.httpd import json_reply, reply

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
APP_ID = "4711"
INSTALLATION = 99


class GithubHost(Forge):
    """An Enterprise server, whose API stands below its own address."""

    prefix = "/api/v3"

    def __init__(self, *args: str) -> None:
        super().__init__(*args)
        self.limit, self.remaining = 5000, 5000
        self.reset_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=20)
        # "primary", "secondary" or "storm" (429): what limited_after leads to.
        self.limit_kind = "primary"
        self.sso = self.suspended = False
        self.truncated = False
        self.next_host = ""  # where the list's next page is said to be
        self.topics: dict[str, list[str]] = {}  # by name
        self.forks: set[str] = set()
        self.hidden: set[str] = set()  # listed, but 404 for everything below
        self.blocked: set[str] = set()  # 451
        self.old_names: dict[str, str] = {}  # full name before -> id: 301
        # (repository's name, path) -> "symlink", "submodule" or "large"
        self.odd: dict[tuple[str, str], str] = {}
        self.app_rights = {"contents", "metadata", "pull_requests"}
        self.uninstalled = False
        self.left_out = 0  # of the list, by single sign-on or a moment's fault
        self.user_headers: dict[str, str] = {}
        self.tokens_made = 0
        self.token_life = timedelta(hours=1)

    @property
    def api(self) -> str:
        return self.url + self.prefix

    @property
    def target(self) -> str:
        return f"{self.url}/{self.owner}"

    def rename(self, repo: Repo, name: str) -> None:
        self.old_names[repo.full_name] = repo.id
        repo.name = name

    def admits(self, authorization: str) -> bool:
        return authorization == f"Bearer {self.token}"

    def unauthorized(self) -> Reply:
        return json_reply(_message("Bad credentials", "401"), 401)

    def limited(self) -> Reply:
        if self.limit_kind == "secondary":
            text = "You have exceeded a secondary rate limit."
            return json_reply(_message(text, "403"), 403, Retry_After="60")
        status = 429 if self.limit_kind == "storm" else 403
        self.remaining = 0
        return json_reply(
            _message("API rate limit exceeded for user ID 1.", str(status)),
            status,
            **self._limits(),
        )

    def _limits(self) -> dict[str, str]:
        return {
            "X_RateLimit_Limit": str(self.limit),
            "X_RateLimit_Remaining": str(self.remaining),
            "X_RateLimit_Used": str(self.limit - self.remaining),
            "X_RateLimit_Reset": str(int(self.reset_at.timestamp())),
            "X_RateLimit_Resource": "core",
        }

    def _answer(self, asked: Question) -> Reply:
        if not asked.headers.get("user-agent"):
            return reply(403, "Request forbidden by administrative rules.")
        if asked.parts[2:3] == ("app",) or asked.parts[-1] == "installation":
            return self._app(asked)
        return super()._answer(asked)

    def answer(self, asked: Question) -> Reply:
        self.remaining = max(self.remaining - 1, 0)
        self.headers = self._limits()
        parts = asked.parts[2:]
        if self.suspended or self.sso:
            return self._forbidden()
        if parts[0] == "orgs" and parts[2:] == ("repos",):
            return self._list(asked, parts[1])
        if parts == ("installation", "repositories"):
            return self._list(asked, self.owner, inside=True)
        if parts == ("user",):
            return json_reply(json.dumps({"login": "robot"}), **self.headers, **self.user_headers)
        if parts[0] == "repositories":
            return self._inside(asked, self.repos.get(parts[1]), parts[2:])
        return self._named(asked, parts) if parts[0] == "repos" else self._missing()

    def _forbidden(self) -> Reply:
        if self.suspended:
            return self.json(_message("This installation has been suspended", "403"), 403)
        self.headers |= {"X_GitHub_SSO": "required; url=https://github.com/orgs/acme/sso"}
        return self.json(_message("Resource protected by SAML enforcement.", "403"), 403)

    def _named(self, asked: Question, parts: tuple[str, ...]) -> Reply:
        name = f"{parts[1]}/{parts[2]}"
        if name in self.old_names:
            there = f"{self.api}/repositories/{self.old_names[name]}/{'/'.join(parts[3:])}"
            query = "&".join(f"{key}={value}" for key, value in asked.query.items())
            return reply(301, b"", Location=f"{there}?{query}")
        return self._inside(asked, self.find(name), parts[3:])

    def _list(self, asked: Question, owner: str, *, inside: bool = False) -> Reply:
        if owner.lower() != self.owner.lower():
            return self._missing()
        page, size = int(asked.query.get("page", "1")), int(asked.query.get("per_page", "30"))
        assert size <= 100
        if page == self.failing_page:
            return reply(502, "<html>unicorn</html>", Content_Type="text/html")
        mine = [repo for repo in self.repos.values() if repo.owner == self.owner]
        rows = [self._row(repo) for repo in mine[(page - 1) * size : page * size]]
        count = len(mine) + self.left_out
        body: Any = {"total_count": count, "repositories": rows} if inside else rows
        answer = dict(self.headers)
        if self.left_out and not inside:
            answer["X_GitHub_SSO"] = "partial-results; organizations=21955855"
        if page * size < len(mine):
            query = "&".join(f"{k}={v}" for k, v in {**asked.query, "page": page + 1}.items())
            place = f"{self.next_host or self.url}{asked.path}?{query}"
            answer["Link"] = f'<{self.url}/x?page=1>; rel="first", <{place}>; rel="next"'
        return json_reply(json.dumps(body), **answer)

    def _inside(self, asked: Question, repo: Repo | None, rest: tuple[str, ...]) -> Reply:
        if repo is None or repo.name in self.hidden:
            return self._missing()
        if not rest:
            return self.json(json.dumps(self._row(repo)))
        if repo.name in self.blocked:
            return self.json(_message("Repository access blocked", "451"), 451)
        if rest[0] == "pulls":
            assert asked.query["state"] == "open"
            return self.json(json.dumps([self._pull(repo, pull) for pull in repo.pulls]))
        if repo.main is None:
            return self.json(_message("Git Repository is empty.", "409"), 409)
        return self._in_git(asked, repo, rest)

    def _in_git(self, asked: Question, repo: Repo, rest: tuple[str, ...]) -> Reply:
        if rest[0] == "commits":
            # "heads/" says that no tag of that name is meant.
            return self._head(repo, "/".join(rest[1:]).removeprefix("heads/"), asked)
        commit = asked.query.get("ref", "") if rest[0] == "contents" else rest[2]
        tree = repo.commits.get(commit)
        if tree is None:
            return self._missing()
        if rest[:2] == ("git", "trees"):
            return self._tree(repo, tree)
        return self._contents(repo, tree, "/".join(rest[1:]), asked)

    def _head(self, repo: Repo, branch: str, asked: Question) -> Reply:
        if branch not in repo.heads:
            return self.json(_message(f"No commit found for SHA: {branch}", "422"), 422)
        assert "vnd.github.sha" in asked.headers["accept"]
        kind = "application/vnd.github.sha; charset=utf-8"
        return reply(200, repo.heads[branch], Content_Type=kind, **self.headers)

    def _tree(self, repo: Repo, tree: dict[str, bytes]) -> Reply:
        rows = [{"path": path, "mode": "100644", "type": "blob"} for path in sorted(tree)]
        rows.append({"path": "vendor/lib", "mode": "160000", "type": "commit"})
        for name, path in self.odd:
            if name == repo.name and self.odd[name, path] == "symlink":
                rows.append({"path": path, "mode": "120000", "type": "blob"})
        return self.json(json.dumps({"tree": rows, "truncated": self.truncated}))

    def _contents(self, repo: Repo, tree: dict[str, bytes], path: str, asked: Question) -> Reply:
        odd = self.odd.get((repo.name, path), "")
        if odd in {"symlink", "submodule"}:
            return self.json(json.dumps({"type": odd, "path": path, "sha": "0" * 40}))
        below = [name for name in tree if name.startswith(f"{path}/")]
        if path not in tree:
            if not below:
                return self._missing()
            rows = [{"type": "file", "name": name, "sha": "0" * 40} for name in below]
            return self.json(json.dumps(rows))
        raw = "vnd.github.raw" in asked.headers["accept"]
        if raw:
            kind = "application/vnd.github.raw+json; charset=utf-8"
            return reply(200, tree[path], Content_Type=kind, **self.headers)
        text = b64encode(tree[path]).decode()
        return self.json(json.dumps({"type": "file", "encoding": "base64", "content": text}))

    def _app(self, asked: Question) -> Reply:
        """What only an App may ask, with a proof that it holds the key."""
        proof = asked.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(proof, PUBLIC, algorithms=["RS256"])
        except jwt.PyJWTError:
            message = "A JSON web token could not be decoded"
            return json_reply(_message(message, "401"), 401)
        assert claims["iss"] == APP_ID
        assert claims["exp"] - claims["iat"] <= 600
        if asked.parts[2:] == ("orgs", self.owner, "installation"):
            return json_reply(json.dumps({"id": INSTALLATION, "app_id": int(APP_ID)}))
        if self.uninstalled or asked.parts[2:] != (
            "app",
            "installations",
            str(INSTALLATION),
            "access_tokens",
        ):
            return self._missing()
        self.tokens_made += 1
        self.token = f"ghs_{APP_ID}.{self.tokens_made}"
        end = (datetime.now(UTC) + self.token_life).strftime("%Y-%m-%dT%H:%M:%SZ")
        told: dict[str, Any] = {
            "token": self.token,
            "expires_at": end,
            "repository_selection": "selected",
        }
        told["permissions"] = {"contents": "read", "metadata": "read"}
        return json_reply(json.dumps(told), 201)

    def _row(self, repo: Repo) -> dict[str, Any]:
        return {
            "id": int(repo.id),
            "name": repo.name,
            "full_name": repo.full_name,
            "owner": {"login": repo.owner, "type": "Organization"},
            "html_url": f"{self.url}/{repo.full_name}",
            "url": f"{self.api}/repos/{repo.full_name}",
            "description": repo.description or None,
            "fork": repo.name in self.forks,
            "archived": repo.archived,
            "disabled": False,
            "topics": self.topics.get(repo.name, []),
            "default_branch": repo.main or "main",
            "pushed_at": repo.updated.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "size": 0 if repo.main is None else 10,
        }

    def _pull(self, repo: Repo, pull: Pull) -> dict[str, Any]:
        return {
            "number": pull.number,
            "title": pull.title,
            "state": "open",
            "draft": pull.draft,
            # Of an account that was deleted there is none.
            "user": {"login": pull.author} if pull.author else None,
            "html_url": f"{self.url}/{repo.full_name}/pull/{pull.number}",
            "head": {"ref": pull.source, "repo": None},
            "base": {"ref": pull.target},
            "updated_at": pull.updated.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _missing(self) -> Reply:
        return self.json(_message("Not Found", "404"), 404)


def _message(text: str, status: str) -> str:
    place = "https://docs.github.com/rest"
    return json.dumps({"message": text, "documentation_url": place, "status": status})
