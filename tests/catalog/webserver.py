"""A real web server on loopback that serves descriptors, and misbehaves as it is told."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

YAML = "application/yaml"
Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class WebServer:
    """`pages`: path -> what is answered there, `fallback` everywhere else.

    `asked`: (path, Authorization) as they came.
    """

    url: str
    pages: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    fallback: Answer | None = None

    def serve(self, path: str, *documents: dict | str) -> str:
        texts = [d if isinstance(d, str) else yaml.safe_dump(d) for d in documents]
        return self.answer(path, 200, "---\n".join(texts))

    def answer(self, path: str, status: int, text: str = "", **headers: str) -> str:
        """Headers are written as `content_type`; the page's whole address comes back."""

        def reply(handler: BaseHTTPRequestHandler) -> None:
            body = text.encode()
            handler.send_response(status)
            sent = {"content_type": YAML, "content_length": str(len(body)), **headers}
            for name, value in sent.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body)

        self.pages[path] = reply
        return self.url + path

    def endless(self, path: str) -> str:
        """An answer that never ends."""

        def reply(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    handler.wfile.write(b"# and so on\n" * 10_000)

        self.pages[path] = reply
        return self.url + path


@contextlib.contextmanager
def web_server(host: str = "127.0.0.1") -> Iterator[WebServer]:
    """Runs until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.path, self.headers["Authorization"]))
            page = site.pages.get(self.path) or site.fallback
            if page is None:
                self.send_error(404)
            else:
                page(self)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((host, 0), Handler)
    site = WebServer(f"http://{host}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
