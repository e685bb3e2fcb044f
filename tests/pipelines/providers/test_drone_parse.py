"""Drone's words and objects, each at a time."""

from datetime import UTC, datetime

import pytest

from pipelines.providers.base import Cause, State, Step
from pipelines.providers.drone import Drone
from pipelines.providers.drone.labels import request_id
from pipelines.providers.drone.parse import (
    parse_build,
    parse_gates,
    parse_pipeline,
    parse_steps,
)
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.wire import epoch_seconds

BASE = "https://drone.example"
# Every word of the vendor's document, and what it becomes.
WORDS = {
    "pending": State.QUEUED,
    "waiting_on_dependencies": State.QUEUED,
    "blocked": State.WAITING,
    "running": State.RUNNING,
    "started": State.RUNNING,
    "success": State.PASSED,
    "failure": State.FAILED,
    "error": State.FAILED,
    "killed": State.CANCELLED,
    "declined": State.CANCELLED,
    "skipped": State.SKIPPED,
}


def build(**fields):
    return parse_build({"number": 7, "status": "success", **fields}, "acme/app", BASE)


def step(**fields) -> Step:
    row = {"number": 2, "name": "test", "status": "success", **fields}
    (found,) = parse_steps({"stages": [{"number": 1, "name": "default", "steps": [row]}]})
    return found


@pytest.mark.parametrize("word", sorted(WORDS))
def test_every_word_of_the_document_is_mapped(word):
    assert build(status=word).state is WORDS[word]
    assert step(status=word).state is WORDS[word]
    (stage,) = parse_steps({"stages": [{"number": 1, "name": "default", "status": word}]})
    assert (stage.id, stage.state, stage.raw_state) == ("1", WORDS[word], word)


def test_no_word_is_mapped_that_the_document_does_not_have():
    assert dict(Drone.states) == WORDS


@pytest.mark.parametrize("word", ["", "Success", "passed", "new", None, 1, ["success"]])
def test_any_other_word_is_unknown(word):
    assert build(status=word).state is State.UNKNOWN
    assert step(status=word).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("event", "trigger", "cause"),
    [
        ("push", "@hook", Cause.PUSH),
        ("pull_request", "@hook", Cause.PULL_REQUEST),
        ("tag", "@hook", Cause.TAG),
        ("cron", "@cron", Cause.SCHEDULE),
        ("custom", "ana", Cause.API),
        ("promote", "ana", Cause.PROMOTE),
        ("rollback", "ana", Cause.PROMOTE),
        ("new", "ana", Cause.NONE),
        (None, None, Cause.NONE),
    ],
)
def test_the_event_is_the_cause(event, trigger, cause):
    assert build(event=event, trigger=trigger).cause is cause


def test_who_ran_a_build_again_is_who_caused_it():
    again = build(event="push", trigger="ana", sender="bob", parent=3)
    assert (again.who, again.who_id, again.cause) == ("ana", "ana", Cause.MANUAL)


def test_a_name_is_shown_only_for_the_account_that_it_belongs_to():
    row = {"event": "push", "trigger": "@hook", "author_login": "ana", "author_name": "Ana Lima"}
    assert build(**row, sender="ana").who == "Ana Lima"
    assert build(**row, sender="bob").who == "bob"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "killed"}, "Cancelled, or stopped at its time limit."),
        ({"status": "declined"}, "An approval was declined."),
        ({"status": "error", "error": "yaml: line 9"}, "yaml: line 9"),
        ({"status": "error", "error": "x" * 900}, "x" * 199 + "…"),
        ({"status": "error"}, "Drone could not run it."),
        ({"status": "success"}, ""),
        ({"status": "running", "error": None}, ""),
    ],
)
def test_a_reason_says_what_the_state_does_not(fields, reason):
    assert build(**fields).reason == reason


@pytest.mark.parametrize(
    ("status", "stages", "raw"),
    [
        ("pending", ["blocked"], "blocked"),
        ("pending", ["pending", "blocked"], "blocked"),
        ("pending", ["pending"], "pending"),
        ("running", ["success", "blocked"], "blocked"),
        ("running", ["running", "blocked"], "running"),
        ("blocked", [], "blocked"),
        ("declined", ["declined", "blocked"], "declined"),
        ("killed", ["blocked"], "killed"),
        ("success", ["blocked"], "success"),
    ],
)
def test_a_build_waits_when_a_stage_does_and_nothing_moves(status, stages, raw):
    row = {"status": status, "stages": [{"status": word} for word in stages]}
    assert build(**row).raw_state == raw


