"""Faults on demand: which requests they hit, and what a client then sees."""

import time

import pytest
import requests

from pipelines.sandbox.faults import HOOK_KINDS, Fault, FaultBoard


@pytest.fixture
def start(sandbox, jenkins):
    sandbox.jenkins.pipeline("app", queue_seconds=0)
    return lambda: jenkins("POST", "job/app/build")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"Unknown fault .slwo.; known are .*slow"):
        Fault("slwo")


@pytest.mark.parametrize("kind", HOOK_KINDS)
def test_what_happens_to_webhooks_has_a_route_of_its_own(kind):
    board = FaultBoard()
    board.add(Fault(kind, route="any", times=1))
    assert board.strike("start", write=True) == []
    assert [fault.kind for fault in board.strike_hook()] == [kind]
    assert board.strike_hook() == []


def test_a_counted_fault_ends(jenkins, sandbox):
    sandbox.jenkins.fault("fail", times=2, status=502)
    seen = [jenkins("GET", "api/json") for _ in range(3)]
    assert [answer.status_code for answer in seen] == [502, 502, 200]
    assert "X-Jenkins" not in seen[0].headers


def test_a_seed_repeats_the_same_chances():
    def hits(seed: int) -> list[bool]:
        fault = Fault("fail", probability=0.5, seed=seed)
        return [fault.strikes({"any"}) for _ in range(40)]

    assert hits(7) == hits(7) != hits(8)
    assert 5 < sum(hits(7)) < 35


def test_a_fault_hits_its_route_only(jenkins, sandbox, start):
    sandbox.jenkins.fault("fail", "start")
    assert jenkins("GET", "api/json").status_code == 200
    assert start().status_code == 500
    sandbox.jenkins.clear_faults()
    sandbox.jenkins.fault("fail", "write")
    assert jenkins("GET", "job/app/api/json").status_code == 200
    assert start().status_code == 500
    assert sandbox.jenkins.builds("app") == []


def test_pages_for_people_are_spared(jenkins, sandbox, start):
    sandbox.jenkins.fault("fail")
    assert jenkins("GET", "job/app/").status_code == 200


def test_faults_of_one_instance_leave_the_others_alone(buildkite, sandbox):
    sandbox.jenkins.fault("fail")
    assert buildkite("GET", "access-token").status_code == 200


def test_slow_answers_late(jenkins, sandbox):
    sandbox.jenkins.fault("slow", seconds=0.3)
    began = time.monotonic()
    assert jenkins("GET", "api/json").status_code == 200
    assert time.monotonic() - began >= 0.3


def test_rate_limits_in_the_vendors_manner(jenkins, buildkite, sandbox):
    sandbox.jenkins.fault("rate_limit", seconds=7)
    sandbox.buildkite.fault("rate_limit", seconds=7)
    assert jenkins("GET", "api/json").headers["Retry-After"] == "7"
    answer = buildkite("GET", "access-token")
    assert (answer.status_code, answer.json()["reset"]) == (429, 7)
    assert answer.headers["RateLimit-Reset"] == "7"


def test_a_log_in_page_comes_with_200(jenkins, sandbox):
    sandbox.jenkins.fault("html200")
    answer = jenkins("GET", "api/json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "X-Jenkins" not in answer.headers


def test_a_redirect_leads_to_another_host(jenkins, sandbox):
    sandbox.jenkins.fault("redirect")
    answer = jenkins("GET", "api/json")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("https://sso.example.com/")


def test_garbage_is_called_json_and_is_none(jenkins, sandbox):
    sandbox.jenkins.fault("garbage")
    answer = jenkins("GET", "api/json")
    assert answer.headers["Content-Type"] == "application/json"
    with pytest.raises(ValueError, match="Unterminated string"):
        answer.json()


def test_an_endless_body_does_not_end(jenkins, sandbox):
    sandbox.jenkins.fault("endless", seconds=0)
    answer = jenkins("GET", "api/json", stream=True)
    read = 0
    for piece in answer.iter_content(65_536):
        read += len(piece)
        if read > 5_000_000:
            break
    answer.close()
    assert read > 5_000_000


def test_drop_closes_before_doing_anything(sandbox, start):
    sandbox.jenkins.fault("drop", "start")
    with pytest.raises(requests.ConnectionError):
        start()
    assert sandbox.jenkins.builds("app") == []
    assert sandbox.accepted() == []


@pytest.mark.parametrize("kind", ["lose_answer", "truncate"])
def test_a_lost_answer_was_carried_out(sandbox, jenkins, buildkite, kind):
    sandbox.jenkins.pipeline("app", labels=True, queue_seconds=0)
    sandbox.buildkite.pipeline("acme/shop")
    sandbox.jenkins.fault(kind, "start")
    sandbox.buildkite.fault(kind, "start")
    with pytest.raises(requests.RequestException):
        jenkins("POST", "job/app/buildWithParameters", data={"STAGEDOOR_REQUEST_ID": "r-1"})
    body = {"commit": "HEAD", "branch": "main", "meta_data": {"stagedoor-request-id": "r-2"}}
    with pytest.raises(requests.RequestException):
        buildkite("POST", "organizations/acme/pipelines/shop/builds", json=body)
    assert [(e.request_id, e.build) for e in sandbox.accepted()] == [("r-1", 1), ("r-2", 1)]
    assert [entry.status for entry in sandbox.requests(route="start")] == [None, None]
