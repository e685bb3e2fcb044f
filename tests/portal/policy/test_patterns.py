"""Patterns of administrators: what they may be, and that none keeps the portal busy."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.policy.patterns import MAX_VALUE, BadPattern, compiled, full_match


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (r"v\d+\..*", "v12.3", "v12"),
        (r"[a-z0-9-]{3,8}", "pay-1", "pay_1"),
        (r"(?:blue|green)-?\d?", "blue-1", "red"),
        (r"\d{4}", "2026", "20260"),
        (r"[^]\n]+", "abc", "a]"),
    ],
)
def test_the_whole_value_has_to_match(pattern, matching, other):
    assert full_match(pattern, matching)
    assert not full_match(pattern, other)
    assert not full_match(pattern, f"{matching}\n")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(a+)+b", "a group can't be repeated"),
        ("(a|a)*b", "a group can't be repeated"),
        ("(a{1,9}){9}", "a group can't be repeated"),
        (".*.*.*.*x", "repeats in too many places"),
        ("a?" * 30 + "a" * 30, "repeats in too many places"),
        (r"(a)\1", "is not understood"),
        ("(?=a)b", "nothing before it"),
        ("*a", "nothing before it"),
        ("a**", "nothing before it"),
        ("(a", "is no regular expression"),
        ("a" * 201, "longer than 200"),
    ],
)
def test_what_could_take_long_or_means_nothing_is_refused(pattern, words):
    with pytest.raises(BadPattern, match=words):
        compiled(pattern)


def test_a_value_that_is_too_long_never_matches():
    assert full_match(".*", "a" * MAX_VALUE)
    assert not full_match(".*", "a" * (MAX_VALUE + 1))


@settings(deadline=None)
@given(st.text("ab*+?(){},19|[]\\d.^$-:", max_size=30), st.text("ab1-", max_size=MAX_VALUE))
def test_any_text_is_a_pattern_or_is_refused_and_answers_soon(pattern, value):
    with suppress(BadPattern):
        full_match(pattern, value)
