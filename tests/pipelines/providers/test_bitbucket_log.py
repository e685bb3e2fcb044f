"""Logs of steps: behind a redirect that must not see the credential, in ranges, and rewritten."""

import json

import pytest

from pipelines.providers.base import StartRequest
from pipelines.providers.errors import InvalidResponse, Misconfigured, NotFound, Unavailable
from pipelines.providers.logs import TAIL_BYTES
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import ended, make_adapter, until
from tests.pipelines.providers.test_bitbucket import PIPELINE, at

nasty = pytest.mark.nasty
OVER = {"name": "COMPLETED", "result": {"name": "SUCCESSFUL"}}
RUNS = {"name": "IN_PROGRESS"}
STARTED = "2026-10-06T12:00:05Z"


@pytest.fixture
def bitbucket(sandbox):
    return sandbox.instances["bitbucket"]


@pytest.fixture
def adapter(bitbucket):
    return make_adapter("bitbucket", bitbucket.base_url, bitbucket.credential, workspaces=["acme"])


def run(bitbucket, adapter, **step):
    """A build that has ended, and the log id of its only step."""
    bitbucket.pipeline(PIPELINE, steps=[{"name": "Build", **step}])
    ended(adapter, adapter.start(StartRequest(PIPELINE, "r-1", branch="main")).build)
    return adapter.steps(PIPELINE, "1")[0].log_id


def steps_and(answer, state=OVER):
    """A server whose one step has this state, and whose log answers so."""

    def behave(handler):
        if handler.path.endswith("/log"):
            answer(handler)
        else:
            step = {"uuid": "{1}", "state": state, "started_on": STARTED}
            json_reply(json.dumps({"values": [step]}))(handler)

    return behave


def log_of(answer, state=OVER, offset=0):
    with serve(steps_and(answer, state)) as httpd:
        return at(httpd.url).log(PIPELINE, "1", "{1}", offset)


def ranges(data: bytes, *, total: bool = True):
    """A server that knows ranges."""

    def behave(handler):
        first = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
        if first >= len(data):
            reply(416, b"")(handler)
            return
        where = f"bytes {first}-{len(data) - 1}/{len(data) if total else '*'}"
        reply(206, data[first:], Content_Range=where)(handler)

    return behave


# --- The store behind the redirect ---------------------------------------------------------------
@nasty("bitbucket-5")
@nasty("bitbucket-6")
def test_an_ended_log_comes_from_the_store_without_the_credential(bitbucket, adapter, sandbox):
    log_id = run(bitbucket, adapter, lines=["one", "done ✓"])
    chunk = adapter.log(PIPELINE, "1", log_id)
    assert chunk.text.endswith("one\ndone ✓\n")
    assert chunk.done
    asked = sandbox.requests("bitbucket", "log")[-2:]
    assert [entry.status for entry in asked] == [307, 206]  # the store answers 400 to a credential
    assert "/_storage/" in asked[1].path


@nasty("bitbucket-5")
def test_no_header_of_ours_reaches_the_store_and_its_address_no_error():
    with serve(reply(403, "<Error>s3cr3t</Error>")) as store:
        away = reply(307, Location=f"{store.url}/logs/1?X-Amz-Signature=s3cr3t")
        with pytest.raises(Unavailable) as caught:
            log_of(away)
    assert len(store.asked) == 1
    assert store.asked[0].path == "/logs/1?X-Amz-Signature=s3cr3t"
    names = {name.lower() for name in store.asked[0].headers}
    assert not names & {"authorization", "cookie", "referer"}
    assert "s3cr3t" not in f"{caught.value!s} {caught.value!r}"


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("ftp://store.example/log", InvalidResponse),
        ("http://[::1", InvalidResponse),
        ("http://user:s3cr3t@127.0.0.1/log", Misconfigured),
        ("http://169.254.169.254/latest/meta-data", Misconfigured),
        ("https://10.0.0.1/log", Misconfigured),
    ],
)
def test_a_redirect_to_where_no_log_can_be_is_not_followed(location, error):
    with pytest.raises(error) as caught:
        log_of(reply(307, Location=location))
    assert "s3cr3t" not in str(caught.value)


def test_behind_https_no_log_is_read_without_tls():
    cloud = make_adapter("bitbucket", "https://api.bitbucket.org/2.0", "token", workspaces=["a"])
    answer = type("Answer", (), {"url": "https://api.bitbucket.org/2.0/x", "headers": {}})()
    answer.headers["Location"] = "http://store.example/log"
    with pytest.raises(InvalidResponse, match="without TLS"):
        cloud._wire._elsewhere(answer)


def test_a_store_that_redirects_again_is_not_followed():
    with serve(reply(302, Location="https://elsewhere.example/")) as store:
        away = reply(307, Location=f"{store.url}/logs/1")
        with pytest.raises(Misconfigured, match="redirect"):
            log_of(away)


def test_while_a_step_talks_one_request_reads_its_log():
    with serve(steps_and(ranges(b"one\n"), RUNS)) as httpd:
        assert at(httpd.url).log(PIPELINE, "1", "{1}").text == "one\n"
        assert len(httpd.asked) == 1
        assert not at(httpd.url).log(PIPELINE, "1", "{1}", 4).done
    paths = [asked.path.partition("?")[0].rpartition("/")[2] for asked in httpd.asked]
    assert paths == ["log", "log", "steps"]


