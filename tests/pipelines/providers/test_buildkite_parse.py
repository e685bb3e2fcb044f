"""Buildkite's JSON of builds and jobs: words to states, and fields of any shape."""

import pytest

from pipelines.providers.base import Cause, State
from pipelines.providers.buildkite.parse import parse_build, parse_job, parse_pipeline

PIPELINE = "acme/checkout"


@pytest.mark.parametrize(
    ("fields", "state", "raw"),
    [
        ({"state": "passed", "blocked": True}, State.WAITING, "blocked"),
        ({"state": "passed"}, State.PASSED, "passed"),
        ({"state": "failing"}, State.RUNNING, "failing"),
        ({"state": "canceling"}, State.RUNNING, "canceling"),
        ({"state": "not_run"}, State.SKIPPED, "not_run"),
        ({"state": "waiting_failed"}, State.UNKNOWN, "waiting_failed"),
        ({"state": "PASSED"}, State.UNKNOWN, "PASSED"),
        ({"state": None}, State.UNKNOWN, ""),
    ],
)
def test_build_words_become_states(fields, state, raw):
    build = parse_build({"number": 1, **fields}, PIPELINE)
    assert (build.state, build.raw_state) == (state, raw)


@pytest.mark.parametrize(
    ("job", "state"),
    [
        ({"state": "passed"}, State.PASSED),
        ({"state": "failed"}, State.FAILED),
        ({"state": "failed", "soft_failed": True}, State.PASSED),
        ({"state": "timed_out"}, State.FAILED),
        ({"state": "expired"}, State.FAILED),
        ({"state": "broken"}, State.SKIPPED),
        ({"state": "blocked"}, State.QUEUED),
        ({"state": "blocked", "type": "manual"}, State.WAITING),
        ({"state": "finished", "type": "manual"}, State.PASSED),
        ({"state": "finished"}, State.UNKNOWN),
        ({"state": "brand_new"}, State.UNKNOWN),
        ({}, State.UNKNOWN),
    ],
)
def test_job_words_become_states(job, state):
    assert parse_job({"id": "1", "type": "script", **job}).state is state


def test_a_waiter_is_no_step_and_a_gate_has_no_log():
    assert parse_job({"id": "1", "type": "waiter"}) is None
    gate = parse_job({"id": "1", "type": "manual", "label": "Go?", "state": "blocked"})
    assert (gate.name, gate.log_id) == ("Go?", "")


def test_a_link_that_is_no_web_address_is_dropped():
    build = parse_build({"number": 1, "web_url": "javascript:alert(1)"}, PIPELINE)
    assert build.web_url == ""


@pytest.mark.parametrize(
    ("name", "shown"),
    [(":docker: Build :white_check_mark:", "Build"), ("Search", "Search"), (":mag:", "search")],
)
def test_emoji_that_only_buildkite_draws_are_left_out_of_names(name, shown):
    assert parse_pipeline({"slug": "search", "name": name}, "acme").name == shown


def test_no_tag_passes_for_a_branch():
    build = parse_build({"number": 1, "branch": "main", "tag": "main"}, PIPELINE)
    assert build.branch == "refs/tags/main"


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"source": "webhook"}, Cause.PUSH),
        ({"source": "webhook", "pull_request": {"id": "12"}}, Cause.PULL_REQUEST),
        ({"source": "webhook", "pull_request": {}, "tag": "v1"}, Cause.TAG),
        ({"source": "api", "pull_request": {"id": "12"}}, Cause.API),
        ({"source": "ui"}, Cause.MANUAL),
        ({"source": "schedule"}, Cause.SCHEDULE),
        ({"source": "trigger_job"}, Cause.UPSTREAM),
        ({"source": "dream"}, Cause.NONE),
        ({"source": None}, Cause.NONE),
        ({}, Cause.NONE),
    ],
)
def test_a_source_is_a_cause(fields, cause):
    assert parse_build({"number": 1, **fields}, PIPELINE).cause is cause


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": "canceled", "cancel_reason": "By #9\nmore"}, "Cancelled: By #9 more"),
        ({"state": "canceled", "cancel_reason": None}, ""),
        ({"state": "passed", "cancel_reason": "stale"}, ""),
        ({"state": "not_run"}, "No step was to run: conditions left all of them out."),
        ({"state": "failing"}, "A job has failed; others still run."),
        ({"state": "dream", "cancel_reason": 7}, ""),
    ],
)
def test_a_reason_says_what_the_state_does_not(fields, reason):
    assert parse_build({"number": 1, **fields}, PIPELINE).reason == reason


def test_a_creator_is_known_by_the_id_of_the_account():
    creator = {"id": "u-1", "name": "Ana", "email": "ana@example.com"}
    build = parse_build({"number": 1, "creator": creator, "author": "Bo"}, PIPELINE)
    assert (build.who, build.who_id) == ("Ana", "u-1")
