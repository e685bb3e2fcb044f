"""A vendor's word fits our columns, and steers neither a terminal nor the reader's eye."""

import pytest

from pipelines.bounds import text, usable_id


@pytest.mark.parametrize(
    "sign", ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\u202e", "\u202a", "\u2066", "\u2069"]
)
def test_what_steers_is_left_out_and_makes_no_id(sign: str) -> None:
    assert text(f"deploy{sign}-prod") == "deploy-prod"
    assert not usable_id(f"deploy{sign}-prod", 100)


@pytest.mark.parametrize(
    "word", ["a\tb\nc", "שלום\u200f", "क्\u200dष", "日本", "👩\u200d🚀", "\u2028"]
)
def test_other_peoples_scripts_stay_as_they_are(word: str) -> None:
    assert text(word) == word
