"""The server itself: where it listens, bursts of clients, size, refusal, several instances."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from pipelines.sandbox.engine import World
from pipelines.sandbox.server import Sandbox
from tests.pipelines.sandbox.conftest import asker
from tests.pipelines.sandbox.waiting import until


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", ""])
def test_listens_on_loopback_only(host):
    with pytest.raises(ValueError, match="loopback only"):
        Sandbox(World(), host)


def test_two_instances_of_one_vendor_are_two_worlds(sandbox, jenkins):
    second = sandbox.add("jenkins", "jenkins-two")
    sandbox.jenkins.pipeline("app")
    second.pipeline("app")
    jenkins("POST", "job/app/build")
    sandbox.advance(10)
    assert len(sandbox.jenkins.builds("app")) == 1
    assert second.builds("app") == []


def test_an_unknown_address_is_404(sandbox):
    assert requests.get(f"{sandbox.url}/nothing/api/json", timeout=10).status_code == 404
    assert "/jenkins/" in requests.get(sandbox.url, timeout=10).text


def test_a_stopped_server_refuses_even_kept_connections_and_comes_back(sandbox):
    session = requests.Session()
    url = f"{sandbox.jenkins.base_url}/whoAmI/api/json"
    assert session.get(url, timeout=10).status_code == 200
    sandbox.stop()
    with pytest.raises(requests.ConnectionError):
        session.get(url, timeout=10)
    sandbox.start()
    assert session.get(url, timeout=10).status_code == 200


def test_nothing_is_carried_out_once_the_server_has_stopped(sandbox, buildkite):
    """Even what was asked before, and waits: a test of an outage must be sure of that."""
    sandbox.buildkite.pipeline("acme/shop")
    sandbox.buildkite.fault("slow", "start", seconds=0.5)
    path = "organizations/acme/pipelines/shop/builds"
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(buildkite, "POST", path, json={"commit": "HEAD", "branch": "main"})
        until(lambda: sandbox.requests("buildkite", "start"))
        sandbox.stop()
        with pytest.raises(requests.ConnectionError):
            lost.result()
    sandbox.start()
    sandbox.buildkite.clear_faults()
    assert buildkite("GET", path).json() == []


def test_connections_that_are_busy_end_with_the_server_too(sandbox, buildkite):
    url = f"{sandbox.jenkins.base_url}/whoAmI/api/json"
    stopped, after = threading.Event(), []

    def keep_asking() -> None:
        with requests.Session() as session:
            while True:
                late = stopped.is_set()
                try:
                    session.get(url, timeout=10)
                except requests.ConnectionError:
                    return
                after.append(late)

    with ThreadPoolExecutor(20) as pool:
        asking = [pool.submit(keep_asking) for _ in range(20)]
        until(lambda: len(after) > 100)
        sandbox.stop()
        stopped.set()
        for each in asking:
            each.result()
    assert not any(after)


def test_a_stop_ends_a_refusal_for_good(sandbox, control):
    control("POST", "refuse", json={"seconds": 0.1})
    until(lambda: sandbox.sandbox.server is None)
    sandbox.stop()
    threading.Event().wait(0.3)
    assert sandbox.sandbox.server is None
    sandbox.start()


def test_hundreds_at_once_are_all_served_and_counted(sandbox, buildkite):
    sandbox.buildkite.pipeline("acme/shop")

    def start(number: int) -> int:
        body = {
            "commit": "HEAD",
            "branch": "main",
            "meta_data": {"stagedoor-request-id": f"r-{number}"},
        }
        return buildkite("POST", "organizations/acme/pipelines/shop/builds", json=body).status_code

    with ThreadPoolExecutor(100) as pool:
        assert set(pool.map(start, range(300))) == {201}
    accepted = sandbox.accepted()
    assert {entry.request_id for entry in accepted} == {f"r-{number}" for number in range(300)}
    assert sorted(entry.build for entry in accepted) == list(range(1, 301))


def test_a_thousand_pipelines_are_listed_whole(sandbox, jenkins, buildkite):
    for number in range(1000):
        sandbox.jenkins.pipeline(f"team-{number % 40}/app-{number}", history=1)
        sandbox.buildkite.pipeline(f"acme/app-{number}", history=1)
    tree = "jobs[fullName,jobs[fullName,color,lastBuild[number]]]"
    folders = jenkins("GET", "api/json", params={"tree": tree}).json()["jobs"]
    assert sum(len(folder["jobs"]) for folder in folders) == 1000
    page, seen = "organizations/acme/pipelines?per_page=100", set()
    while page:
        answer = buildkite("GET", page)
        seen |= {pipeline["slug"] for pipeline in answer.json()}
        page = answer.links.get("next", {}).get("url", "").partition("/v2/")[2]
    assert len(seen) == 1000


def test_a_clock_that_is_wrong_shows_in_the_date_header(sandbox, control):
    control("POST", "clock", json={"instance": "jenkins", "skew": -86_400})
    there = asker(sandbox.jenkins)("GET", "whoAmI/api/json").headers["Date"]
    here = asker(sandbox.buildkite)("GET", "access-token").headers["Date"]
    assert there != here


def test_a_body_too_large_is_refused(sandbox, jenkins):
    answer = jenkins("POST", "job/app/build", headers={"Content-Length": "9999999"})
    assert answer.status_code == 413
