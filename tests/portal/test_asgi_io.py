"""No request fills the disk: a body over the limit is refused while it is read."""

import asyncio
import contextlib
import http.client
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.http import StreamingHttpResponse

from portal.asgi_io import HungUp, PartsSender
from tests.portal.granian import granian

LIMIT = settings.DATA_UPLOAD_MAX_MEMORY_SIZE


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    log = tmp_path_factory.mktemp("granian") / "log"
    with granian(log) as number:
        yield number
    assert "s3cret" not in log.read_text()


def with_connection(number: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", number, timeout=20)


def answer_to(number: int, path: str, body: object, **headers: str) -> int:
    """The status of a PUT, which no view takes; an iterator is sent in chunks."""
    connection = with_connection(number)
    try:
        connection.request("PUT", path, body, headers)  # type: ignore[arg-type]
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(port: int) -> None:
    assert answer_to(port, "/hooks/drone/", None, **{"Content-Length": str(LIMIT + 1)}) == 413


def test_a_body_in_chunks_is_refused_as_soon_as_it_is_too_large(port: int) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while taken < 1_000_000_000:
            taken += 65_536
            yield b"x" * 65_536

    # The server answers and hangs up while there is more to send, so the answer may go under.
    with contextlib.suppress(OSError, http.client.HTTPException):
        assert answer_to(port, "/hooks/drone/s3cret/", endless()) == 413
    assert LIMIT < taken < 100_000_000


def test_a_body_below_the_limit_reaches_the_portal(port: int) -> None:
    assert answer_to(port, "/hooks/drone/", b"x" * LIMIT) == 405
    assert answer_to(port, "/hooks/drone/", iter([b"x" * 1000] * 1000)) == 405


def test_a_secret_in_an_address_is_not_logged(port: int) -> None:
    """The fixture looks through all that the server wrote."""
    connection = with_connection(port)
    connection.request("GET", "/hooks/drone/s3cret/")
    answer = connection.getresponse()
    assert answer.status == 405
    assert b"s3cret" not in answer.read()


def test_who_takes_nothing_is_left_after_a_while() -> None:
    async def send(message: object) -> None:
        await asyncio.Event().wait()

    async def ask() -> None:
        parts = PartsSender(send, asyncio.get_running_loop(), patience=0.05)
        response = StreamingHttpResponse([b"x"])
        with pytest.raises(HungUp):
            await asyncio.to_thread(parts.run, response, iter(response))  # type: ignore[arg-type]

    asyncio.run(ask())
