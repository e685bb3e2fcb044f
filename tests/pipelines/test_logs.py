"""Log text becomes numbered lines of safe HTML."""

import pytest
from django.core.cache import cache

from pipelines.logs import MAX_LINE, _key, read, render, step_to_show
from pipelines.models import Build
from pipelines.providers.base import LogChunk, State, Step


def htmls(text):
    return [line.html for line in render(text)]


def test_markup_in_a_log_is_shown_not_run():
    assert htmls("<script>alert(1)</script>") == ["&lt;script&gt;alert(1)&lt;/script&gt;"]


def test_lines_are_numbered_from_where_the_reader_stands():
    assert [line.number for line in render("a\nb\n", first_line=7)] == [7, 8]
    assert render("") == []


def test_a_colour_that_spans_lines_is_closed_and_opened_again():
    assert htmls("\x1b[31mred\nstill\x1b[0m plain") == [
        '<span class="ansi31">red</span>',
        '<span class="ansi31">still</span> plain',
    ]


def test_a_progress_bar_shows_what_stood_last():
    assert htmls("10%\r50%\r100%\r\ndone") == ["100%", "done"]


@pytest.mark.parametrize(
    "hidden", ["\x1b]8;;https://evil.example\x07", "\x1b_bk;t=1700000000000\x07", "\x1bPq#0\x1b\\"]
)
def test_titles_links_and_images_of_a_terminal_are_left_out(hidden):
    assert htmls(f"a{hidden}b") == ["ab"]


def test_what_is_left_out_leaves_no_link_behind():
    start, end = "\x1b\x1bPx\x07]8;;https://evil.example\x07", "\x1b\x1bPx\x07]8;;\x07"
    assert "<a" not in htmls(f"{start}sign in{end}")[0]


def test_an_endless_line_is_cut():
    assert len(htmls("x" * (MAX_LINE + 1))[0]) == MAX_LINE


def test_a_reader_who_begins_in_a_line_takes_nothing_from_the_others():
    build = Build(pk=0)
    for offset, text in {0: "one\ntw", 5: "w", 6: "o\n"}.items():
        answer = LogChunk(text, min(offset + len(text), 8), done=offset == 6)
        cache.set(_key("log", build.pk, "", offset), answer)
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
