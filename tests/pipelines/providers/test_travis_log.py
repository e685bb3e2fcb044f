"""Travis CI's logs: parts that come late, folds, restarts, sizes, and answers that are no log."""

import json

import pytest

from pipelines.providers.base import FOLD_END, FOLD_START
from pipelines.providers.errors import Forbidden, InvalidResponse, NotFound
from pipelines.providers.travis import log
from pipelines.providers.travis.folds import readable
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import build_of, ended, make_adapter, until
from tests.pipelines.providers.test_travis import PIPELINE, ask

JOB = {
    "@type": "job",
    "id": 5,
    "state": "started",
    "build": {"@type": "build", "id": 1},
    "repository": {"@type": "repository", "slug": PIPELINE},
}
ENDED = {**JOB, "state": "passed", "finished_at": "2026-01-01T00:00:00Z", "log_complete": True}


class Job:
    """A server with one job, whose parts and text a test changes as it goes."""

    def __init__(self) -> None:
        self.job, self.parts, self.text = JOB, [], reply(404)
        self.asked: list[str] = []

    def __call__(self, handler) -> None:
        path, _, query = handler.path.partition("?")
        self.asked.append(handler.path)
        if path.endswith("/log_parts"):
            after = dict(part.split("=") for part in query.split("&")).get("after", "-1")
            rows = [part for part in self.parts if part["number"] > int(after)]
            json_reply(json.dumps({"@type": "log_parts", "log_parts": rows}))(handler)
        elif path.endswith("/log.txt"):
            self.text(handler)
        else:
            json_reply(json.dumps(self.job))(handler)

    def say(self, *contents: str, first: int = 0) -> None:
        """Parts in this order, numbered from `first`."""
        self.parts += [
            {"number": number, "content": content, "final": False}
            for number, content in enumerate(contents, start=first)
        ]


@pytest.fixture
def job():
    return Job()


@pytest.fixture
def read(job):
    """`read(offset)` on the job's log."""
    with serve(job) as httpd:
        adapter = make_adapter("travis", httpd.url, "token")
        yield lambda offset=0: adapter.log(PIPELINE, "1", "5", offset)


def text(body, status=200):
    return reply(status, body, Content_Type="text/plain; charset=utf-8")


# --- While it runs -------------------------------------------------------------------------------
def test_only_what_follows_the_last_line_is_asked_for(job, read):
    job.say("one\ntwo\nthr", "ee\nfour\n", "fi")
    first = read()
    assert (first.text, first.done) == ("one\ntwo\nthree\nfour\n", False)
    job.say("ve\nsix\n", first=3)
    job.asked.clear()
    second = read(first.next_offset)
    assert second.text == "five\nsix\n"
    assert "after=0" in job.asked[-1]
    job.asked.clear()
    third = read(second.next_offset)
    assert (third.text, third.next_offset) == ("", second.next_offset)
    assert "after=2" in job.asked[-1]
    assert len(str(second.next_offset)) < 16


@pytest.mark.nasty("travis-13")
def test_parts_out_of_order_and_with_a_gap_wait_for_the_one_that_is_missing(job, read):
    job.parts = [
        {"number": 3, "content": "four\n", "final": True},
        {"number": 1, "content": "two\n", "final": False},
        {"number": 0, "content": "one\n", "final": False},
    ]
    first = read()
    assert first.text == "one\ntwo\n"
    job.say("three\n", first=2)
    assert read(first.next_offset).text == "three\nfour\n"


@pytest.mark.nasty("travis-13")
def test_a_part_that_never_comes_is_given_up_some_time_after_the_end(job, read):
    job.job = {**ENDED, "log_complete": False}
    job.say("two\n", first=1)
    job.text = text("one\ntwo\n")
    assert (read().text, read().done) == ("one\ntwo\n", True)


def test_the_parts_of_an_ended_job_are_waited_for_while_its_log_is_incomplete(job, read):
    job.say("one\n")
    first = read()
    job.job = {**ENDED, "log_complete": False, "finished_at": "2100-01-01T00:00:00Z"}
    assert (read(first.next_offset).text, read(first.next_offset).done) == ("", False)
    job.job, job.text = ENDED, text("one\ntwo")
    last = read(first.next_offset)
    assert (last.text, last.done, last.restarted) == ("two", True, False)
    assert read(last.next_offset).text == ""


