"""The outgoing client against real servers that lie, hang and never end."""

import gzip
import itertools
import threading
import time

import pytest

from portal.http import (
    Blocked,
    ConnectFailed,
    ConnectionLost,
    HttpClient,
    NotJson,
    RedirectRefused,
    Response,
    TimedOut,
    TooLarge,
)
from tests.httpd import closed_port, drip, endless, hang, json_reply, reply, reset, serve

CANARY = "canary-3f9a"


@pytest.fixture
def client():
    return HttpClient(allow=["127.0.0.1"], timeout=(1, 1), deadline=1.5, max_bytes=100_000)


def test_a_whole_answer_comes_with_status_headers_and_json(client):
    with serve(json_reply('{"a": "ü"}', X_Jenkins="2.5")) as httpd:
        answer = client.request("GET", httpd.url + "/x", params={"tree": "a[b]"})
    assert (answer.status, answer.json(), answer.headers["x-jenkins"]) == (200, {"a": "ü"}, "2.5")
    assert httpd.asked[0].path == "/x?tree=a%5Bb%5D"
    assert httpd.asked[0].headers["User-Agent"] == "Stagedoor"


def test_an_error_status_is_an_answer(client):
    with serve(reply(503, "busy", Content_Type="text/plain")) as httpd:
        answer = client.request("GET", httpd.url)
    assert (answer.status, answer.text()) == (503, "busy")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", "<html>sign in</html>"),
        ("", "{}"),
        ("application/json", "{broken"),
        ("application/json", "[" * 100_000),
    ],
)
def test_what_is_not_json_is_said(client, content_type, body):
    with serve(reply(200, body, Content_Type=content_type)) as httpd:
        answer = client.request("GET", httpd.url, max_bytes=200_000)
    with pytest.raises(NotJson):
        answer.json()


