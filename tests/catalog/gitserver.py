"""Real git repositories, served by real git over smart HTTP (git http-backend) on loopback."""

import base64
import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import yaml

AUTHOR = {"GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@shop.example"}
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **AUTHOR,
    **{name.replace("AUTHOR", "COMMITTER"): value for name, value in AUTHOR.items()},
}


def git(folder: Path, *words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        check=True,
        capture_output=True,
        env=ENVIRONMENT,
        input=stdin,
    )
    return done.stdout.decode()


class Repo:
    """A bare repository that is written to without a checkout, so that odd names are no matter."""

    def __init__(self, folder: Path, branch: str = "main") -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        git(folder, "init", "-q", "--bare", "-b", branch)
        git(folder, "config", "uploadpack.allowFilter", "true")
        git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
        self.branch = branch

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def commit(self, files: dict[str, object], branch: str = "", parent: bool = True) -> str:
        """Makes this the whole of the branch. A value is text, bytes, a mapping (as YAML), a list
        of mappings, or ("120000", aim) and ("160000", commit) for links and submodules."""
        branch = branch or self.branch
        ref = f"refs/heads/{branch}"
        lines = []
        for path, value in files.items():
            mode, data = "100644", value
            if isinstance(value, tuple):
                mode, data = value
            if mode == "160000":
                lines.append(f"M 160000 {data} {_quoted(path)}\n".encode())
                continue
            content = _bytes(data)
            lines.append(f"M {mode} inline {_quoted(path)}\ndata {len(content)}\n".encode())
            lines.append(content + b"\n")
        before = self.head(branch) if parent else ""
        message = b"commit %b\ncommitter Ana <ana@shop.example> now\ndata 4\nwork\n" % ref.encode()
        start = f"from {before}\n".encode() if before else b""
        stream = message + start + b"deleteall\n" + b"".join(lines)
        git(self.folder, "fast-import", "--quiet", "--force", "--date-format=now", stdin=stream)
        return self.head(branch)

    def head(self, branch: str = "") -> str:
        ref = f"refs/heads/{branch or self.branch}"
        try:
            return git(self.folder, "rev-parse", "--verify", "--quiet", ref).strip()
        except subprocess.CalledProcessError:
            return ""

    def git(self, *words: str) -> str:
        return git(self.folder, *words)


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    documents = value if isinstance(value, list) else [value]
    return "---\n".join(yaml.safe_dump(d, sort_keys=False) for d in documents).encode()


def _quoted(path: str) -> str:
    octal = "".join(f"\\{byte:03o}" for byte in os.fsencode(path))
    return f'"{octal}"'


@dataclass
class GitServer:
    """`credential`: "user:password" that is wanted; `status`: answered in place of everything."""

    url: str
    folder: Path
    credential: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Authorization
    last: int | None = None  # so many requests are answered, and `then` is the status of the rest
    then: int = 0

    def refuse_after(self, requests: int, status: int) -> None:
        """The token is revoked in the middle of a reading."""
        self.last, self.then = len(self.asked) + requests, status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    git: GitServer

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        self.git.asked.append((self.command, self.path, self.headers["Authorization"] or ""))
        status = self.git.status
        if self.git.last is not None and len(self.git.asked) > self.git.last:
            status = self.git.then
        wanted = "Basic " + base64.b64encode(self.git.credential.encode()).decode()
        if not status and self.git.credential and self.headers["Authorization"] != wanted:
            status = 401
        if status:
            self.send_response(status)
            for name, value in self.git.headers.items():
                self.send_header(name, value)
            if status == 401:
                self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._run(body)

    def _run(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        done = subprocess.run(
            ["git", "http-backend"],
            check=True,
            capture_output=True,
            input=body,
            env={
                "PATH": os.environ["PATH"],
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_PROJECT_ROOT": str(self.git.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers["Git-Protocol"] or "",
                "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers["Content-Type"] or "",
                "CONTENT_LENGTH": str(len(body)),
            },
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(lines.pop("Status", "200").split()[0]))
        for name, value in lines.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def git_server(folder: Path) -> Iterator[GitServer]:
    """Serves every repository below the folder."""
    handler = type("Handler", (_Handler,), {})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server = GitServer(f"http://127.0.0.1:{http.server_port}", folder)
    handler.git = server  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
