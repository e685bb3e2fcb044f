"""Log text becomes numbered lines of safe HTML."""

import pytest

from pipelines.log_lines import MASK, MAX_LINE, fold_after, masked, plain, render
from pipelines.providers.base import FOLD_END, FOLD_START

FOLDED = f"before\n{FOLD_START}Install\na\nb\n{FOLD_END}\nafter\n"


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


def test_a_log_of_nothing_but_escapes_is_read_in_no_time():
    assert render("\x1b" * 1_000_000)
    assert htmls("\x1b" * 9 + "]0;title\x07shown") == ["shown"]


def test_an_endless_line_is_cut():
    assert len(htmls("x" * (MAX_LINE + 1))[0]) == MAX_LINE


def test_a_fold_is_its_first_line_and_those_up_to_its_end():
    lines = render(FOLDED)
    assert [(line.html, line.fold, line.opens) for line in lines] == [
        ("before", 0, False),
        ("Install", 2, True),
        ("a", 2, False),
        ("b", 2, False),
        ("after", 0, False),
    ]


def test_a_fold_goes_on_in_the_next_piece():
    first, rest = f"{FOLD_START}Install\na\n", f"b\n{FOLD_END}\nc\n"
    fold = fold_after(first, 5, 0)
    assert fold == 5
    assert [line.fold for line in render(rest, 7, fold)] == [5, 0]
    assert fold_after(rest, 7, fold) == 0


def test_plain_text_has_neither_colours_nor_marks():
    text = f"{FOLD_START}Install\n\x1b[31mred\x1b[0m\x1b[2K\n{FOLD_END}\ndone\n"
    assert plain(text) == "--- Install\nred\ndone\n"


def test_what_steers_terminals_or_turns_words_around_is_left_out():
    steering = "\x00\x07\x08\x0e\x7f\x9b31m\x85\u202e\u2066"
    assert htmls(f"a{steering}b\tc") == ["a31mb\tc"]
    assert plain(f"a{steering}b\tc\x1b") == "a31mb\tc\n"


def test_secrets_are_masked_the_longest_first_and_short_words_left():
    text = "token stagedoor:s3cr3t-token and s3cr3t-token, and abc"
    found = masked(text, {"stagedoor:s3cr3t-token", "s3cr3t-token", "abc"})
    assert found == f"token {MASK} and {MASK}, and abc"
