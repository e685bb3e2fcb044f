"""Pages: Django's whole chain of middleware and views, in a pool of threads.

Nothing in it is asynchronous. Django's own ASGI handler makes a thread for each request and hops
between it and the loop; that alone took more time than most pages.
"""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from portal.asgi_io import HungUp, Message, PartsSender, Receive, Send, read_body, send_whole

# Some wait for a CI server's log; the others must not wait for them.
THREADS = 24
TOO_LARGE = "This is larger than Stagedoor takes.\n"


class PageGate:
    """An ASGI application. A request whose body is larger than `limit` bytes is answered 413."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._threads = ThreadPoolExecutor(THREADS, "pages")
        self._handler = BaseHandler()
        self._handler.load_middleware()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"Stagedoor speaks no {scope['type']}.")
        try:
            body = await read_body(scope, receive, self._limit)
        except HungUp:
            return
        if body is None:
            refusal = HttpResponse(TOO_LARGE, "text/plain; charset=utf-8", 413)
            refusal["Connection"] = "close"
            await send_whole(refusal, refusal.content, send)
            return
        loop = asyncio.get_running_loop()
        parts = PartsSender(send, loop)
        try:
            whole = await loop.run_in_executor(self._threads, self._answer, scope, body, parts)
        except HungUp:
            return
        if whole is not None:
            await send_whole(*whole, send)

    def _answer(
        self, scope: Message, body: bytes, parts: PartsSender
    ) -> tuple[HttpResponseBase, bytes] | None:
        """The answer with its body, or None when it has been sent in parts."""
        set_script_prefix(scope.get("root_path") or "/")
        request_started.send(sender=type(self), scope=scope)
        response = self._response(scope, body)
        try:
            if not response.streaming:
                return response, b"" if scope["method"] == "HEAD" else response.content
            nothing = scope["method"] == "HEAD"
            parts.run(response, iter(()) if nothing else iter(response))  # type: ignore[call-overload]
            return None
        finally:
            # Tells Django that the request is over, in the thread that holds its connections.
            response.close()

    def _response(self, scope: Message, body: bytes) -> Any:
        try:
            request = ASGIRequest(scope, io.BytesIO(body))
        except UnicodeDecodeError:
            return HttpResponse("This address is not UTF-8.\n", "text/plain; charset=utf-8", 400)
        response = self._handler.get_response(request)
        response._resource_closers.append(request.close)
        return response
