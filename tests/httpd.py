"""A real HTTP server on loopback that misbehaves as it is told, and remembers what it was asked."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Httpd:
    """`behaviour` answers every request; replace it at any time."""

    behaviour: Behaviour
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    server: ThreadingHTTPServer | None = None
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # many threads connect at once


@contextmanager
def serve(behaviour: Behaviour) -> Iterator[Httpd]:
    """Serves until the block ends; whatever hangs is let go then."""
    httpd = Httpd(behaviour)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            httpd.connections += 1
            super().setup()

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            httpd.asked.append(Asked(self.command, self.path, dict(self.headers), body))
            self.server.httpd = httpd
            try:
                httpd.behaviour(self)
            except OSError:
                self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, *args: object) -> None:
            return

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *args: None  # a refused handshake is no news
    httpd.server, httpd.port = server, server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield httpd
    finally:
        httpd.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def reply(status: int = 200, body: bytes | str = b"", **headers: str) -> Behaviour:
    """Answers this; `Content_Type="…"` names a header."""
    data = body.encode() if isinstance(body, str) else body

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(data)

    return behave


def json_reply(body: str, status: int = 200, **headers: str) -> Behaviour:
    return reply(status, body, Content_Type="application/json; charset=utf-8", **headers)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A body without end."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    while not handler.server.httpd.over.is_set():
        handler.wfile.write(b"x" * 65_536)


def hang(handler: BaseHTTPRequestHandler) -> None:
    """No answer at all."""
    handler.server.httpd.over.wait(30)
    handler.close_connection = True


def drip(what: bytes) -> Behaviour:
    """Sends a byte every 50 ms, for ever after the bytes are spent."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        sent = 0
        while not handler.server.httpd.over.wait(0.05):
            handler.wfile.write(what[sent : sent + 1] or b"x")
            handler.wfile.flush()
            sent += 1

    return behave


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Takes the request and resets the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
