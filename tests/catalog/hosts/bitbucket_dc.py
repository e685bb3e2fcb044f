"""Bitbucket Data Center's REST 1.0, as far as a source reads it."""

import json
from datetime import datetime
from typing import Any

from tests.catalog.hosts.forge import Forge, Pull, Question, Reply, Repo
from tests.httpd import json_reply, reply

PREFIX = ("bb", "rest", "api", "1.0")  # below a context path


class DataCenter(Forge):
    """Names are "KEY/slug"; `limit` is what the server lowers every page to."""

    prefix = "/bb"
    limit = 25
    # Versions before 7.5 have the older address only.
    old = False

    @property
    def base(self) -> str:
        return self.url + self.prefix

    def add(self, name: str, files: Any = None, *, project: str = "", **more: Any) -> Repo:
        key = name.partition("/")[0]
        return super().add(name, files, project=project or key, **more)

    def unauthorized(self) -> Reply:
        message = "Authentication failed. Please check your credentials and try again."
        return json_reply(_errors(message, "AuthenticationException"), 401)

    def limited(self) -> Reply:
        message = "Rate limited"
        return json_reply(_errors(message, "RateLimitException"), 429, Retry_After="300")

    def answer(self, asked: Question) -> Reply:
        if asked.parts[:4] != PREFIX:
            return reply(404, "<!DOCTYPE html><html>lost</html>", Content_Type="text/html")
        match asked.parts[4:]:
            case ["repos"]:
                return self._list(list(self.repos.values()), asked)
            case ["projects", key, "repos"]:
                return self._list([r for r in self.repos.values() if r.owner == key], asked)
            case ["projects", key, "repos", slug, *rest]:
                repo = self.find(f"{key}/{slug}")
                if repo is None:
                    return self._missing(f"Repository {key}/{slug} does not exist.")
                return self._of(repo, rest, asked) if rest else self._about(repo)
        return self._missing("null for uri")

    def _of(self, repo: Repo, rest: list[str], asked: Question) -> Reply:
        default = ["branches", "default"] if self.old else ["default-branch"]
        if rest == default:
            return self._default_branch(repo)
        match rest:
            case ["commits"]:
                return self._commits(repo, asked)
            case ["raw", *names]:
                return self._raw(repo, "/".join(names), asked)
            case ["files", *names]:
                return self._files(repo, "/".join(names), asked)
            case ["pull-requests"]:
                assert asked.query.get("state") == "OPEN"
                newest = sorted(repo.pulls, key=lambda pull: pull.number, reverse=True)
                return self._page([_pull(pull) for pull in newest], asked)
        return self._missing("null for uri")

    def _about(self, repo: Repo) -> Reply:
        return self.json(json.dumps(self._repository(repo)))

    def _list(self, repos: list[Repo], asked: Question) -> Reply:
        start = int(asked.query.get("start", "0"))
        if self.failing_page is not None and start // self.limit + 1 == self.failing_page:
            return reply(503, "<html><body>maintenance</body></html>", Content_Type="text/html")
        return self._page([self._repository(repo) for repo in repos], asked)

    def _page(self, rows: list[Any], asked: Question) -> Reply:
        limit = min(int(asked.query.get("limit", "25")), self.limit)
        start = int(asked.query.get("start", "0"))
        last = start + limit >= len(rows)
        body = {
            "size": len(rows[start : start + limit]),
            "limit": limit,
            "isLastPage": last,
            "start": start,
            "nextPageStart": None if last else start + limit,
            "values": rows[start : start + limit],
        }
        return self.json(json.dumps(body))

    def _commits(self, repo: Repo, asked: Question) -> Reply:
        branch = asked.query.get("until", f"refs/heads/{repo.main}").removeprefix("refs/heads/")
        if branch not in repo.heads:
            message = f"Commit '{branch}' does not exist in repository '{repo.name}'."
            return self._missing(message, "NoSuchCommitException")
        commit = repo.heads[branch]
        return self._page([{"id": commit, "displayId": commit[:11]}], asked)

    def _default_branch(self, repo: Repo) -> Reply:
        if repo.main is None:
            return reply(204)
        row = {"id": f"refs/heads/{repo.main}", "displayId": repo.main, "type": "BRANCH"}
        return self.json(json.dumps(row))

    def _raw(self, repo: Repo, path: str, asked: Question) -> Reply:
        tree = repo.commits.get(asked.query.get("at", ""), {})
        if path not in tree:
            message = f'The path "{path}" does not exist at revision "{asked.query.get("at")}"'
            return self._missing(message, "NoSuchPathException")
        return self.raw(tree[path])

    def _files(self, repo: Repo, folder: str, asked: Question) -> Reply:
        tree = repo.commits.get(asked.query.get("at", ""), {})
        start = f"{folder}/" if folder else ""
        below = [path.removeprefix(start) for path in tree if path.startswith(start)]
        if not below:
            return self._missing(f'The path "{folder}" does not exist', "NoSuchPathException")
        return self._page(sorted(below), asked)

    def _repository(self, repo: Repo) -> dict[str, Any]:
        space = f"users/{repo.owner[1:]}" if repo.owner[0] == "~" else f"projects/{repo.owner}"
        return {
            "slug": repo.name,
            "id": int(repo.id),
            "name": repo.name,
            "description": repo.description,
            "hierarchyId": "e3c939f9ef4a7fae272e",
            "scmId": "git",
            "state": "AVAILABLE",
            "archived": repo.archived,
            "project": {"key": repo.owner, "id": 1, "name": repo.owner, "type": "NORMAL"},
            "links": {"self": [{"href": f"{self.base}/{space}/repos/{repo.name}/browse"}]},
        }

    def _missing(self, message: str, name: str = "NoSuchRepositoryException") -> Reply:
        return self.json(_errors(message, name), 404)


def _errors(message: str, name: str) -> str:
    name = f"com.atlassian.bitbucket.{name}"
    error = {"context": None, "message": message, "exceptionName": name}
    return json.dumps({"errors": [error]})


def _pull(pull: Pull) -> dict[str, Any]:
    return {
        "id": pull.number,
        "title": pull.title,
        "state": "OPEN",
        "open": True,
        "draft": pull.draft,
        "author": {"user": {"name": "ana", "displayName": pull.author, "slug": "ana"}},
        "fromRef": {"id": f"refs/heads/{pull.source}", "displayId": pull.source},
        "toRef": {"id": f"refs/heads/{pull.target}", "displayId": pull.target},
        "createdDate": milliseconds(pull.updated),
        "updatedDate": milliseconds(pull.updated),
    }


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