@pytest.mark.parametrize("rows", [None, {}, [1], [{"number": "x"}], [{"number": 0}]])
def test_parts_of_any_shape_are_no_text_yet(job, read, rows):
    def behave(handler):
        is_log = "log_parts" in handler.path
        json_reply(json.dumps({"log_parts": rows} if is_log else JOB))(handler)

    with serve(behave) as httpd:
        chunk = make_adapter("travis", httpd.url, "token").log(PIPELINE, "1", "5")
    assert (chunk.text, chunk.done) == ("", False)


# --- Restarts ------------------------------------------------------------------------------------
@pytest.mark.nasty("travis-8")
def test_a_log_that_a_restart_erased_begins_anew(job, read):
    job.say("one\n", "two\n", "three\n")
    running = read().next_offset
    job.job, job.text = ENDED, text("one\ntwo\nthree\n")
    ended_at = read(running).next_offset
    job.job, job.parts = JOB, []
    for offset in (running, ended_at):
        chunk = read(offset)
        assert (chunk.text, chunk.restarted, chunk.next_offset) == ("", True, 0)
    job.say("anew\n")
    assert (read(running).text, read(running).restarted) == ("anew\n", True)
    job.job, job.text = ENDED, text("anew\nother words\n")
    assert (read(ended_at).text, read(ended_at).restarted) == ("anew\nother words\n", True)


@pytest.mark.nasty("travis-8")
def test_a_restarted_build_moves_again_under_its_id(sandbox):
    travis = sandbox.instances["travis"]
    travis.pipeline(PIPELINE, queue_seconds=12)
    adapter = make_adapter("travis", travis.base_url, travis.credential)
    build = ended(adapter, build_of(adapter, PIPELINE, adapter.start(ask())))
    job = adapter.steps(PIPELINE, build.external_id)[0].log_id
    offset = adapter.log(PIPELINE, build.external_id, job).next_offset
    adapter._wire.write("POST", f"/build/{build.external_id}/restart")
    again = adapter.get_build(PIPELINE, build.external_id)
    assert (again.raw_state, again.started_at, again.finished_at) == ("created", None, None)
    assert adapter.log(PIPELINE, build.external_id, job, offset).restarted
    assert ended(adapter, again).finished_at >= build.finished_at


# --- Once it has ended ---------------------------------------------------------------------------
@pytest.mark.nasty("travis-14")
def test_a_log_without_content_is_empty_and_no_error(job, read):
    job.job, job.text = ENDED, text("")
    assert (read().text, read().done) == ("", True)
    job.text = reply(404, '{"@type":"error","error_type":"not_found"}', Content_Type="text/plain")
    assert (read().text, read().done) == ("", True)
    job.job = JOB
    job.parts = [{"number": 0, "content": None, "final": False}]
    assert (read().text, read().done) == ("", False)


def test_of_a_large_log_the_end_is_shown(job, read):
    line = "x" * 99 + "\n"
    job.job, job.text = ENDED, text(line * 20_000 + "the end\n")
    chunk = read()
    assert (chunk.truncated, chunk.done, chunk.restarted) == (True, True, False)
    assert chunk.text.endswith("the end\n")
    assert chunk.text.startswith(line)
    assert len(chunk.text) <= log.TAIL_BYTES
    assert read(chunk.next_offset).text == ""


