"""Bitbucket Cloud's REST 2.0, as far as a source reads it: paging, partial answers, refusals."""

import json
import uuid
from typing import Any
from urllib.parse import urlencode

from tests.catalog.hosts.forge import Forge, Pull, Question, Reply, Repo
from tests.httpd import json_reply, reply

NAMESPACE = uuid.UUID("5f6d1f0a-1d8e-4f57-9d2f-0d5a4b1c2d3e")


class BitbucketHost(Forge):
    """`tells_heads`: the list may be asked for each main branch's commit."""

    prefix = "/2.0"
    tells_heads = True
    endless = False  # the list's next page is the same again

    @property
    def api(self) -> str:
        return self.url + self.prefix

    def new_id(self, name: str) -> str:
        return f"{{{uuid.uuid5(NAMESPACE, name)}}}"

    def admits(self, authorization: str) -> bool:
        # base64 of "ana@acme.example:<token>"
        basic = "Basic YW5hQGFjbWUuZXhhbXBsZTpzM2NyZXQtdG9rZW4="
        return authorization in {f"Bearer {self.token}", basic}

    def unauthorized(self) -> Reply:
        message = "Token is invalid, expired, or not supported for this endpoint."
        return json_reply(_error(message), 401)

    def limited(self) -> Reply:
        text = "Rate limit for this resource has been exceeded"
        return reply(429, text, Content_Type="text/plain")

    def answer(self, asked: Question) -> Reply:
        if asked.parts[:2] != ("2.0", "repositories") or len(asked.parts) < 3:
            return reply(404, "<!DOCTYPE html><html>lost</html>", Content_Type="text/html")
        if len(asked.parts) == 3:
            return self._list(asked)
        workspace, name, *rest = asked.parts[2:]
        repo = self.repos.get(name) if workspace == "{}" else self.find(f"{workspace}/{name}")
        if repo is None:
            return self._missing(f"Repository {workspace}/{name} not found")
        return self._of(repo, rest, asked)

    def _of(self, repo: Repo, rest: list[str], asked: Question) -> Reply:
        match rest:
            case []:
                return self.json(json.dumps(_trim(self._repository(repo, asked), asked.query)))
            case ["refs", "branches", *names]:
                return self._branch(repo, "/".join(names), asked)
            case ["src", commit, *names]:
                return self._source(repo, commit, "/".join(names), asked)
            case ["pullrequests"]:
                return self._pulls(repo, asked)
        return self._missing("Resource not found")

    def _list(self, asked: Question) -> Reply:
        page = int(asked.query.get("page", "1"))
        if page == self.failing_page:
            return reply(502, "<html><body>502</body></html>", Content_Type="text/html")
        repos = [repo for repo in self.repos.values() if repo.owner == asked.parts[2]]
        if not repos and asked.parts[2] != self.owner:
            return self._missing(f"No workspace with identifier '{asked.parts[2]}'.")
        return self._page([self._repository(repo, asked) for repo in repos], asked, 100)

    def _page(self, rows: list[dict[str, Any]], asked: Question, most: int) -> Reply:
        size, page = int(asked.query.get("pagelen", "10")), int(asked.query.get("page", "1"))
        if size > most:
            return self.json(_error("Invalid pagelen"), 400)
        start = (page - 1) * size
        body: dict[str, Any] = {"values": rows[start : start + size], "pagelen": size, "page": page}
        if self.endless or start + size < len(rows):
            query = {**asked.query, "page": str(page if self.endless else page + 1)}
            body["next"] = f"{self.url}{asked.path}?{urlencode(query)}"
        return self.json(json.dumps(_trim(body, asked.query)))

    def _branch(self, repo: Repo, name: str, asked: Question) -> Reply:
        if not name:
            rows = [{"name": one, "target": _commit(repo.heads[one])} for one in repo.heads]
            return self._page(rows, asked, 100)
        if name not in repo.heads:
            return self._missing(f'Branch "{name}" not found')
        row = {"type": "branch", "name": name, "target": _commit(repo.heads[name])}
        return self.json(json.dumps(_trim(row, asked.query)))

    def _source(self, repo: Repo, commit: str, path: str, asked: Question) -> Reply:
        """A branch's name that holds a slash is never found here, nor is another's commit."""
        tree = repo.commits.get(commit)
        if tree is None:
            return self._missing(f"Commit {commit} not found")
        if path in tree:
            return self.raw(tree[path])
        folder = f"{path.strip('/')}/" if path.strip("/") else ""
        below = [name for name in tree if name.startswith(folder)]
        if not below:
            return self._missing(f"No such file or directory: {path}")
        depth = int(asked.query.get("max_depth", "1"))
        return self._page(list(_entries(below, folder, depth, commit)), asked, 100)

    def _pulls(self, repo: Repo, asked: Question) -> Reply:
        if self.pulls_refused:
            detail = {"required": ["pullrequest"], "granted": ["repository"]}
            return self.json(_error("Your credentials lack privilege scopes.", detail=detail), 403)
        assert asked.query.get("state") == "OPEN"
        newest = sorted(repo.pulls, key=lambda pull: pull.updated, reverse=True)
        return self._page([self._pull(repo, pull) for pull in newest], asked, 50)

    def _repository(self, repo: Repo, asked: Question) -> dict[str, Any]:
        main: dict[str, Any] | None = None
        if repo.main:
            main = {"type": "branch", "name": repo.main}
            # Only for those who ask for it.
            if self.tells_heads and "mainbranch.target" in asked.query.get("fields", ""):
                main["target"] = _commit(repo.heads[repo.main])
        return {
            "type": "repository",
            "uuid": repo.id,
            "full_name": repo.full_name,
            "name": repo.name,
            "slug": repo.name,
            "description": repo.description,
            "is_private": True,
            "scm": "git",
            "created_on": "2026-01-01T00:00:00.000000+00:00",
            "updated_on": repo.updated.isoformat(),
            "mainbranch": main,
            "project": {"type": "project", "key": repo.project, "name": repo.project},
            "workspace": {"type": "workspace", "slug": repo.owner, "uuid": "{w}"},
            "links": {
                "self": {"href": f"{self.api}/repositories/{repo.full_name}"},
                "html": {"href": f"{self.url}/{repo.full_name}"},
            },
        }

    def _pull(self, repo: Repo, pull: Pull) -> dict[str, Any]:
        return {
            "type": "pullrequest",
            "id": pull.number,
            "title": pull.title,
            "state": "OPEN",
            "draft": pull.draft,
            "author": {"type": "user", "display_name": pull.author},
            # A fork that was deleted leaves no repository.
            "source": {"branch": {"name": pull.source}, "repository": None},
            "destination": {"branch": {"name": pull.target}},
            "created_on": "2026-10-01T00:00:00.123456789+00:00",
            "updated_on": pull.updated.isoformat(),
            "links": {"html": {"href": f"{self.url}/{repo.full_name}/pull-requests/1"}},
        }

    def _missing(self, message: str) -> Reply:
        return self.json(_error(message), 404)


