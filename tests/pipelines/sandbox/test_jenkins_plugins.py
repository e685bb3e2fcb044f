"""What Jenkins' plugins and rights add: input steps, notifications, causes, other flavours."""

import ast
import json

import pytest
import requests

from pipelines.sandbox.objects import Ask
from tests.httpd import reply, serve
from tests.pipelines.sandbox.waiting import until

RUN = "job/team/job/app/1"
GATE = {
    "name": "Deploy?",
    "gate": True,
    "inputs": [
        {"name": "TARGET", "type": "choice", "choices": ["blue", "green"]},
        {"name": "DRY", "type": "boolean"},
    ],
}


@pytest.fixture
def gated(jenkins, sandbox):
    """A run that waits at an input step."""
    sandbox.jenkins.pipeline("team/app", steps=[GATE, "Deploy"], queue_seconds=0)
    jenkins("POST", "job/team/job/app/build")
    until(lambda: sandbox.jenkins.state("team/app", 1) == "waiting")


def form(**values):
    listed = [{"name": name, "value": value} for name, value in values.items()]
    return {"proceed": "Proceed", "json": json.dumps({"parameter": listed})}


@pytest.mark.parametrize("path", ["input/Gate0/submit", "wfapi/inputSubmit?inputId=Gate0"])
def test_an_input_step_takes_what_its_form_sends(jenkins, sandbox, gated, path):
    answer = jenkins("POST", f"{RUN}/{path}", data=form(TARGET="green", DRY=True))
    assert answer.status_code == 302
    until(lambda: sandbox.jenkins.state("team/app", 1) == "passed")
    assert sandbox.jenkins.build("team/app", 1).meta_data == {"TARGET": "green", "DRY": "true"}
    assert "Approved by Stagedoor\n" in jenkins("GET", f"{RUN}/consoleText").text
    again = jenkins("POST", f"{RUN}/{path}", data=form())
    assert (again.status_code, again.headers["X-Error"][:18]) == (400, "This input request")


@pytest.mark.parametrize(
    "data",
    [
        form(TARGET="red"),
        form(OTHER="x"),
        form(DRY="true"),
        {"proceed": "Proceed", "json": "{"},
    ],
)
def test_an_answer_that_does_not_fit_is_400_and_it_goes_on_waiting(jenkins, sandbox, gated, data):
    assert jenkins("POST", f"{RUN}/input/Gate0/submit", data=data).status_code == 400
    assert sandbox.jenkins.state("team/app", 1) == "waiting"


def test_a_form_without_the_button_aborts(jenkins, sandbox, gated):
    jenkins("POST", f"{RUN}/input/Gate0/submit", data={"json": "{}"})
    until(lambda: sandbox.jenkins.state("team/app", 1) == "cancelled")
    tree = {"tree": "result,actions[causes[shortDescription]]"}
    shown = jenkins("GET", f"{RUN}/api/json", params=tree).json()
    [interrupted] = [a for a in shown["actions"] if "Interrupted" in a.get("_class", "")]
    assert shown["result"] == "ABORTED"
    assert interrupted["causes"] == [
        {
            "_class": "org.jenkinsci.plugins.workflow.support.steps.input.Rejection",
            "shortDescription": "Rejected by Stagedoor",
        }
    ]


def test_an_open_input_step_is_told_by_the_plugin_and_by_the_run(jenkins, gated):
    [pending] = jenkins("GET", f"{RUN}/wfapi/pendingInputActions").json()
    assert pending["inputs"][0] == {
        "type": "ChoiceParameterDefinition",
        "name": "TARGET",
        "description": "",
        "definition": {"defaultVal": "", "choices": ["blue", "green"]},
    }
    tree = {"tree": "actions[waitingForInput,executions[id,settled,input[parameters[name,type]]]]"}
    actions = jenkins("GET", f"{RUN}/api/json", params=tree).json()["actions"]
    [action] = [a for a in actions if "waitingForInput" in a]
    assert action["executions"][0]["id"] == pending["id"] == "Gate0"
    names = [p["name"] for p in action["executions"][0]["input"]["parameters"]]
    assert names == ["TARGET", "DRY"]


@pytest.mark.parametrize(
    ("source", "cls"),
    [
        ("scm", "hudson.triggers.SCMTrigger$SCMTriggerCause"),
        ("schedule", "hudson.triggers.TimerTrigger$TimerTriggerCause"),
        ("upstream", "hudson.model.Cause$UpstreamCause"),
        ("remote", "hudson.model.Cause$RemoteCause"),
    ],
)
def test_a_run_tells_its_cause(jenkins, sandbox, source, cls):
    sandbox.jenkins.pipeline("app")
    with sandbox.world.lock:
        instance = sandbox.jenkins.instance
        instance.start(instance.pipelines["app"], Ask(source=source))
    shown = jenkins("GET", "job/app/1/api/json").json()["actions"][0]["causes"]
    assert [cause["_class"] for cause in shown] == [cls]


