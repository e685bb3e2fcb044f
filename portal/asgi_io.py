"""What a request brings and an answer takes over ASGI, for whoever answers in a thread.

A body is bounded while it is read, before any view or sign-in has a say: without this, anybody
could fill the disk.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

from django.http.response import HttpResponseBase

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# Of an answer in parts, so many bytes are sent at a time.
CHUNK = 262_144
# Whoever does not take that much in so many seconds keeps a thread from others, and is left.
PATIENCE = 60.0


class HungUp(Exception):
    """Whoever asked has gone."""


async def read_body(scope: Message, receive: Receive, limit: int) -> bytes | None:
    """The whole body, None when it is larger than the limit. Raises HungUp."""
    if _announced(scope) > limit:
        return None
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUp
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def head_of(response: HttpResponseBase) -> Message:
    """The message that begins an answer."""
    headers = [(n.lower().encode(), v.encode("latin-1")) for n, v in response.items()]
    headers += [
        (b"set-cookie", morsel.OutputString().encode("latin-1"))
        for morsel in response.cookies.values()
    ]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


async def send_whole(response: HttpResponseBase, content: bytes, send: Send) -> None:
    await send(head_of(response))
    await send({"type": "http.response.body", "body": content})


class PartsSender:
    """Sends an answer in parts from a thread, no faster than the other side takes them."""

    def __init__(
        self, send: Send, loop: asyncio.AbstractEventLoop, patience: float = PATIENCE
    ) -> None:
        self._send = send
        self._loop = loop
        self._patience = patience

    def run(self, response: HttpResponseBase, parts: Iterator[bytes]) -> None:
        """In the thread; raises what sending raises, and HungUp for who takes no more."""
        self._now(head_of(response))
        waiting = bytearray()
        for part in parts:
            waiting += part
            if len(waiting) >= CHUNK:
                self._now({"type": "http.response.body", "body": bytes(waiting), "more_body": True})
                waiting.clear()
        self._now({"type": "http.response.body", "body": bytes(waiting)})

    def _now(self, message: Message) -> None:
        sending = asyncio.run_coroutine_threadsafe(_awaited(self._send, message), self._loop)
        try:
            sending.result(self._patience)
        except TimeoutError:
            sending.cancel()
            raise HungUp from None


async def _awaited(send: Send, message: Message) -> None:
    await send(message)


def _announced(scope: Message) -> int:
    """The Content-Length, 0 where there is none: a body in chunks is counted as it comes."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return 0
