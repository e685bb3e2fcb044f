"""A vendor's word fits our columns, and steers neither a terminal nor the reader's eye."""

import pytest

from pipelines.bounds import repository, text, usable_id, web_url


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


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://x-access-token:ghs_s3cret@git.example/a/b.git", "https://git.example/a/b.git"),
        ("https://ghs_s3cret@git.example/a/b", "https://git.example/a/b"),
        ("https://u:p@ss@git.example:8443", "https://git.example:8443"),
        ("ssh://git:s3cret@git.example:22/a/b", "ssh://git@git.example:22/a/b"),
        ("git@git.example:a/b.git", "git@git.example:a/b.git"),
        ("https://git.example/a@b", "https://git.example/a@b"),
        ("", ""),
    ],
)
def test_a_repositorys_address_holds_nothing_that_signs_in(address: str, shown: str) -> None:
    assert repository(address) == shown


@pytest.mark.parametrize(
    "address", ["https://u:s3cret@ci.example/", "https://ci.example@evil.example", "javascript:x"]
)
def test_a_link_that_hides_something_is_none(address: str) -> None:
    assert web_url(address) == ""
    assert web_url("https://ci.example/a@b?c=d@e") == "https://ci.example/a@b?c=d@e"
