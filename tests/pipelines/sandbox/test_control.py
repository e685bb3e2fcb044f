"""The control endpoint, as another process uses it."""

import time

import pytest
import requests

from tests.pipelines.sandbox.waiting import until


def test_needs_the_control_token(control):
    assert control("GET", "log", headers={"X-Sandbox-Control": "wrong"}).status_code == 403
    assert control("GET", "log").status_code == 200


def test_the_log_tells_requests_and_accepted_starts_with_their_builds(control, jenkins):
    made = control("POST", "pipelines", json={"instance": "jenkins", "name": "app", "labels": True})
    assert made.json() == {"name": "app"}
    jenkins("POST", "job/app/buildWithParameters", data={"STAGEDOOR_REQUEST_ID": "r-1"})

    def started() -> list[dict]:
        accepted = control("GET", "log", params={"instance": "jenkins"}).json()["accepted"]
        return accepted if accepted[0]["build"] else []

    entry = until(started)[0]
    assert (entry["request_id"], entry["pipeline"], entry["build"]) == ("r-1", "app", 1)
    requests_seen = control("GET", "log").json()["requests"]
    assert [(r["route"], r["status"], r["user"]) for r in requests_seen] == [
        ("start", 201, "stagedoor")
    ]


def test_a_request_id_is_noted_even_where_the_job_drops_it(control, jenkins):
    parameters = ["BRANCH"]
    control(
        "POST", "pipelines", json={"instance": "jenkins", "name": "app", "parameters": parameters}
    )
    jenkins("POST", "job/app/buildWithParameters", data={"STAGEDOOR_REQUEST_ID": "r-1"})
    assert control("GET", "log").json()["accepted"][0]["request_id"] == "r-1"


def test_faults_are_set_and_cleared(control, jenkins):
    fault = {"instance": "jenkins", "kind": "fail", "route": "read", "status": 502, "times": 1}
    assert control("POST", "faults", json=fault).json()[0]["kind"] == "fail"
    assert jenkins("GET", "api/json").status_code == 502
    assert control("GET", "faults", params={"instance": "jenkins"}).json()[0]["hits"] == 1
    control("DELETE", "faults", json={"instance": "jenkins"})
    assert control("GET", "faults", params={"instance": "jenkins"}).json() == []


def test_builds_are_finished_and_time_is_moved(control, buildkite):
    control("POST", "clock", json={"speed": 1})
    control("POST", "pipelines", json={"instance": "buildkite", "name": "acme/shop"})
    builds = "organizations/acme/pipelines/shop/builds"
    for _ in range(2):
        buildkite("POST", builds, json={"commit": "HEAD", "branch": "main"})
    order = {"instance": "buildkite", "pipeline": "acme/shop", "number": 1, "outcome": "failed"}
    assert control("POST", "finish", json=order).json() == {"state": "failed"}
    control("POST", "clock", json={"advance": 3600})
    assert [build["state"] for build in buildkite("GET", builds).json()] == ["passed", "failed"]


def test_tokens_come_and_go(control, buildkite):
    token = {"instance": "buildkite", "value": "new", "login": "new"}
    control("POST", "tokens", json=token)
    own = {"headers": {"Authorization": "Bearer new"}}
    assert buildkite("GET", "access-token", **own).status_code == 200
    control("DELETE", "tokens", json={"instance": "buildkite", "value": "new"})
    assert buildkite("GET", "access-token", **own).status_code == 401


@pytest.mark.parametrize(
    ("command", "body", "said"),
    [
        ("faults", {"instance": "nowhere", "kind": "fail"}, "No instance 'nowhere'; known are"),
        ("faults", {"instance": "jenkins", "kind": "slwo"}, "Unknown fault"),
        ("pipelines", {"instance": "jenkins", "name": "a", "colour": 1}, "unknown colour"),
        ("pipelines", {"instance": "buildkite", "name": "a"}, "organisation/slug"),
        ("finish", {"instance": "jenkins", "pipeline": "a", "number": 1}, "No build 1 of 'a'"),
    ],
)
def test_a_command_that_makes_no_sense_says_why(control, command, body, said):
    answer = control("POST", command, json=body)
    assert answer.status_code == 400
    assert said in answer.json()["message"]


def test_an_unknown_command_names_the_known_ones(control):
    answer = control("POST", "explode")
    assert answer.status_code == 404
    assert "GET log" in answer.json()["message"]


def test_refuses_connections_for_a_while(control, sandbox):
    control("POST", "refuse", json={"seconds": 0.5})
    url = f"{sandbox.jenkins.base_url}/whoAmI/api/json"

    def reachable() -> bool:
        try:
            return requests.get(url, timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    until(lambda: not reachable())
    began = time.monotonic()
    until(reachable)
    assert time.monotonic() - began > 0.2