def test_gates_are_the_blocked_stages_of_a_build_that_has_not_ended():
    stages = [
        {"number": 1, "name": "build", "status": "success"},
        {"number": 2, "name": "deploy", "status": "blocked"},
        {"number": 3, "name": "", "status": "blocked"},
        {"number": "x", "status": "blocked"},
    ]
    gates = parse_gates({"status": "running", "stages": stages})
    assert [(gate.id, gate.name) for gate in gates] == [("2", "deploy"), ("3", "#3")]
    assert parse_gates({"status": "declined", "stages": stages}) == []


def test_a_failure_that_is_ignored_has_passed_and_says_so():
    found = step(status="failure", errignore=True, exit_code=1)
    assert (found.state, found.raw_state, found.exit_code) == (
        State.PASSED,
        "failure, ignored",
        1,
    )
    assert step(status="killed", errignore=True).state is State.CANCELLED


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"uid": "11", "id": 1}, "11"),
        ({"uid": "", "id": 1}, "1"),
        ({"id": True}, ""),
        ({}, ""),
    ],
)
def test_a_repository_is_known_by_its_uid(fields, expected):
    assert parse_pipeline({"slug": "a/b", **fields}, BASE).stable_id == expected


@pytest.mark.parametrize(
    ("fields", "runnable"),
    [
        ({"active": True}, True),
        ({"active": True, "archived": True}, False),
        ({"active": False}, False),
        ({"active": "yes"}, False),
        ({}, False),
    ],
)
def test_only_an_active_repository_can_run(fields, runnable):
    assert parse_pipeline({"slug": "a/b", **fields}, BASE).runnable is runnable


@pytest.mark.parametrize("row", [{}, {"number": "7"}, {"number": None}, {"number": 1.5}])
def test_a_build_without_a_number_is_no_build(row):
    with pytest.raises(InvalidResponse):
        parse_build(row, "acme/app", BASE)


@pytest.mark.parametrize("value", [0, None, -5, "1795309496", 10**30, True, 1.5])
def test_what_is_no_time_is_none(value):
    assert epoch_seconds(value) is None


def test_seconds_are_since_1970():
    assert epoch_seconds(1795309496) == datetime(2026, 11, 22, 1, 4, 56, tzinfo=UTC)


# --- Whose request made a build ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"params": {"STAGEDOOR_REQUEST_ID": "a"}}, "a"),
        ({"params": {"STAGEDOOR_REQUEST_ID": "a"}, "parent": 3}, ""),
        ({"params": {"STAGEDOOR_REQUEST_ID": "a", "STAGEDOOR_AGAIN_b": "3:b"}, "parent": 3}, "b"),
        ({"params": {"STAGEDOOR_AGAIN_b": "3:b"}, "parent": 5}, ""),
        ({"params": {"STAGEDOOR_AGAIN_b": "3:b", "STAGEDOOR_AGAIN_c": "5:c"}, "parent": 5}, "c"),
        ({"params": {"STAGEDOOR_AGAIN_b": "33:b"}, "parent": 3}, ""),
        ({"params": {"STAGEDOOR_AGAIN_b": ["3:b"]}, "parent": 3}, ""),
        ({"params": {"STAGEDOOR_REQUEST_ID": 5}}, ""),
        ({"params": [1]}, ""),
        ({}, ""),
    ],
)
def test_a_copy_of_a_build_does_not_carry_its_request(row, found):
    assert request_id(row) == found


def test_a_build_with_a_broken_configuration_is_known_by_its_message():
    row = {"event": "custom", "status": "error", "message": "x\n\nStagedoor request id-1"}
    assert request_id(row) == "id-1"
    assert request_id({**row, "event": "push"}) == ""
    assert request_id({**row, "parent": 4}) == ""
    assert request_id({**row, "status": "success"}) == ""