def _error(message: str, **more: object) -> str:
    return json.dumps({"type": "error", "error": {"message": message, **more}})


def _commit(commit: str) -> dict[str, str]:
    return {"type": "commit", "hash": commit}


def _entries(paths: list[str], folder: str, depth: int, commit: str) -> list[dict[str, Any]]:
    """Breadth first: files and folders down to a depth below the one that was asked for."""
    found: dict[str, str] = {}
    for path in paths:
        names = path.removeprefix(folder).split("/")
        for level in range(1, min(len(names), depth) + 1):
            here = folder + "/".join(names[:level])
            found[here] = "commit_file" if level == len(names) else "commit_directory"
    order = sorted(found, key=lambda path: (path.count("/"), path))
    return [{"path": path, "type": found[path], "commit": _commit(commit)} for path in order]


def _trim(body: Any, query: dict[str, str]) -> Any:
    """What `fields` leaves of an answer; "+name" takes nothing away."""
    names = [name for name in query.get("fields", "").split(",") if name]
    if not names or any(name.startswith("+") for name in names):
        return body
    return _only(body, [name.split(".") for name in names])


def _only(value: Any, wanted: list[list[str]]) -> Any:
    if isinstance(value, list):
        return [_only(item, wanted) for item in value]
    if not isinstance(value, dict):
        return value
    left = {}
    for name in value:
        below = [path[1:] for path in wanted if path[0] == name]
        if below:
            deeper = [path for path in below if path]
            left[name] = _only(value[name], deeper) if deeper else value[name]
    return left