@pytest.mark.parametrize(
    ("header", "following"),
    [
        (
            '<https://h/x?page=2>; rel="next", <https://h/x?page=9>; rel="last"',
            "https://h/x?page=2",
        ),
        ('<https://h/x?page=9>; rel="last"', ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_the_next_page_of_a_list_is_in_the_header(header, following):
    assert Response(200, "https://h/x", {"Link": header}, b"", 0.1).next_page == following


def test_text_without_a_charset_is_utf_8_and_never_fails(client):
    with serve(reply(200, "ü\n".encode() + b"\xff", Content_Type="text/plain")) as httpd:
        assert client.request("GET", httpd.url).text() == "ü\n\ufffd"
        for charset in ("no-such", "idna", "undefined", "hex"):
            httpd.behaviour = reply(200, b"a", Content_Type=f"text/plain; charset={charset}")
            assert client.request("GET", httpd.url).text() == "a"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "//127.0.0.1/",
        "http://",
        "http://[",
        "http://127.0.0.1:notaport/",
        "http://user:secret@127.0.0.1/",
    ],
)
def test_urls_that_are_no_plain_http_are_refused(client, url):
    with pytest.raises(Blocked) as caught:
        client.request("GET", url)
    assert "secret" not in str(caught.value)


def test_a_header_that_can_not_be_sent_is_refused_before_sending(client):
    with serve(reply()) as httpd, pytest.raises(Blocked) as caught:
        client.request("POST", httpd.url, headers={"Authorization": f"{CANARY}\r\nX: y"})
    assert httpd.asked == []
    assert CANARY not in str(caught.value)


# --- What was sent and what was not --------------------------------------------------------------
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:{closed}/", "http://no-such-host.invalid/"])
def test_no_connection_is_certainly_not_sent(client, method, url):
    with pytest.raises(ConnectFailed):
        client.request(method, url.format(closed=closed_port()))


def test_failed_tls_is_certainly_not_sent(client):
    with serve(reply()) as httpd, pytest.raises(ConnectFailed):
        client.request("POST", f"https://127.0.0.1:{httpd.port}/", json={})
    assert httpd.asked == []


def test_a_reset_after_the_request_may_have_been_carried_out(client):
    with serve(reset) as httpd, pytest.raises(ConnectionLost):
        client.request("POST", httpd.url, json={})
    assert len(httpd.asked) == 1


def test_silence_times_out_and_is_asked_once(client):
    with serve(hang) as httpd, pytest.raises(TimedOut):
        client.request("POST", httpd.url, json={})
    assert len(httpd.asked) == 1


def test_a_body_that_breaks_off_is_no_answer(client):
    def half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True

    with serve(half) as httpd, pytest.raises(ConnectionLost):
        client.request("GET", httpd.url)


# --- Bounds --------------------------------------------------------------------------------------
def test_an_endless_body_is_too_large(client):
    with serve(endless) as httpd, pytest.raises(TooLarge):
        client.request("GET", httpd.url)


def test_a_body_may_be_cut_instead(client):
    with serve(endless) as httpd:
        answer = client.request("GET", httpd.url, max_bytes=10, truncate=True)
        assert (answer.body, answer.truncated) == (b"x" * 10, True)
        assert client.request("GET", httpd.url, max_bytes=0, truncate=True).body == b""


def trickle(*pieces: bytes, pause: float = 0.05, then: str = "hang"):
    """A stream that sends its pieces one by one and then stays open, or ends."""

    def behave(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in pieces:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            handler.wfile.flush()
            handler.server.httpd.over.wait(pause)
        if then == "hang":
            handler.close_connection = True
            handler.server.httpd.over.wait(30)
        else:
            handler.wfile.write(b"0\r\n\r\n")

    return behave


def test_a_stream_is_left_after_a_while_with_what_has_come(client):
    with serve(trickle(b"data: 1\n\n", b"data: 2\n\n")) as httpd:
        answer = client.request("GET", httpd.url, linger=0.4)
        assert (answer.body, answer.truncated) == (b"data: 1\n\ndata: 2\n\n", True)


def test_a_stream_that_never_pauses_is_left_too(client):
    with serve(trickle(*[b"x"] * 10_000, pause=0.01)) as httpd:
        answer = client.request("GET", httpd.url, linger=0.3)
        assert answer.truncated
        assert 0 < len(answer.body) < 1_000


def test_a_stream_that_ends_is_whole_and_bounds_hold(client):
    with serve(trickle(b"data: 1\n\n", then="end")) as httpd:
        answer = client.request("GET", httpd.url, linger=1)
        assert (answer.body, answer.truncated) == (b"data: 1\n\n", False)
        httpd.behaviour = endless
        with pytest.raises(TooLarge):
            client.request("GET", httpd.url, linger=1)
        assert client.request("GET", httpd.url, linger=1, max_bytes=9, truncate=True).truncated


def test_a_stream_without_headers_is_no_answer(client):
    with serve(hang) as httpd, pytest.raises(TimedOut):
        client.request("GET", httpd.url, linger=0.3)


def test_what_was_left_behind_is_not_read_by_the_next_request(client):
    with serve(trickle(b"data: 1\n\n")) as httpd:
        client.request("GET", httpd.url, linger=0.2)
        httpd.behaviour = json_reply("{}")
        assert client.request("GET", httpd.url).json() == {}


def test_a_decompression_bomb_counts_what_it_becomes(client):
    bomb = gzip.compress(b"\0" * 50_000_000)
    with serve(reply(200, bomb, Content_Encoding="gzip")) as httpd, pytest.raises(TooLarge):
        client.request("GET", httpd.url)


def test_compressed_answers_are_read(client):
    packed = gzip.compress(b"x" * 90_000)
    with serve(reply(200, packed, Content_Encoding="gzip")) as httpd:
        assert client.request("GET", httpd.url).body == b"x" * 90_000


@pytest.mark.parametrize(
    "what",
    [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "],
    ids=["body", "headers"],
)
def test_a_slow_drip_meets_the_deadline(client, what):
    started = time.monotonic()
    with serve(drip(what)) as httpd, pytest.raises((TimedOut, ConnectionLost)):
        client.request("GET", httpd.url)
    assert time.monotonic() - started < 4


# --- Redirects -----------------------------------------------------------------------------------
def test_a_redirect_on_the_same_origin_is_followed(client):
    def behave(handler):
        to = reply(200, "there") if handler.path == "/b" else reply(302, Location="/b")
        to(handler)

    with serve(behave) as httpd:
        answer = client.request("GET", httpd.url + "/a", headers={"Authorization": "x"})
    assert (answer.text(), answer.url) == ("there", httpd.url + "/b")


@pytest.mark.parametrize("location", ["http://localhost:{port}/", "https://127.0.0.1:{port}/"])
def test_a_redirect_to_another_origin_is_refused_and_named(client, location):
    with serve(reply()) as httpd:
        target = location.format(port=httpd.port)
        httpd.behaviour = reply(301, Location=target + f"?token={CANARY}")
        with pytest.raises(RedirectRefused) as caught:
            client.request("GET", httpd.url)
    assert len(httpd.asked) == 1
    assert caught.value.host in target
    assert CANARY not in str(caught.value)


def test_redirects_in_a_circle_end(client):
    with serve(reply(302, Location="/")) as httpd, pytest.raises(RedirectRefused):
        client.request("GET", httpd.url)
    assert len(httpd.asked) == 6


def test_an_endless_redirect_body_is_not_read(client):
    def behave(handler):
        handler.send_response(302)
        handler.send_header("Location", "http://elsewhere.example/")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65_536)

    with serve(behave) as httpd, pytest.raises(RedirectRefused):
        client.request("GET", httpd.url)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_write_is_never_redirected(client, method):
    with serve(reply(302, Location="/elsewhere")) as httpd:
        assert client.request(method, httpd.url).status == 302
    assert len(httpd.asked) == 1


# --- Whose credentials ---------------------------------------------------------------------------
def test_neither_cookies_nor_netrc_nor_proxies_are_used(client, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    with serve(reply(200, Set_Cookie="session=1; Path=/")) as httpd:
        client.request("GET", httpd.url)
        client.request("GET", httpd.url)
    for asked in httpd.asked:
        assert "Authorization" not in asked.headers
        assert "Cookie" not in asked.headers


def test_reads_share_a_connection_and_writes_never_do(client):
    with serve(reply(200, "x")) as httpd:
        for _ in range(3):
            client.request("GET", httpd.url)
        assert httpd.connections == 1
        # Often enough to meet the moment in which a server closes what it had answered on.
        for _ in range(30):
            client.request("POST", httpd.url)
        assert httpd.connections == 31


def test_a_read_is_asked_again_where_the_kept_connection_was_closed(client):
    with serve(drop_then(json_reply("{}"))) as httpd:
        assert client.request("GET", httpd.url).json() == {}
        with pytest.raises(ConnectionLost):
            client.request("POST", httpd.url)
        assert [asked.method for asked in httpd.asked] == ["GET", "GET", "POST"]


def drop_then(behaviour):
    """Ends the connection of every other request without an answer."""
    turns = itertools.cycle([reset, behaviour])

    def behave(handler):
        next(turns)(handler)

    return behave


def test_threads_share_a_client(client):
    with serve(json_reply("{}")) as httpd:
        found = []

        def ask():
            found.extend(client.request("GET", httpd.url).json() for _ in range(20))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [{}] * 160


def test_nothing_secret_shows_in_texts(client):
    with serve(reply(500, CANARY, Content_Type="application/json", X_Echo=CANARY)) as httpd:
        answer = client.request("GET", f"{httpd.url}/{CANARY}?token={CANARY}")
        assert CANARY not in repr(answer)
        with pytest.raises(NotJson) as caught:
            answer.json()
        assert CANARY not in str(caught.value)
        for behaviour, method in ((hang, "GET"), (reset, "POST"), (endless, "GET")):
            httpd.behaviour = behaviour
            with pytest.raises(Exception) as caught:  # noqa: PT011  whichever it is
                client.request(
                    method,
                    f"{httpd.url}/{CANARY}?token={CANARY}",
                    headers={"Authorization": CANARY},
                    data={"password": CANARY} if method == "POST" else None,
                )
            assert CANARY not in f"{caught.value!s} {caught.value!r}"
