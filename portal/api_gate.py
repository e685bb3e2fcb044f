"""The API's own way in, beside the one for pages.

Pages pass through sessions, CSRF and messages, with a thread and a database connection of their
own for each request. A call of the API needs none of it, and scripts ask a hundred times as often
as people: calls are answered by the same views at the same addresses, in a few threads that keep
their connections for as long as others wait.
"""

import asyncio
import io
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import resolve

from portal.api_errors import error_response
from portal.api_tokens import note_use
from portal.api_views import refused
from portal.asgi_io import (
    Application,
    HungUp,
    Message,
    Receive,
    Send,
    head_of,
    read_body,
    send_whole,
)
from portal.middleware import begin, current_request_id, finish

PREFIX = "/api/"
# May ask a CI server, which takes seconds: in threads of their own, so that nobody else waits.
SLOW = "/api/pipelines/"
# The interpreter runs one at a time; the others wait for the database.
THREADS = 4
# Nothing that is answered here is a page, and none of it may be kept on the way.
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
logger = logging.getLogger(__name__)


class ApiGate:
    """An ASGI application that answers what is below /api/ and leaves the rest to `pages`."""

    def __init__(self, pages: Application, limit: int) -> None:
        self._pages = pages
        self._limit = limit
        self._threads = ThreadPoolExecutor(THREADS, "api")
        self._slow = ThreadPoolExecutor(THREADS, "api-slow")
        # A write that may have to wait for the database must not hold up an answer.
        self._notes = ThreadPoolExecutor(1, "api-notes")
        self._unnoted: set[int] = set()
        self._asked = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._pages(scope, receive, send)
            return
        try:
            body = await read_body(scope, receive, self._limit)
        except HungUp:
            return
        threads = self._slow if scope["path"].startswith(SLOW) else self._threads
        request, response = await self._in_thread(threads, _answer, scope, body)
        await self._send(request, response, send)
        self._note(request)

    async def _in_thread(
        self, threads: ThreadPoolExecutor, function: Callable[..., Any], *args: Any
    ) -> Any:
        self._asked += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(threads, self._released, function, *args)
        finally:
            self._asked -= 1

    def _released(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        finally:
            # Between two calls of many a connection is kept, for getting one costs as much as an
            # answer; the last call gives its own back. SQLite's are not scarce, and dear to open.
            if self._asked <= 1 and connection.vendor != "sqlite":
                connection.close()

    async def _send(self, request: HttpRequest, response: HttpResponseBase, send: Send) -> None:
        if request.method == "HEAD" or not isinstance(response, StreamingHttpResponse):
            content = b"" if request.method == "HEAD" else response.content  # type: ignore[attr-defined]
            await send_whole(response, content, send)
            return
        # A thread makes a part and is free while it is sent: there are few threads, and whoever
        # asked may take an hour to read.
        parts = iter(response)
        await send(head_of(response))
        while (part := await self._in_thread(self._threads, next, parts, None)) is not None:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _note(self, request: HttpRequest) -> None:
        caller = getattr(request, "caller", None)
        if caller is None or not caller.unnoted or caller.token_id in self._unnoted:
            return
        self._unnoted.add(caller.token_id)
        self._notes.submit(self._noted, caller.token_id)

    def _noted(self, token_id: int) -> None:
        try:
            note_use(token_id)
        except Exception:
            logger.exception("The use of API token %s could not be noted", token_id)
        finally:
            connection.close()
            self._unnoted.discard(token_id)


def _answer(scope: Message, body: bytes | None) -> tuple[HttpRequest, HttpResponseBase]:
    request = ASGIRequest(scope, io.BytesIO(body or b""))
    request.noted_later = True  # type: ignore[attr-defined]  see portal/api_views.py
    begin(request)
    try:
        try:
            response = _judged(request, body)
        except Exception as error:  # nobody asks for a page of HTML here
            response = refused(request, error)
        finish(request, response)
    finally:
        current_request_id.set("-")
    for name, value in _headers(request):
        response.headers.setdefault(name, value)
    return request, response


def _judged(request: HttpRequest, body: bytes | None) -> HttpResponseBase:
    if body is None:
        return error_response(request, 413, "This is larger than Stagedoor takes.")
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        # No redirect: the token has gone over the wire in the clear, and should not again.
        return error_response(request, 403, "Use https:// for the API.")
    found = resolve(request.path_info)
    return found.func(request, *found.args, **found.kwargs)


def _headers(request: HttpRequest) -> Iterable[tuple[str, str]]:
    yield from HEADERS.items()
    if settings.SECURE_HSTS_SECONDS and request.is_secure():
        yield "Strict-Transport-Security", f"max-age={settings.SECURE_HSTS_SECONDS}"
