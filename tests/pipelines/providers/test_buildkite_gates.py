"""Buildkite's block steps: where a build waits, and how it is let go on."""

import json

import pytest

from pipelines.providers.base import StartRequest, State
from pipelines.providers.buildkite import Buildkite
from pipelines.providers.errors import OutcomeUnknown, Rejected
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import make_adapter, until

PIPELINE = "acme/checkout"
GATE = {
    "id": "g-1",
    "type": "manual",
    "label": ":rocket: Go?",
    "state": "blocked",
    "unblockable": True,
}


@pytest.fixture
def adapter(sandbox) -> Buildkite:
    return make_adapter("buildkite", sandbox.buildkite.base_url, sandbox.buildkite.credential)


def ask(**fields) -> StartRequest:
    return StartRequest(**{"pipeline": PIPELINE, "request_id": "r-1", "branch": "main", **fields})


def waiting(sandbox, adapter, steps) -> str:
    """A build that waits; its number."""
    sandbox.buildkite.pipeline(PIPELINE, steps=steps)
    number = adapter.start(ask()).build.external_id
    until(lambda: adapter.get_build(PIPELINE, number).state is State.WAITING)
    return number


def serving(jobs, answer=None):
    """A server with these jobs, that answers an unblocking so."""

    def behave(handler):
        if handler.command == "PUT":
            (answer or json_reply(json.dumps({**GATE, "state": "unblocked"})))(handler)
        else:
            json_reply(json.dumps({"items": jobs, "links": {}}))(handler)

    return serve(behave)


def at(url: str) -> Buildkite:
    return make_adapter("buildkite", url, "token")


def test_one_gate_after_the_other_is_opened(sandbox, adapter):
    steps = [{"name": "First?", "gate": True}, {"name": "Second?", "gate": True}]
    number = waiting(sandbox, adapter, steps)
    for name in ("First?", "Second?"):
        (gate,) = adapter.gates(PIPELINE, number)
        assert (gate.name, gate.parameters) == (name, ())
        assert "open it in Buildkite" in gate.message
        adapter.unblock(ask(), number, gate.id)
    until(lambda: adapter.get_build(PIPELINE, number).state is State.PASSED)
    assert sandbox.buildkite.build(PIPELINE, 1).unblocked_by[0].login == "stagedoor"


def test_a_step_that_was_opened_meanwhile_is_said(sandbox, adapter):
    number = waiting(sandbox, adapter, [{"name": "Go?", "gate": True}])
    (gate,) = adapter.gates(PIPELINE, number)
    adapter.unblock(ask(), number, gate.id)
    with pytest.raises(Rejected, match="no longer"):
        adapter.unblock(ask(), number, gate.id)
    assert len(sandbox.requests("buildkite", "unblock")) == 1


def test_values_for_a_step_are_refused_and_not_dropped(sandbox, adapter):
    number = waiting(sandbox, adapter, [{"name": "Go?", "gate": True}])
    (gate,) = adapter.gates(PIPELINE, number)
    with pytest.raises(Rejected, match="open it there"):
        adapter.unblock(ask(parameters={"region": "eu"}), number, gate.id)
    assert sandbox.requests("buildkite", "unblock") == []


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "script"},
        {"state": "unblocked"},
        {"state": "blocked_failed"},
        {"unblockable": False},
        {"unblockable": "true"},
        {"unblockable": None},
        {"id": None},
    ],
)
def test_only_a_manual_job_that_can_be_unblocked_is_a_gate(changed):
    with serving([{**GATE, **changed}, GATE]) as httpd:
        assert [gate.id for gate in at(httpd.url).gates(PIPELINE, "1")] == ["g-1"]
    assert "state%5B%5D=blocked" in httpd.asked[0].path


def test_a_server_that_does_not_know_the_filter_is_asked_without_it():
    def behave(handler):
        known = "state%5B%5D" not in handler.path
        jobs = json.dumps({"items": [GATE], "links": {}})
        json_reply(jobs if known else '{"message": "Invalid state"}', 200 if known else 422)(
            handler
        )

    with serve(behave) as httpd:
        assert [gate.name for gate in at(httpd.url).gates(PIPELINE, "1")] == ["Go?"]


def test_a_gate_among_many_jobs_is_found(sandbox, adapter):
    steps = [{"name": f"Test {n}", "group": "tests"} for n in range(120)]
    number = waiting(sandbox, adapter, [*steps, {"name": "Go?", "gate": True}, *steps])
    assert [gate.name for gate in adapter.gates(PIPELINE, number)] == ["Go?"]
    assert len(adapter.steps(PIPELINE, number)) == 241


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, '{"message": "This job type cannot be unblocked"}', Rejected, "can't be unblocked"),
        (422, '{"message": "Jobs from canceled builds cannot be unblocked"}', Rejected, "ended"),
        (422, '{"message": "s3cr3t"}', Rejected, "refused"),
        (200, '{"message": "s3cr3t"}', OutcomeUnknown, "something else"),
        (200, "<html>s3cr3t", OutcomeUnknown, "something else"),
        (502, "s3cr3t", OutcomeUnknown, "502"),
    ],
)
def test_answers_to_an_unblocking_are_told_in_our_words(status, body, error, words):
    answer = reply(status, body, Content_Type="application/json")
    with serving([GATE], answer) as httpd:
        with pytest.raises(error, match=words) as caught:
            at(httpd.url).unblock(ask(), "1", "g-1")
        assert [asked.method for asked in httpd.asked] == ["GET", "PUT"]
    assert "s3cr3t" not in str(caught.value)


def test_a_gate_whose_answer_was_lost_can_be_read_again(sandbox, adapter):
    number = waiting(sandbox, adapter, [{"name": "Go?", "gate": True}])
    (gate,) = adapter.gates(PIPELINE, number)
    sandbox.buildkite.fault("lose_answer", "unblock", times=1)
    with pytest.raises(OutcomeUnknown):
        adapter.unblock(ask(), number, gate.id)
    assert adapter.gates(PIPELINE, number) == []