# --- Ranges --------------------------------------------------------------------------------------
@nasty("bitbucket-7")
def test_nothing_new_past_the_end_and_nothing_at_all_before_the_start():
    data = b"one\ntwo\n"
    assert log_of(ranges(data), RUNS, offset=4).text == "two\n"
    again = log_of(ranges(data), RUNS, offset=8)
    assert (again.text, again.next_offset, again.restarted, again.done) == ("", 8, False, False)
    assert log_of(ranges(data), offset=8).done
    for nothing in (reply(404), reply(416)):
        for state, over in ((RUNS, False), (OVER, True)):
            chunk = log_of(nothing, state)
            assert (chunk.text, chunk.next_offset, chunk.done) == ("", 0, over)


@nasty("bitbucket-7")
@pytest.mark.parametrize("offset", [1, 9, 500])
def test_a_log_that_was_written_anew_begins_anew(offset):
    chunk = log_of(ranges(b"new\n" if offset > 1 else b""), offset=offset)
    assert chunk.restarted
    assert (chunk.text, chunk.next_offset) == (("new\n", 4) if offset > 1 else ("", 0))


def test_half_a_line_waits_until_it_is_whole():
    half = log_of(ranges("one\nzwei ✓"[:8].encode()), RUNS)
    assert (half.text, half.next_offset, half.done) == ("one\n", 4, False)
    whole = log_of(ranges("one\nzwei ✓".encode()), OVER, half.next_offset)
    assert (whole.text, whole.done) == ("zwei ✓", True)


def test_of_a_huge_log_the_end_is_shown_and_followed(bitbucket, adapter):
    line = "x" * 998
    log_id = run(bitbucket, adapter, lines=[line], repeat=3000)
    chunk = adapter.log(PIPELINE, "1", log_id)
    assert (chunk.truncated, chunk.done, chunk.restarted) == (True, True, False)
    assert chunk.text.startswith(line)
    assert len(chunk.text) <= TAIL_BYTES
    assert adapter.log(PIPELINE, "1", log_id, chunk.next_offset).text == ""
    missed = adapter.log(PIPELINE, "1", log_id, 10)
    assert (missed.truncated, missed.restarted) == (True, True)


def test_a_huge_log_of_unknown_length_is_read_piece_by_piece():
    data = b"".join(b"%07d\n" % n for n in range(TAIL_BYTES // 4))
    pieces, offset, done = [], 0, False
    with serve(steps_and(ranges(data, total=False))) as httpd:
        adapter = at(httpd.url)
        while not done:
            chunk = adapter.log(PIPELINE, "1", "{1}", offset)
            assert not chunk.restarted
            pieces.append(chunk.text)
            offset, done = chunk.next_offset, chunk.done
    assert "".join(pieces).encode() == data
    assert len(pieces) > 1


def test_one_line_without_end_is_read_all_the_same():
    data = b"x" * (TAIL_BYTES * 2)
    with serve(steps_and(ranges(data, total=False))) as httpd:
        first = at(httpd.url).log(PIPELINE, "1", "{1}")
        second = at(httpd.url).log(PIPELINE, "1", "{1}", first.next_offset)
    assert 0 < first.next_offset < second.next_offset <= len(data)


def test_a_server_that_knows_no_ranges_gives_the_beginning_and_says_so():
    chunk = log_of(reply(200, b"x\n" * TAIL_BYTES))
    assert chunk.done
    assert "too large to show" in chunk.text
    assert log_of(reply(200, b"one\ntwo\n"), offset=4).text == "two\n"


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, "<html>", Content_Type="text/html"),
        json_reply("{}"),
        reply(206, b"x"),
        reply(206, b"x", Content_Range="bytes x-9/10"),
    ],
)
def test_what_is_no_readable_log_is_said(answer):
    with pytest.raises(InvalidResponse):
        log_of(answer)


def test_a_build_can_not_fake_a_fold_and_colours_stay():
    assert log_of(ranges(b"\x1d+fake\n\x1b[31mred\x1b[0m\n")).text == "+fake\n\x1b[31mred\x1b[0m\n"


def test_a_step_that_the_build_does_not_have_has_no_log(bitbucket, adapter):
    run(bitbucket, adapter)
    for log_id in ("", "{unknown}", "../../x", "a" * 65):
        with pytest.raises(NotFound):
            adapter.log(PIPELINE, "1", log_id)


def test_a_secret_that_bitbucket_masks_stays_masked(bitbucket, adapter):
    bitbucket.pipeline(PIPELINE, steps=[{"name": "Build", "lines": ["key s3cr3t"]}])
    target = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}
    variable = {"key": "KEY", "value": "s3cr3t", "secured": True}
    body = {"target": target, "variables": [variable]}
    adapter._wire.write("POST", f"/repositories/{PIPELINE}/pipelines", json=body)
    until(lambda: adapter.get_build(PIPELINE, "1").finished_at)
    log_id = adapter.steps(PIPELINE, "1")[0].log_id
    assert "key $KEY\n" in adapter.log(PIPELINE, "1", log_id).text
