"""A step's log in all forms in which Drone may give it."""

import json

import pytest

from pipelines.providers.base import FOLD_START
from pipelines.providers.drone import log
from pipelines.providers.errors import InvalidResponse, NotFound
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import make_adapter
from tests.pipelines.providers.test_drone import APP


def lines(*texts: str, first: int = 0) -> str:
    return json.dumps([{"pos": pos, "out": out, "time": 0} for pos, out in enumerate(texts, first)])


def read(behaviour, offset: int = 0, log_id: str = "1/1"):
    with serve(behaviour) as httpd:
        return make_adapter("drone", httpd.url, "token").log(APP, "1", log_id, offset)


@pytest.mark.parametrize("body", ["null", "[]", " \n"])
def test_an_empty_log_is_empty_and_over(body):
    chunk = read(json_reply(body))
    assert (chunk.text, chunk.done, chunk.next_offset) == ("", True, 0)


def test_lines_of_json_are_read_as_the_array_is():
    rows = json.loads(lines("one\n", "two\n"))
    chunk = read(json_reply("\n".join(map(json.dumps, rows))))
    assert (chunk.text, chunk.next_offset) == ("one\ntwo\n", 2)


def test_pieces_without_an_end_of_line_are_joined_as_they_are():
    assert read(json_reply(lines("a", "b\n", "", "c"))).text == "ab\nc"


def test_an_offset_continues_and_one_beyond_the_end_begins_anew():
    body = json_reply(lines("a\n", "b\n", "c\n"))
    assert read(body, 2).text == "c\n"
    assert (read(body, 3).text, read(body, 3).restarted) == ("", False)
    assert (read(body, 4).text, read(body, 4).restarted) == ("a\nb\nc\n", True)


def test_pieces_without_a_position_are_counted():
    body = json.dumps([{"out": "a\n"}, {"out": "b\n", "pos": None}, {"out": None, "pos": "x"}])
    chunk = read(json_reply(body))
    assert (chunk.text, chunk.next_offset) == ("a\nb\n", 3)


@pytest.mark.parametrize(
    "body", ["[1]", '{"message":"x"}', "[[]", '[{"pos":0,"out":"a"', '"text"', "nonsense"]
)
def test_what_is_no_log_is_no_answer(body):
    with pytest.raises(InvalidResponse):
        read(json_reply(body))


def test_a_page_is_no_log():
    with pytest.raises(InvalidResponse):
        read(reply(200, "<html>sign in</html>", Content_Type="text/html"))


def test_marks_of_folds_are_taken_out_of_what_a_build_wrote():
    assert read(json_reply(lines(f"{FOLD_START}mine\n"))).text == "+mine\n"


def test_of_a_large_log_the_end_is_kept(monkeypatch):
    monkeypatch.setattr(log, "TAIL_BYTES", 100)
    chunk = read(json_reply(lines(*[f"line {n:03}\n" for n in range(50)])))
    assert chunk.text.startswith("line 039\n" if len(chunk.text) == 99 else "line 0")
    assert (chunk.text.endswith("line 049\n"), len(chunk.text) <= 100) == (True, True)
    assert (chunk.truncated, chunk.next_offset) == (True, 50)


def test_a_document_beyond_all_bounds_is_read_in_part_and_says_so(monkeypatch):
    monkeypatch.setattr(log, "MAX_BYTES", 1_000)
    chunk = read(json_reply(lines(*[f"line {n:03}\n" for n in range(50)])))
    assert chunk.text.startswith("line 000\n")
    assert chunk.text.endswith("open it in Drone.]\n")
    assert chunk.done


@pytest.mark.parametrize("log_id", ["", "1", "1/", "/1", "a/b", "1/2/3", "../1", "\uff11/1", "9/9"])
def test_a_log_of_another_name_is_not_found(log_id):
    def behave(handler):
        if "/logs/" in handler.path:
            json_reply("{}", 404)(handler)
        else:
            json_reply('{"number": 1, "status": "success", "stages": []}')(handler)

    with pytest.raises(NotFound):
        read(behave, log_id=log_id)


def test_a_step_that_has_not_begun_has_no_lines_yet():
    steps = [{"number": 1, "name": "a", "status": "pending"}]
    build = {"number": 1, "status": "running", "stages": [{"number": 1, "steps": steps}]}

    def behave(handler):
        json_reply("{}", 404)(handler) if "/logs/" in handler.path else json_reply(
            json.dumps(build)
        )(handler)

    chunk = read(behave)
    assert (chunk.text, chunk.done) == ("", False)


def test_a_stream_that_has_not_come_as_far_yet_is_no_shorter_log():
    steps = [{"number": 1, "name": "a", "status": "running"}]
    build = {"number": 1, "status": "running", "stages": [{"number": 1, "steps": steps}]}

    def behave(handler):
        if handler.path.startswith("/api/stream/"):
            event = b'data: {"pos":0,"out":"a\\n","time":0}\n\n'
            reply(200, event, Content_Type="text/event-stream")(handler)
        elif "/logs/" in handler.path:
            json_reply("{}", 404)(handler)
        else:
            json_reply(json.dumps(build))(handler)

    assert read(behave, 0).text == "a\n"
    late = read(behave, 7)
    assert (late.text, late.next_offset, late.restarted) == ("", 7, False)
