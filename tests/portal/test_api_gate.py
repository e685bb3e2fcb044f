"""The API behind the real web server: the same answers, without the pages' middleware."""

import asyncio
import http.client
import json
from collections.abc import Iterator

import pytest
from django.http import StreamingHttpResponse
from django.test import RequestFactory

from portal.api_gate import THREADS, ApiGate
from tests.portal.granian import granian
from tests.portal.test_asgi_io import LIMIT

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with granian(tmp_path_factory.mktemp("granian") / "log") as number:
        yield number


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_it_answers_json_with_the_headers_of_what_nobody_keeps(port):
    status, headers, body = ask(port, "GET", "/api/catalog/nowhere")
    assert (status, json.loads(body)["error"]["name"]) == (401, "AuthenticationError")
    headers = {name.lower(): value for name, value in headers.items()}
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert len(headers["x-request-id"]) == 32
    assert headers["www-authenticate"].startswith("Bearer")
    assert "set-cookie" not in headers


def test_a_body_too_large_is_refused_in_json(port):
    status, _, body = ask(port, "POST", "/api/x", None, **{"Content-Length": str(LIMIT + 1)})
    assert (status, json.loads(body)["error"]["name"]) == (413, "PayloadTooLargeError")
    status, _, body = ask(port, "POST", "/api/x", iter([b"x" * 100_000] * 30))
    assert status == 413


def test_head_has_no_body_and_odd_paths_fail_softly(port):
    assert ask(port, "HEAD", "/api/catalog/entities")[2] == b""
    for path in ("/api/", "/api/%00", "/api/%ff%fe", "/api/catalog/../../x", "/api/" + "x" * 5000):
        status, _, body = ask(port, "GET", path)
        assert status in (400, 401)
        assert json.loads(body)["error"]


def test_pages_go_their_own_way(port):
    _, headers, body = ask(port, "GET", "/apiary")
    assert b'"error"' not in body
    assert "www-authenticate" not in {name.lower() for name in headers}


def test_who_reads_slowly_keeps_no_thread_from_others():
    async def ask_all() -> int:
        gate, stalled = ApiGate(None, LIMIT), asyncio.Event()
        begun: list[bytes] = []

        async def never(message):
            if message.get("body"):
                begun.append(message["body"])
                await stalled.wait()

        request = RequestFactory().get("/api/x")
        slow = [
            asyncio.create_task(gate._send(request, StreamingHttpResponse([b"a", b"b"]), never))
            for _ in range(THREADS * 2)
        ]
        while len(begun) < len(slow):
            await asyncio.sleep(0)
        answer = await asyncio.wait_for(gate._in_thread(gate._threads, lambda: 200), 20)
        stalled.set()
        await asyncio.gather(*slow)
        assert sorted(begun) == [b"a"] * len(slow) + [b"b"] * len(slow)
        return answer

    assert asyncio.run(ask_all()) == 200
