"""The trail takes a few denials of one token in a minute; the log has all."""

from portal.api_denials import PER_MINUTE, for_the_trail


def test_each_token_has_its_own_share(caplog):
    asked = [for_the_trail(1, "build.start", "ci:shop") for _ in range(PER_MINUTE + 3)]
    assert asked == [True] * PER_MINUTE + [False] * 3
    assert len(caplog.records) == len(asked)
    assert for_the_trail(2, "build.start", "ci:shop")


def test_what_is_no_tokens_is_always_kept(caplog):
    assert all(for_the_trail(None, "build.start", "ci:shop") for _ in range(PER_MINUTE + 3))
    assert not caplog.records
