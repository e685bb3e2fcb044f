"""Input steps of Jenkins: what is asked, and how the answer is sent."""

import json

import pytest

from pipelines.providers.base import RemoteParameter, State
from pipelines.providers.errors import Forbidden, InvalidResponse, Misconfigured, Rejected
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import build_of, ended, make_adapter, until
from tests.pipelines.providers.test_jenkins import ask, at

ASKED = [
    {"name": "TARGET", "type": "choice", "choices": ["blue", "green"], "description": "Which"},
    {"name": "DRY", "type": "boolean", "default": "true"},
    {"name": "NOTE"},
    {"name": "STAGEDOOR_PERSON"},
]
LABELS = {"person": "Ana Lima", "team": "payments"}


def waiting(handle, inputs=(), **fields):
    """An adapter and the id of a build that waits at an input step."""
    gate = {"name": "Deploy?\nTo production.", "gate": True, "inputs": inputs}
    handle.pipeline("job", steps=[gate, {"name": "Deploy"}], **fields)
    adapter = make_adapter("jenkins", handle.base_url, handle.credential)
    build = build_of(adapter, "job", adapter.start(ask("job")))
    until(lambda: adapter.get_build("job", build.external_id).state is State.WAITING)
    return adapter, build


@pytest.mark.parametrize("plugins", [["wfapi"], []], ids=["stage view", "the run itself"])
def test_a_gate_tells_what_it_asks_and_takes_the_answer(sandbox, plugins):
    handle = sandbox.add("jenkins", "other", plugins=plugins)
    adapter, build = waiting(handle, ASKED)
    [gate] = adapter.gates("job", build.external_id)
    assert (gate.name, gate.message) == ("Deploy?", "To production.")
    assert gate.parameters == (
        RemoteParameter("TARGET", "choice", "", ("blue", "green"), "Which"),
        RemoteParameter("DRY", "boolean", "true"),
        RemoteParameter("NOTE"),
    )
    parameters = {"TARGET": "green", "DRY": "false", "NOTE": "a & b = ü"}
    adapter.unblock(ask("job", parameters=parameters, labels=LABELS), build.external_id, gate.id)
    assert ended(adapter, build).state is State.PASSED
    answered = handle.build("job", 1).meta_data
    assert answered == parameters | {"STAGEDOOR_PERSON": "Ana Lima"}
    assert "Approved by Stagedoor" in adapter.log("job", build.external_id).text


def test_what_is_not_answered_takes_its_default(sandbox):
    adapter, build = waiting(sandbox.jenkins, ASKED)
    adapter.unblock(ask("job", labels=LABELS), build.external_id, "gate0")
    answered = sandbox.jenkins.build("job", 1).meta_data
    assert answered == {
        "TARGET": "blue", "DRY": "true", "NOTE": "", "STAGEDOOR_PERSON": "Ana Lima",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"TARGET": "red"}, "one of blue, green"),
        ({"OTHER": "x"}, "does not ask you for OTHER"),
        ({"STAGEDOOR_PERSON": "Bo"}, "set by Stagedoor"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_before_it_is_sent(sandbox, parameters, words):
    adapter, build = waiting(sandbox.jenkins, ASKED)
    with pytest.raises(Rejected, match=words):
        adapter.unblock(ask("job", parameters=parameters), build.external_id, "Gate0")
    assert sandbox.requests("jenkins", "unblock") == []


@pytest.mark.nasty("jenkins-20")
def test_a_password_is_never_asked_for_outside_of_jenkins(sandbox):
    adapter, build = waiting(sandbox.jenkins, [{"name": "PIN", "type": "password"}])
    [gate] = adapter.gates("job", build.external_id)
    assert gate.parameters[0].type == "password"
    with pytest.raises(Rejected, match=r"PIN.*Answer it in Jenkins"):
        adapter.unblock(ask("job", parameters={"PIN": "1"}), build.external_id, gate.id)
    assert sandbox.requests("jenkins", "unblock") == []


def test_a_gate_that_was_settled_meanwhile_is_refused(sandbox):
    adapter, build = waiting(sandbox.jenkins)
    [gate] = adapter.gates("job", build.external_id)
    adapter.cancel("job", build.external_id)
    ended(adapter, build)
    with pytest.raises(Rejected, match="waits no longer"):
        adapter.unblock(ask("job"), build.external_id, gate.id)
    assert sandbox.requests("jenkins", "unblock") == []


def test_a_start_that_still_queues_has_no_gates(sandbox):
    sandbox.jenkins.pipeline("job", quiet_seconds=4000)
    adapter = make_adapter("jenkins", sandbox.jenkins.base_url, sandbox.jenkins.credential)
    assert adapter.gates("job", adapter.start(ask("job")).queue_ref) == []


PENDING = {"id": "deploy", "message": "Deploy?", "proceedText": "Go", "inputs": []}


def answering(pending, answer):
    """A Jenkins whose run waits at `pending`, and which answers writes like `answer`."""

    def behave(handler):
        (json_reply(json.dumps(pending)) if handler.command == "GET" else answer)(handler)

    return serve(behave)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(302, Location="/job/a/1/"), None),
        (reply(200), None),
        (reply(400, "<h1>settled"), Rejected),
        (reply(404), Rejected),
        (reply(403, X_Required_Permission="hudson.model.Item.Build"), Forbidden),
        (reply(302, Location="https://idp.example/"), Misconfigured),
        (reply(301, Location="https://127.0.0.1/job/a/1/input/Deploy/proceedEmpty"), Misconfigured),
    ],
)
def test_answers_to_an_approval_are_sorted(answer, error):
    with answering([PENDING], answer) as httpd:
        if error is None:
            at(httpd.url).unblock(ask("a"), "1", "Deploy")
        else:
            with pytest.raises(error):
                at(httpd.url).unblock(ask("a"), "1", "Deploy")
    assert [asked.path for asked in httpd.asked] == [
        "/job/a/1/wfapi/pendingInputActions",
        "/job/a/1/input/Deploy/proceedEmpty",
    ]


def test_of_two_steps_with_one_id_the_first_is_shown():
    twins = [PENDING, PENDING | {"message": "Deploy twice?"}, PENDING | {"id": "other"}]
    with answering(twins, reply()) as httpd:
        gates = at(httpd.url).gates("a", "1")
    assert [(gate.id, gate.name) for gate in gates] == [("Deploy", "Deploy?"), ("Other", "Deploy?")]


def test_a_kind_of_parameter_that_is_not_known_is_left_to_jenkins():
    strange = {"type": "FileParameterDefinition", "name": "PLAN"}
    asked = ask("a", parameters={"PLAN": "x"})
    with (
        answering([PENDING | {"inputs": [strange]}], reply()) as httpd,
        pytest.raises(Rejected, match="PLAN"),
    ):
        at(httpd.url).unblock(asked, "1", "Deploy")
    assert [asked.method for asked in httpd.asked] == ["GET"]


@pytest.mark.parametrize("wrong", [{}, "x", None, 7])
def test_what_is_no_list_of_input_steps_is_not_taken_for_none(wrong):
    with answering(wrong, reply()) as httpd, pytest.raises(InvalidResponse):
        at(httpd.url).gates("a", "1")
