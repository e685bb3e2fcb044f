"""GitHub and Bitbucket as far as signing in goes, over real HTTP: OAuth 2, person and groups.

It speaks GitHub's paths as an Enterprise Server has them (/api/v3) and Bitbucket's own (/2.0).
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Forge:
    """What it says, which a test changes; `answers` holds a status by path."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    organisations: list[str] = field(default_factory=lambda: ["limelight"])
    teams: list[tuple[str, str]] = field(default_factory=lambda: [("limelight", "payments")])
    answers: dict[str, int] = field(default_factory=dict)
    # organisation or workspace -> team or group ("" is the whole) -> ids of its people
    members: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    page: int = 100

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[Any, dict[str, str]]:
        if path in {"/login/oauth/access_token", "/site/oauth2/access_token"}:
            return {"access_token": "gho_secret", "token_type": "bearer", "scope": "read:org"}, {}
        if path in {"/api/v3/user", "/2.0/user"}:
            return self.person, {}
        if path == "/api/v3/user/memberships/orgs":
            return [{"organization": {"login": name}} for name in self.organisations], {}
        if path == "/api/v3/user/teams":
            return self.github_teams(int(query.get("page", ["1"])[0]))
        if path == "/2.0/user/workspaces":
            return {"values": [{"workspace": {"slug": name}} for name in self.organisations]}, {}
        return self.everybody(path.strip("/").split("/")), {}

    def everybody(self, parts: list[str]) -> Any:
        """What only a credential of the organisation's sees."""
        match parts:
            case ["api", "v3", "orgs", name, "members"]:
                return [{"id": person} for person in self.members[name][""]]
            case ["api", "v3", "orgs", name, "teams"]:
                return [{"slug": slug} for slug in self.members[name] if slug]
            case ["api", "v3", "orgs", name, "teams", slug, "members"]:
                return [{"id": person} for person in self.members[name][slug]]
            case ["2.0", "workspaces", name, "members"]:
                people = self.members[name][""]
                return {"values": [{"user": {"account_id": person}} for person in people]}
            case ["1.0", "groups", name]:
                groups = {slug: people for slug, people in self.members[name].items() if slug}
                return [
                    {"slug": slug, "members": [{"account_id": person} for person in people]}
                    for slug, people in groups.items()
                ]
        return {}

    def github_teams(self, page: int) -> tuple[Any, dict[str, str]]:
        first = (page - 1) * self.page
        found = self.teams[first : first + self.page]
        items = [{"slug": slug, "organization": {"login": org}} for org, slug in found]
        more = first + self.page < len(self.teams)
        link = f'<{self.url}/api/v3/user/teams?page={page + 1}>; rel="next"'
        return items, {"Link": link} if more else {}


@contextmanager
def running() -> Iterator[Forge]:
    forge = Forge()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            forge.asked.append(f"{parts.path} {self.headers.get('Authorization', '')}")
            status = forge.answers.get(parts.path, 200)
            body, headers = forge.answer(parts.path, parse_qs(parts.query))
            text = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    forge.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()
