"""Bounds what a request may send before Django reads it.

Django's ASGI handler takes in a whole body, whatever its size, before any view or sign-in has a
say; without this, anybody could fill the disk.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

SENTENCE = b"This is larger than Stagedoor takes.\n"


class TooLarge(Exception):
    """The body went over the limit while it was read."""


class BodyLimit:
    """An ASGI application that answers 413 in place of the one it wraps."""

    def __init__(self, application: Application, limit: int) -> None:
        self._application = application
        self._limit = limit

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
        elif announced(scope) > self._limit:
            await _refuse(send)
        else:
            try:
                await self._application(scope, self._counted(receive), send)
            except TooLarge:
                await _refuse(send)

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise TooLarge
            return message

        return counted


def announced(scope: Message) -> int:
    """The Content-Length, 0 where there is none: a body in chunks is counted as it comes."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": SENTENCE})
