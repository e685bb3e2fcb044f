"""The sandbox's HTTP server: one port for all instances, faults applied on the way."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from . import control, html
from .engine import Instance, World
from .faults import Fault
from .hooks import Courier
from .vendors import VENDORS
from .wire import Answer, Request, Vendor, decoded, html_answer, http_date, json_answer

LARGEST_BODY = 2_000_000
_LOOPBACK = ("127.0.0.1", "localhost")


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "Sandbox"
    sys_version = ""
    timeout = 60
    disable_nagle_algorithm = True
    wbufsize = 65_536
    server: "SandboxServer"

    def log_message(self, format: str, *args: object) -> None:
        """The journal holds what was asked; the terminal stays quiet."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header, by the clock of the instance asked."""
        return http_date(getattr(self, "instance_time", None) or time.time())

    def handle_any(self) -> None:
        """Every method."""
        self.instance_time: float | None = None
        try:
            body = self._read_body()
            answer = body if isinstance(body, Answer) else self.server.sandbox.answer(self, body)
            self._send(answer)
        except Dropped:
            self._hang_up()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any

    def _read_body(self) -> bytes | Answer:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit():
            self.close_connection = True
            return json_answer({"message": "Send a Content-Length."}, 411)
        if int(length) > LARGEST_BODY:
            self.close_connection = True
            return json_answer({"message": "The body is too large."}, 413)
        return self.rfile.read(int(length))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(answer.body, bytes):
            if answer.status not in (204, 304):
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            self.wfile.flush()
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in answer.body:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def send_partly(self, answer: Answer) -> None:
        """Promises the whole body and sends half of it."""
        body = answer.body if isinstance(answer.body, bytes) else b""
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + 1))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class SandboxServer(ThreadingHTTPServer):
    """Threads per connection; a long accept queue, for bursts of clients."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], sandbox: "Sandbox") -> None:
        self.sandbox = sandbox
        self._open: set[socket.socket] = set()
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remembers the connection, for hang_up_on_all."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up_on_all(self) -> None:
        """Ends kept-alive connections too, so that "refused" holds for every client."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is a fault of the sandbox."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Sandbox:
    """A running sandbox: the world, its server, and the means to start, stop and refuse."""

    def __init__(
        self, world: World, host: str = "127.0.0.1", port: int = 0, control_token: str = ""
    ) -> None:
        if host not in _LOOPBACK:
            raise ValueError(
                f"The sandbox has well-known tokens and listens on loopback only, not on {host}."
            )
        self.world = world
        self.host = host
        self.control_token = control_token
        self.server: SandboxServer | None = SandboxServer((host, port), self)
        self.port = self.server.server_address[1]
        self.courier = Courier(world)
        self._thread: threading.Thread | None = None
        self._switch = threading.RLock()
        self._called_off = threading.Event()  # of the refusal that runs
        world.serve_at(self.url)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Serves in a thread. Also ends a refusal."""
        with self._switch:
            self._called_off.set()
            self._open()

    def stop(self) -> None:
        """Refuses connections, ends those that are open and sends no webhook until start().

        Nothing is carried out after it has returned, not even what was asked before.
        """
        with self._switch:
            self._called_off.set()
            self._close()

    def refuse(self, seconds: float) -> None:
        """Refuses connections for a while, from a thread of its own; stop() is for longer."""
        called_off = self._called_off = threading.Event()

        def change(wait: float, do: Callable[[], None]) -> None:
            called_off.wait(wait)
            with self._switch:
                if not called_off.is_set():
                    do()

        def pause() -> None:
            change(0.2, self._close)  # lets the one who asked have an answer
            change(seconds, self._open)

        threading.Thread(target=pause, name="sandbox-refuse", daemon=True).start()

    def _open(self) -> None:
        if self._thread is not None:
            return
        if self.server is None:
            self.server = SandboxServer((self.host, self.port), self)
        self._thread = threading.Thread(
            target=self.server.serve_forever, args=(0.05,), name="sandbox", daemon=True
        )
        self._thread.start()
        self.courier.start()

    def _close(self) -> None:
        with self.world.lock:
            server, self.server = self.server, None
        if server is None:
            return
        if self._thread is not None:
            server.shutdown()
            self._thread.join(timeout=5)
            self._thread = None
        server.server_close()
        server.hang_up_on_all()
        self.courier.stop()

    # --- one request ------------------------------------------------------------------------------
    def answer(self, handler: Handler, body: bytes) -> Answer:
        """The answer to one request. Raises Dropped."""
        path, _, query = handler.path.partition("?")
        segments = decoded(path)
        first = segments[0] if segments else ""
        if first == control.PREFIX:
            return control.answer(
                self, handler.command, segments[1:], headers=handler.headers, body=body, query=query
            )
        if first == html.STYLE_PATH:
            return Answer(200, html.STYLE, {"Content-Type": "text/css"})
        instance = self.world.instances.get(first)
        if instance is None:
            return self._index(handler)
        vendor = VENDORS[instance.vendor]
        route = vendor.route(handler.command, segments[1:])
        with self.world.lock:
            entry = self.world.journal.open(
                instance.now(), instance.prefix, handler.command, handler.path, route
            )
            struck = instance.faults.strike(route, write=handler.command not in ("GET", "HEAD"))
            entry.faults = [fault.kind for fault in struck]
        handler.instance_time = instance.now()
        request = Request(
            world=self.world,
            instance=instance,
            entry=entry,
            method=handler.command,
            path=path,
            segments=segments[1:],
            query=tuple(parse_qsl(query, keep_blank_values=True)),
            headers=handler.headers,
            body=body,
            origin=f"http://{handler.headers.get('Host') or f'{self.host}:{self.port}'}",
        )
        answer = self._with_faults(handler, vendor, request, struck)
        entry.status = answer.status
        return answer

    def _with_faults(
        self, handler: Handler, vendor: Vendor, request: Request, struck: list[Fault]
    ) -> Answer:
        after: list[str] = []
        for fault in struck:
            if fault.kind == "slow":
                time.sleep(fault.seconds)
            elif fault.kind in ("lose_answer", "truncate"):
                after.append(fault.kind)
            else:
                return _instead(vendor, request.instance, fault)
        with self.world.lock:
            if handler.server is not self.server:
                raise Dropped  # stopped meanwhile
            request.instance.settle()
            answer = vendor.answer(request)
        if "lose_answer" in after:
            raise Dropped
        if "truncate" in after:
            handler.send_partly(answer)
            raise Dropped
        return answer

    def _index(self, handler: Handler) -> Answer:
        if handler.path != "/":
            return html_answer("<h1>404 Not Found</h1>", 404)
        known = [
            (f"/{i.prefix}/", f"{i.vendor}: /{i.prefix}") for i in self.world.instances.values()
        ]
        return html.page("Sandbox CI", html.links(known))


def _instead(vendor: Vendor, instance: Instance, fault: Fault) -> Answer:
    """What is answered in place of the real thing. Raises Dropped."""
    match fault.kind:
        case "drop":
            raise Dropped
        case "rate_limit":
            return vendor.rate_limited(instance, fault.seconds)
        case "fail":
            return vendor.failure(instance, fault.status)
        case "redirect":
            return Answer(302, headers={"Location": "https://sso.example.com/login?next=ci"})
        case "garbage":
            return Answer(200, b'{"jobs": [{"na', {"Content-Type": "application/json"})
        case "endless":
            return Answer(200, _endless(fault.seconds), {"Content-Type": "application/json"})
    return html_answer(
        "<!doctype html><title>Sign in</title><form><input name=user><input type=password></form>"
    )


def _endless(pause: float) -> Iterator[bytes]:
    yield b'{"jobs": ['
    piece = b'{"name": "' + b"x" * 8_000 + b'"},'
    while True:
        yield piece
        if pause:
            time.sleep(pause)
