"""jenkinsapi, which knows nothing of the sandbox, uses it as a Jenkins, over `api/python`."""

import pytest
from jenkinsapi.custom_exceptions import JenkinsAPIException, UnknownJob
from jenkinsapi.jenkins import Jenkins
from requests import HTTPError

from tests.pipelines.sandbox.waiting import until
from tests.pipelines.sandbox_fixture import InstanceHandle, SandboxHandle


@pytest.fixture
def server(sandbox: SandboxHandle) -> InstanceHandle:
    sandbox.jenkins.pipeline("app", parameters=["BRANCH"], labels=True)
    sandbox.jenkins.pipeline("team/plain", kind="freestyle")
    sandbox.jenkins.pipeline("team/site", multibranch=True, branches=["main", "feature/x"])
    return sandbox.jenkins


@pytest.fixture
def client(server: InstanceHandle) -> Jenkins:
    return Jenkins(server.base_url, username=server.user, password=server.token, timeout=10)


def test_reads_the_version_and_lists_jobs(client):
    assert client.version.startswith("2.")
    branches = {"team/site/main", "team/site/feature%2Fx"}
    assert {"app", "team/plain"} | branches == set(client.keys())


def test_starts_a_build_and_follows_it_to_its_log(client, sandbox):
    job = client["app"]
    assert job.has_params()
    queued = job.invoke(build_params={"BRANCH": "dev"})
    build = queued.block_until_building(delay=0.05)
    build.block_until_complete(delay=0.05)
    build.poll()
    assert build.get_number() == 1
    assert build.get_status() == "SUCCESS"
    assert build.get_params()["BRANCH"] == "dev"
    assert build.get_console().endswith("Finished: SUCCESS\n")
    assert build.get_causes()[0]["userId"] == "stagedoor"
    assert job.get_last_buildnumber() == 1


def test_stops_a_build(client, sandbox, server):
    sandbox.speed = 1
    build = client["app"].invoke(build_params={"BRANCH": "main"}).block_until_building(delay=0.05)
    assert build.is_running()
    assert build.stop()
    sandbox.advance(5)
    until(lambda: not build.poll(tree="building")["building"])
    assert server.state("app", 1) == "cancelled"


def test_is_told_when_a_job_is_absent(client):
    with pytest.raises(UnknownJob):
        client["nothing"]


def test_is_refused_with_a_wrong_token(server):
    with pytest.raises((JenkinsAPIException, HTTPError)):
        Jenkins(server.base_url, username=server.user, password="wrong", timeout=10)
