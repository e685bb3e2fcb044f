"""Buildkite's limits as its headers tell them, whatever they are called that year."""

import pytest

from pipelines.providers.base import Limit
from pipelines.providers.buildkite import Buildkite
from pipelines.providers.errors import RateLimited
from tests.pipelines.providers.conftest import make_adapter

PIPELINE = "acme/checkout"


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        (
            {"RateLimit-Limit": "200", "RateLimit-Remaining": "7", "RateLimit-Reset": "12"},
            [Limit("organization", 200, 60, 7, 12)],
        ),
        (
            {"RATELIMIT-USER-LIMIT": "50", "ratelimit-user-remaining": "0"},
            [Limit("user", 50, 60, 0, None)],
        ),
        ({"Rate-Limit-Remaining": "3"}, [Limit("organization", 200, 60, 3, None)]),
        ({"ratelimit-limit": "400", "ratelimit-scope": "x"}, [Limit("organization", 400, 60)]),
        ({"RateLimit-Reset": "9"}, []),
        (
            {"RateLimit-Limit": "0", "RateLimit-Remaining": "\uff11"},
            [Limit("organization", 200, 60)],
        ),
        ({}, []),
    ],
)
def test_headers_of_any_age_and_case_are_read(headers, limits):
    assert Buildkite.read_limits(headers) == limits


def test_the_answers_of_a_server_tell_both_limits(sandbox):
    handle = sandbox.add("buildkite", "limited", rest_limit=200, rest_user_limit=50)
    handle.pipeline(PIPELINE)
    adapter = make_adapter("buildkite", handle.base_url, handle.credential)
    answers = [adapter._wire.get("/organizations/acme/pipelines/checkout") for _ in range(3)]
    limits = {limit.name: limit for limit in adapter.read_limits(answers[-1].headers)}
    assert (limits["organization"].limit, limits["organization"].remaining) == (200, 197)
    assert (limits["user"].limit, limits["user"].remaining) == (50, 47)
    assert 0 < limits["user"].reset_after <= 60


@pytest.mark.nasty("buildkite-12")
def test_another_client_of_the_same_user_spends_the_limit_too(sandbox):
    handle = sandbox.add("buildkite", "limited", rest_user_limit=5)
    handle.pipeline(PIPELINE)
    other = handle.add_token("another-token", login=handle.user)
    for _ in range(5):
        make_adapter("buildkite", handle.base_url, other).get_pipeline(PIPELINE)
    ours = make_adapter("buildkite", handle.base_url, handle.credential)
    with pytest.raises(RateLimited) as caught:
        ours.get_pipeline(PIPELINE)
    assert 0 < caught.value.retry_after <= 60
    sandbox.advance(caught.value.retry_after + 1)
    assert ours.get_pipeline(PIPELINE).external_id == PIPELINE
    stranger = handle.add_token("strangers-token", login="stranger")
    assert make_adapter("buildkite", handle.base_url, stranger).get_pipeline(PIPELINE)
