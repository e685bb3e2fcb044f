"""One reading of a log serves all who look."""

import base64
from urllib.parse import quote

import pytest

from pipelines.log_lines import masked
from pipelines.logs import (
    MAX_LINES,
    MAX_TAIL,
    export,
    mark_of,
    offset_of,
    read,
    step_to_show,
)
from pipelines.models import Build, Pipeline, Server
from pipelines.providers.base import LogChunk, State, Step
from pipelines.sharing import key_of
from portal.process_cache import answers


def build_on(**server):
    return Build(pk=0, pipeline=Pipeline(server=Server(credential_ref="", **server)))


def test_a_reader_who_begins_in_a_line_takes_nothing_from_the_others():
    build = build_on()
    for offset, text in {0: "one\ntw", 5: "w", 6: "o\n"}.items():
        answer = LogChunk(text, min(offset + len(text), 8), done=offset == 6)
        answers.set(key_of("log", build.pk, "", offset), answer)
    assert [line.html for line in read(build, "").lines] == ["one"]
    read(build, "", offset=5)
    assert [line.html for line in read(build, "", offset=6).lines] == ["two"]


def step(name, state, log_id="log"):
    return Step(name, name, state, str(state), log_id)


def test_the_step_that_failed_is_shown_before_the_one_that_runs_and_the_last():
    build = step("build", State.PASSED)
    test = step("test", State.FAILED)
    deploy = step("deploy", State.RUNNING)
    gate = step("gate", State.WAITING, log_id="")
    assert step_to_show([build, test, deploy]) is test
    assert step_to_show([build, deploy]) is deploy
    assert step_to_show([build, gate]) is build
    assert step_to_show([build, test], wanted="build") is build
    assert step_to_show([gate]) is None
    assert step_to_show([build, gate, step("release", State.QUEUED)]) is build
    assert step_to_show([step("first", State.QUEUED)]).name == "first"


def test_a_mark_leads_to_its_own_place_of_its_own_log():
    build = build_on()
    mark = mark_of(build, "deploy", 40)
    assert offset_of(build, "deploy", mark) == 40
    assert offset_of(build, "test", mark) == 0
    assert offset_of(Build(pk=1, pipeline=build.pipeline), "deploy", mark) == 0


def test_a_line_without_an_end_is_not_held_whole():
    build = build_on()
    piece = "x" * 1_000_000
    for offset in range(5):
        keep(build, offset, f"shown{piece}", offset + 1, done=offset == 4)
        page = read(build, "", offset)
        kept = answers.get(key_of("tail", build.pk, "", offset + 1), "")
        assert len(kept) <= MAX_TAIL
    assert [str(line.html)[:6] for line in page.lines] == ["shownx"]


def test_of_a_log_of_empty_lines_a_browser_gets_the_last():
    build = build_on()
    keep(build, 0, "\n" * 50_000 + "end\n", 1, done=True)
    page = read(build, "")
    assert (len(page.lines), page.lines[-1].html, page.lines[-1].number) == (
        MAX_LINES,
        "end",
        50_001,
    )
    assert (page.truncated, page.next_line) == (True, 50_002)


def keep(build, offset, text, next_offset, *, done=True, **more):
    answers.set(key_of("log", build.pk, "", offset), LogChunk(text, next_offset, done=done, **more))


def test_an_export_is_every_piece_without_colours():
    build = build_on()
    keep(build, 0, "\x1b[31mone\x1b[0m\n", 13, done=False)
    keep(build, 13, "two\n", 17, done=True)
    assert export(build, "") == "one\ntwo\n"


def test_an_export_of_a_growing_log_ends_where_the_log_does():
    build = build_on()
    keep(build, 0, "one\n", 4, done=False)
    keep(build, 4, "", 4, done=False)
    assert export(build, "") == "one\n"


def test_an_export_says_that_the_beginning_is_lacking():
    build = build_on()
    keep(build, 0, "late\n", 9, done=True, truncated=True)
    assert export(build, "").startswith("[The beginning is left out")


def test_what_stagedoor_signs_in_with_is_masked(monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_TEST", "stagedoor:11aabbccddee")
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_HOOK", "hook-secret-1")
    build = build_on(webhook_secret_ref="env:STAGEDOOR_CREDENTIAL_HOOK")
    build.pipeline.server.credential_ref = "env:STAGEDOOR_CREDENTIAL_TEST"
    keep(build, 0, "curl -u me:11aabbccddee; hook-secret-1\n", 40, done=True)
    assert [line.html for line in read(build, "").lines] == ["curl -u me:[masked]; [masked]"]
    assert export(build, "") == "curl -u me:[masked]; [masked]\n"


@pytest.mark.parametrize("user", ["", "x", "me", "stagedoor"])
def test_what_stagedoor_signs_in_with_is_masked_in_a_header_too(monkeypatch, user):
    token = "11aabb/ccd+dee"
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_TEST", f"stagedoor:{token}")
    build = build_on()
    build.pipeline.server.credential_ref = "env:STAGEDOOR_CREDENTIAL_TEST"
    header = base64.b64encode(f"{user}:{token}".encode()).decode()
    keep(build, 0, f"Authorization: Basic {header}\nhttps://me:{quote(token, safe='')}@ci\n", 9)
    shown = "".join(line.html for line in read(build, "").lines)
    assert shown.count("[masked]") == 2
    for part in (header[-12:-4], "11aabb"):
        assert part not in shown
        assert part not in export(build, "")


def test_a_secret_that_is_coloured_in_parts_is_masked():
    text = "a \x1b[31mred\x1b[0m line\ns3cr3t\x1b[1m-tok\x1b]0;t\x07en\n"
    assert masked(text, {"s3cr3t-token"}) == "a \x1b[31mred\x1b[0m line\n[masked]\n"
