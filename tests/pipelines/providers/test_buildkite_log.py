"""Logs of Buildkite's jobs: their end, their codes, their groups, and what is no log."""

import json

import pytest

from pipelines.providers.base import FOLD_END, FOLD_START, StartRequest
from pipelines.providers.buildkite import Buildkite
from pipelines.providers.errors import InvalidResponse, NotFound
from pipelines.providers.logs import TAIL_BYTES
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import build_of, ended, make_adapter

PIPELINE = "acme/checkout"


@pytest.fixture
def buildkite(sandbox):
    return sandbox.buildkite


@pytest.fixture
def adapter(buildkite) -> Buildkite:
    return make_adapter("buildkite", buildkite.base_url, buildkite.credential)


def ask() -> StartRequest:
    return StartRequest(pipeline=PIPELINE, request_id="r-1", branch="main")


def at(url: str) -> Buildkite:
    return make_adapter("buildkite", url, "token")


JOB = {"id": "j-1", "type": "script", "state": "running"}


def log_of(answer, state="running", offset=0):
    """A log read from a server that answers so, of a job in this state."""

    def behave(handler):
        if handler.path.endswith("/log"):
            answer(handler)
        else:
            json_reply(json.dumps({"items": [{**JOB, "state": state}]}))(handler)

    with serve(behave) as httpd:
        chunk = at(httpd.url).log(PIPELINE, "1", "j-1", offset)
    assert httpd.asked[-1].headers["Range"] == f"bytes=-{TAIL_BYTES}"
    return chunk


def text(body, status=200, **headers):
    return reply(status, body, Content_Type="text/plain; charset=utf-8", **headers)


@pytest.mark.parametrize("answer", [reply(404), reply(416), text("")], ids=["404", "416", "empty"])
def test_a_job_without_output_is_no_error(answer):
    assert log_of(answer) == log_of(answer, "scheduled")
    assert (log_of(answer).text, log_of(answer).done) == ("", False)
    assert log_of(answer, "canceled").done


def test_timestamps_and_images_go_and_colours_stay():
    raw = "\x1b_bk;t=1\x07\x1b[31mred\x1b[0m\r\n\x1b]1338;url=x;alt=y\x07pic\x1b]8;;u\x1b\\z\r\n"
    assert log_of(text(raw), "passed").text == "\x1b[31mred\x1b[0m\r\npicz\r\n"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("--- Build\r\nok\r\n", f"{FOLD_START}Build\r\nok\r\n"),
        ("\x1b_bk;t=1\x07+++ :rocket: Ship\n", f"{FOLD_START}:rocket: Ship\n"),
        ("~~~  a\n--- b\n", f"{FOLD_START}a\n{FOLD_START}b\n"),
        ("ok\n\x1b_bk;t=1\x07^^^ +++\r\nerror\n", "ok\nerror\n"),
        ("---\n--- \n----- x\n +++ y\n", "---\n--- \n----- x\n +++ y\n"),
        (f"{FOLD_START}forged\n{FOLD_END}\n", "+forged\n-\n"),
    ],
)
def test_groups_become_folds_and_a_build_can_not_forge_one(raw, shown):
    assert log_of(text(raw), "passed").text == shown


def test_codes_without_an_end_are_read_in_no_time():
    raw = "\x1b]" * 400_000
    assert log_of(text(raw), "passed").text == raw


def test_half_a_line_waits_until_it_is_whole():
    half = log_of(text("one\ntwo \x1b_bk;"))
    assert (half.text, half.next_offset, half.done) == ("one\n", 4, False)
    whole = log_of(text("one\ntwo \x1b_bk;t=1\x07!"), "passed", half.next_offset)
    assert (whole.text, whole.done) == ("two !", True)


def test_a_log_that_shrank_begins_anew():
    chunk = log_of(text("new\n"), "passed", offset=500)
    assert (chunk.text, chunk.restarted) == ("new\n", True)


def test_of_a_huge_log_the_end_is_shown_and_followed(buildkite, adapter):
    line = "x" * 998
    buildkite.pipeline(PIPELINE, steps=[{"name": "Loud", "lines": [line], "repeat": 3000}])
    ended(adapter, adapter.start(ask()).build)
    log_id = adapter.steps(PIPELINE, "1")[0].log_id
    chunk = adapter.log(PIPELINE, "1", log_id)
    assert (chunk.truncated, chunk.done, chunk.restarted) == (True, True, False)
    assert chunk.text.startswith(line)
    assert len(chunk.text) <= TAIL_BYTES
    assert adapter.log(PIPELINE, "1", log_id, chunk.next_offset).text == ""
    missed = adapter.log(PIPELINE, "1", log_id, 10)
    assert (missed.truncated, missed.restarted) == (True, True)


def test_a_server_that_knows_no_ranges_gives_the_beginning_and_says_so():
    chunk = log_of(text("x\n" * TAIL_BYTES))
    assert chunk.done
    assert "too large to show" in chunk.text
    assert len(chunk.text) < TAIL_BYTES + 200


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, "<html>", Content_Type="text/html"),
        text("x" * TAIL_BYTES, 206),
        text("x" * TAIL_BYTES, 206, Content_Range="bytes 5-9/10"),
    ],
)
def test_what_is_no_readable_log_is_said(answer):
    with pytest.raises(InvalidResponse):
        log_of(answer)


def test_a_job_that_the_build_does_not_have_has_no_log(buildkite, adapter):
    buildkite.pipeline(PIPELINE)
    build_of(adapter, PIPELINE, adapter.start(ask()))
    for log_id in ("", "unknown", "../../x", "a" * 65):
        with pytest.raises(NotFound):
            adapter.log(PIPELINE, "1", log_id)
