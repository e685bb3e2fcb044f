"""Conditions: what is not known fails them, and what can't be read grants nothing."""

from datetime import UTC, datetime

import pytest

from portal.policy import NONE, Conditions

MONDAY = datetime(2026, 1, 5, 12, tzinfo=UTC)
SUNDAY = datetime(2026, 1, 4, 12, tzinfo=UTC)
FULL = Conditions("main, release/*\nhotfix", "TARGET: one of staging", "Mon 08:00-18:00 UTC")


@pytest.mark.parametrize("branch", ["main", "release/1", "hotfix"])
def test_all_that_holds_is_no_problem(branch):
    assert FULL.problem(branch, {"TARGET": "staging"}, MONDAY) == ""


def test_without_conditions_nothing_has_to_be_known():
    assert NONE.problem(None, None, SUNDAY) == ""


@pytest.mark.parametrize(
    ("branch", "parameters", "now", "words"),
    [
        ("feature/x", {"TARGET": "staging"}, MONDAY, "only; this is feature/x."),
        (None, {"TARGET": "staging"}, MONDAY, "is not known"),
        ("", {"TARGET": "staging"}, MONDAY, "is not known"),
        ("main", {"TARGET": "production"}, MONDAY, "TARGET has to be one of staging"),
        ("main", None, MONDAY, "is not known"),
        ("main", {"TARGET": "staging"}, SUNDAY, "at certain hours only"),
    ],
)
def test_what_fails_is_said(branch, parameters, now, words):
    assert words in FULL.problem(branch, parameters, now)


@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(branches=", ,"),
        Conditions(branches="main release"),
        Conditions(parameters="TARGET"),
        Conditions(hours="always"),
    ],
)
def test_what_cant_be_read_grants_nothing_and_is_told_by_its_field(conditions):
    assert "can't be read" in conditions.problem("main", {}, MONDAY)
    assert "can't be read" in conditions.problem_whatever_is_chosen(MONDAY)
    assert len(conditions.faults()) == 1


def test_what_is_still_to_be_chosen_fails_no_condition_but_the_hour_does():
    assert FULL.problem_whatever_is_chosen(MONDAY) == ""
    assert "certain hours" in FULL.problem_whatever_is_chosen(SUNDAY)


def test_loosened_they_hold_and_keep_what_held():
    parameters = {"TARGET": "production", "N": "3"}
    conditions = Conditions("main", "TARGET: one of staging\nN: integer", "Mon 08:00-18:00 UTC")
    loose = conditions.loosened("fix/[a]", parameters, MONDAY)
    assert loose == Conditions("main, fix/[[]a]", "N: integer", "Mon 08:00-18:00 UTC")
    assert loose.problem("fix/[a]", parameters, MONDAY) == ""
    assert conditions.loosened(None, None, SUNDAY) == NONE


def test_they_are_told_in_words():
    assert FULL.words() == (
        "on the branches main, release/*, hotfix; with TARGET: one of staging; Mon 08:00-18:00 UTC"
    )