def test_tests_are_counted_over_the_steps_that_reported(jenkins, sandbox):
    steps = [{"name": "a", "tests": [10, 1, 0]}, {"name": "b", "tests": [5, 0, 2]}]
    sandbox.jenkins.pipeline("app", steps=steps, queue_seconds=0)
    jenkins("POST", "job/app/build")
    until(lambda: sandbox.jenkins.state("app", 1) == "passed")
    actions = jenkins("GET", "job/app/1/api/json").json()["actions"]
    [found] = [a for a in actions if a.get("_class", "").endswith("TestResultAction")]
    assert (found["totalCount"], found["failCount"], found["skipCount"]) == (15, 1, 2)


def test_notifications_come_at_the_beginning_and_at_the_end(jenkins, sandbox):
    secret = {"name": "KEY", "type": "password"}
    sandbox.jenkins.pipeline("team/app", parameters=[secret])
    with serve(reply(200)) as receiver:
        sandbox.jenkins.hook(f"{receiver.url}/hooks/ci/s3cret/", "s3cret")
        jenkins("POST", "job/team/job/app/buildWithParameters", data={"KEY": "hunter2"})
        until(lambda: len(receiver.asked) == 4)
        bodies = [json.loads(asked.body) for asked in receiver.asked]
    assert [body["build"]["phase"] for body in bodies] == [
        "QUEUED", "STARTED", "COMPLETED", "FINALIZED",
    ]  # fmt: skip
    last = bodies[-1]
    assert (last["name"], last["url"]) == ("app", "job/team/job/app/")
    assert last["build"]["url"] == "job/team/job/app/1/"
    assert last["build"]["full_url"] == f"{sandbox.jenkins.base_url}/job/team/job/app/1/"
    assert last["build"]["status"] == "SUCCESS"
    assert "status" not in bodies[0]["build"]
    sent = receiver.asked[0]
    assert sent.path == "/hooks/ci/s3cret/"
    assert not [value for value in sent.headers.values() if "s3cret" in value]
    assert b"hunter2" not in b"".join(asked.body for asked in receiver.asked)


def test_a_job_may_send_one_phase_only(jenkins, sandbox):
    sandbox.jenkins.pipeline("app")
    with serve(reply(200)) as receiver:
        sandbox.jenkins.hook(receiver.url, event="completed")
        jenkins("POST", "job/app/build")
        until(lambda: receiver.asked)
        until(lambda: sandbox.jenkins.state("app", 1) == "passed")
    phases = [json.loads(asked.body)["build"]["phase"] for asked in receiver.asked]
    assert phases == ["COMPLETED"]


def test_the_python_flavour_holds_the_same(jenkins, sandbox):
    sandbox.jenkins.pipeline('say "hi" \\ é', description="it's\nnew", history=1)
    for path in ("", "job/say%20%22hi%22%20%5C%20%C3%A9/", "queue/", "whoAmI/", "crumbIssuer/"):
        answer = jenkins("GET", f"{path}api/python", params={"depth": 1})
        answer.encoding = "utf-8"
        plain = jenkins("GET", f"{path}api/json", params={"depth": 1}).json()
        assert ast.literal_eval(answer.text) == plain
        assert answer.headers["Content-Type"].startswith("text/x-python")


@pytest.mark.parametrize(
    ("path", "right", "permission"),
    [
        ("pluginManager/api/json", "administer", "hudson.model.Hudson.SystemRead"),
        ("job/app/config.xml", "configure", "hudson.model.Item.ExtendedRead"),
    ],
)
def test_what_only_administrators_see(jenkins, sandbox, path, right, permission):
    sandbox.jenkins.pipeline("app")
    sandbox.jenkins.add_token("t", login="bot", rights=["read", "build", "cancel"])
    denied = jenkins("GET", path, auth=("bot", "t"))
    assert (denied.status_code, denied.headers["X-Required-Permission"]) == (403, permission)
    sandbox.jenkins.add_token("t", login="bot", rights=["read", right])
    assert jenkins("GET", path, auth=("bot", "t")).status_code == 200


def test_a_closing_jenkins_queues_for_ever(jenkins, sandbox):
    closing = sandbox.add("jenkins", "closing", quieting_down=True)
    closing.pipeline("app", queue_seconds=0)
    options = {"auth": (closing.user, closing.token), "timeout": 10}
    started = requests.post(f"{closing.base_url}/job/app/build", **options)
    assert started.status_code == 201
    sandbox.advance(10_000)
    item = requests.get(f"{started.headers['Location']}api/json", **options).json()
    assert item["why"] == "Jenkins is about to shut down"
    assert closing.builds("app") == []