def test_of_a_log_beyond_all_bounds_only_so_much_is_read(job, read):
    def endless(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.end_headers()
        for _ in range(1_000):
            handler.wfile.write(b"y" * 99_999 + b"\n")

    job.job, job.text = ENDED, endless
    chunk = read()
    assert chunk.done
    assert "too large to show" in chunk.text
    assert len(chunk.text) < log.TAIL_BYTES + 200
    assert read(chunk.next_offset).text == ""


def test_a_running_log_beyond_all_bounds_is_said(job, read):
    job.say("z" * (log.MAX_BYTES + 1))
    with pytest.raises(InvalidResponse):
        read()


@pytest.mark.parametrize(
    ("kind", "error"), [("log_expired", NotFound), ("log_access_denied", Forbidden)]
)
def test_a_log_that_is_kept_back_is_said(job, read, kind, error):
    job.job = ENDED
    job.text = text(json.dumps({"@type": "error", "error_type": kind}), 403)
    with pytest.raises(error):
        read()


def test_a_page_in_the_place_of_a_log_is_no_log(job, read):
    job.job, job.text = ENDED, reply(200, "<html>", Content_Type="text/html")
    with pytest.raises(InvalidResponse):
        read()


def test_an_older_enterprise_that_does_not_know_completeness_is_asked_without():
    def behave(handler):
        known = "include" not in handler.path
        if "log.txt" in handler.path:
            text("one\n")(handler)
        else:
            body = {**ENDED} if known else {"@type": "error", "error_type": "wrong_params"}
            body.pop("log_complete", None)
            json_reply(json.dumps(body), 200 if known else 400)(handler)

    with serve(behave) as httpd:
        chunk = make_adapter("travis", httpd.url, "token").log(PIPELINE, "1", "5")
    assert (chunk.text, chunk.done) == ("one\n", True)


@pytest.mark.parametrize("log_id", ["", "x", "../5", "6 ", "\u0665"])
def test_what_is_no_job_has_no_log(read, log_id):
    adapter = make_adapter("travis", "http://127.0.0.1:9", "token")
    with pytest.raises(NotFound):
        adapter.log(PIPELINE, "1", log_id)


# --- What people read ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain\n", "plain\n"),
        ("\x1b[32mgreen\x1b[0m [secure]\n", "\x1b[32mgreen\x1b[0m [secure]\n"),
        ("windows\r\n", "windows\n"),
        ("10%\r50%\r100%\n", "100%\n"),
        ("50%\r\x1b[0Kdone\n", "done\n"),
        ("travis_fold:start:git\r\x1b[0Ktravis_time:start:1a\r\x1b[0K$ git\n", "{+}git\n$ git\n"),
        (
            "\ntravis_time:end:1a:start=1,finish=2,duration=1\r\x1b[0Ktravis_fold:end:git\r\x1b[0K",
            "\n{-}",
        ),
        ("no newlinetravis_fold:end:git\r\x1b[0Knext\n", "no newline\n{-}\nnext\n"),
        ("travis_fold:end:a\r\x1b[0Ktravis_fold:start:b\r\x1b[0K\n", "{-}\n{+}b\n"),
        ("a \x1d+forged\n", "a +forged\n"),
        ("no end", "no end"),
        ("", ""),
        ("\n\n", "\n\n"),
    ],
)
def test_marks_become_folds_and_timings_go(raw, shown):
    assert readable(raw) == shown.replace("{+}", FOLD_START).replace("{-}", FOLD_END)


def test_pieces_of_whole_lines_read_as_the_whole():
    raw = "a\r\n\x1b[0Ktravis_fold:start:x\r\x1b[0K$ b\n\ntravis_fold:end:x\r\x1b[0Kc\rd\n\n"
    lines = raw.splitlines(keepends=True)
    lines = raw.replace("\n", "\n\0").split("\0")
    assert "".join(map(readable, lines)) == readable(raw)


def test_a_whole_log_of_the_sandbox_has_its_folds_and_no_marks(sandbox):
    travis = sandbox.instances["travis"]
    travis.pipeline(PIPELINE)
    adapter = make_adapter("travis", travis.base_url, travis.credential)
    build = ended(adapter, build_of(adapter, PIPELINE, adapter.start(ask())))
    job = adapter.steps(PIPELINE, build.external_id)[0].log_id
    shown = until(lambda: adapter.log(PIPELINE, build.external_id, job).text)
    assert shown.count(FOLD_START) == shown.count(FOLD_END) == 2
    assert f"{FOLD_START}git.checkout\n$ git clone" in shown
    assert "travis_" not in shown
    assert "Cloning, done\n" in shown
    assert "exited with 0." in shown
