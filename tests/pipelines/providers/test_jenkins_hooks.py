"""Deliveries of Jenkins' plugin "Notification": which are believed, and what they are about."""

import json
from datetime import UTC, datetime

import pytest

from pipelines.providers.base import Hook, HookKeys
from pipelines.providers.errors import HookRefused
from pipelines.providers.jenkins import Jenkins
from portal.credentials import Secret

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEYS = HookKeys((Secret("old-sécret"), Secret("s3cret")))
BUILD = {"url": "job/a/job/b/12/", "number": 12, "phase": "COMPLETED", "timestamp": 1_700_000}


def hook(headers=None, path="", **build) -> Hook:
    return Hook(headers or {}, json.dumps({"name": "b", "build": BUILD | build}).encode(), path)


@pytest.mark.parametrize(
    "given",
    [
        {"path": "s3cret"},
        {"path": "old-sécret"},
        {"headers": {"x-stagedoor-token": "s3cret"}},
        {"headers": {"authorization": "Bearer s3cret"}},
        {"headers": {"authorization": "bearer  s3cret"}, "path": "wrong"},
    ],
    ids=str,
)
def test_a_secret_in_the_address_or_a_header_is_believed(given):
    assert Jenkins.verify_webhook(hook(**given), KEYS, NOW)


@pytest.mark.parametrize(
    ("given", "keys", "words"),
    [
        ({}, KEYS, "carries no secret"),
        ({"path": "wrong"}, KEYS, "another secret"),
        ({"path": "s3cre"}, KEYS, "another secret"),
        ({"headers": {"authorization": "Basic s3cret"}}, KEYS, "carries no secret"),
        ({"path": "s3cret"}, HookKeys(), "No webhook secret"),
        ({"path": "x"}, HookKeys((Secret(""),)), "No webhook secret"),
    ],
)
def test_anything_else_is_refused(given, keys, words):
    with pytest.raises(HookRefused, match=words) as caught:
        Jenkins.verify_webhook(hook(**given), keys, NOW)
    assert "s3cre" not in str(caught.value)


def test_a_delivery_that_comes_again_has_the_same_id_and_another_phase_another():
    once, again = (Jenkins.verify_webhook(hook(path="s3cret"), KEYS, NOW) for _ in range(2))
    later = Jenkins.verify_webhook(hook(path="s3cret", log="noise"), KEYS, NOW)
    other = Jenkins.verify_webhook(hook(path="s3cret", phase="FINALIZED"), KEYS, NOW)
    assert once == again == later != other


@pytest.mark.parametrize(
    ("url", "pipelines", "build"),
    [
        ("job/a/12/", ("a",), "12"),
        ("job/a/job/b/12/", ("a/b", "a"), "12"),
        ("http://localhost:8080/ctx/job/a/job/b/12/", ("a/b", "a"), "12"),
        ("job/a/job/b/12", ("a/b", "a"), "12"),
        ("job/a%20b/job/%C3%BC%23/12/", ("a b/ü#", "a b"), "12"),
        ("job/mb/job/feature%252Fx/12/", ("mb", "mb/feature%2Fx"), "feature%2Fx/12"),
        ("job/mb/job/feature%2Fx/12/", ("mb", "mb/feature%2Fx"), "feature%2Fx/12"),
        ("job/matrix/label=linux,jdk=21/12/", ("matrix",), "12"),
        ("job/12/", ("12",), "12"),
        ("job/job/job/job/12/", ("job/job", "job"), "12"),
    ],
)
def test_the_job_is_read_from_the_builds_address(url, pipelines, build):
    [hint] = Jenkins.parse_webhook(hook(url=url))
    assert (hint.event, hint.pipelines, hint.build) == ("build.completed", pipelines, build)


def test_the_full_address_will_do_and_an_unheard_of_phase_is_no_event():
    [hint] = Jenkins.parse_webhook(hook(url=None, full_url="https://ci/job/a/3/", phase="<b>"))
    assert (hint.event, hint.pipelines, hint.build) == ("build", ("a",), "3")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<xml/>", b"[]", b'{"build": 1}', b'{"build": {}}', b'{"build": {"url": 7}}',
        b'{"build": {"url": "x"}}', b"[" * 100_000, b"\xff",
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(body):
    with pytest.raises(HookRefused):
        Jenkins.parse_webhook(Hook({}, body))


def test_an_address_without_end_is_read_in_no_time():
    with pytest.raises(HookRefused):
        Jenkins.parse_webhook(hook(url="/job/" * 200_000))
    with pytest.raises(HookRefused):
        Jenkins.parse_webhook(hook(url="job/a/" * 300 + "b/" * 1_000 + "\n?\n!"))
    [hint] = Jenkins.parse_webhook(hook(url="job/a/" * 600 + "?\nx"))
    assert hint.pipelines[0] == "/".join("a" * 600)
