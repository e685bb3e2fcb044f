"""Rules for parameters: what they demand, and what is wrong with one that can't be read."""

import pytest

from portal.policy.parameter_rules import BadRule, rules_of


@pytest.mark.parametrize(
    ("line", "good", "bad"),
    [
        ("TARGET: one of staging, test", ["staging", "test"], ["production", "Staging", ""]),
        (r"TARGET: matches v\d+\..*", ["v1.2"], ["v1", "xv1.2"]),
        (
            "TARGET: integer 1..10",
            ["1", "10"],
            ["0", "11", "010", "1.0", " 1", "\N{ARABIC-INDIC DIGIT ONE}"],
        ),
        ("TARGET: integer ..-3", ["-3", "-40"], ["-2", "0"]),
        ("TARGET: integer", ["0", "-7"], ["", "x"]),
        ("TARGET: true or false", ["true", "false"], ["True", "1", ""]),
    ],
)
def test_what_a_rule_lets_through(line, good, bad):
    (rule,) = rules_of(line)
    assert [value for value in good if rule.problem({"TARGET": value})] == []
    assert [value for value in bad if not rule.problem({"TARGET": value})] == []
    assert rule.line == line


def test_what_is_wrong_is_a_sentence():
    first, second = rules_of("TARGET: one of staging, test\n\n VERSION : matches v.*")
    assert first.problem({"TARGET": "production"}) == (
        "TARGET has to be one of staging, test, not production."
    )
    assert first.problem({}) == "TARGET has to be one of staging, test; it is not given."
    assert second.problem(None) == (
        "VERSION has to match v.*; which parameters it runs with is not known."
    )


def test_a_name_in_other_letters_has_to_meet_the_rule_too():
    (rule,) = rules_of("TARGET: one of staging")
    assert rule.problem({"TARGET": "staging", "target": "production"})
    assert not rule.problem({"target": "staging"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TARGET", "is no rule"),
        ("TARGET:", "is no rule"),
        ("TAR GET: true or false", "can't be the name"),
        ("TARGET: staging", "is not understood"),
        ("TARGET: one of a,,b", "is empty between two commas"),
        ("TARGET: integer 10..1", "no number lies"),
        ("TARGET: integer ..", "is no range"),
        ("TARGET: integer 1-10", "is no range"),
        ("TARGET: matches (a+)+", "the pattern can't be used"),
        ("TARGET: matches", "is not understood"),
        ("\n".join(f"P{number}: integer" for number in range(51)), "more than 50"),
    ],
)
def test_a_rule_that_cant_be_read_says_why(text, words):
    with pytest.raises(BadRule, match=words):
        rules_of(text)
