"""Pages behind the real web server: cookies, files, answers in parts, and a thread each."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def ask(stack: Stack, path: str, method: str = "GET") -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection(urlsplit(stack.url).netloc, timeout=20)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_a_page_comes_with_its_headers_and_cookies(stack: Stack) -> None:
    status, headers, body = ask(stack, "/signin/")
    assert status == 200
    assert b"</html>" in body
    assert headers["Content-Length"] == str(len(body))
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert len(headers["X-Request-Id"]) == 32


def test_head_has_the_length_and_no_body(stack: Stack) -> None:
    status, _, body = ask(stack, "/signin/", "HEAD")
    assert (status, body) == (200, b"")


def test_an_odd_address_is_not_found(stack: Stack) -> None:
    assert ask(stack, "/%00/")[0] in (302, 404)
    assert ask(stack, "/%ff%fe/")[0] in (302, 400, 404)


def test_many_at_once_are_all_answered(stack: Stack) -> None:
    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(lambda _: ask(stack, "/signin/")[0], range(80)))
    assert found == [200] * 80
