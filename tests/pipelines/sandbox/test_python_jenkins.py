"""python-jenkins, which knows nothing of the sandbox, uses it as a Jenkins."""

import jenkins
import pytest

from tests.pipelines.sandbox.waiting import until
from tests.pipelines.sandbox_fixture import InstanceHandle, SandboxHandle

JOB = "team/app"


@pytest.fixture
def server(sandbox: SandboxHandle) -> InstanceHandle:
    sandbox.jenkins.pipeline(JOB, parameters=["BRANCH"], labels=True)
    sandbox.jenkins.pipeline("team/plain", kind="freestyle")
    sandbox.jenkins.pipeline("team/site", multibranch=True, branches=["main", "feature/x"])
    return sandbox.jenkins


@pytest.fixture
def client(server: InstanceHandle) -> jenkins.Jenkins:
    return jenkins.Jenkins(server.base_url, server.user, server.token)


def number_of(client: jenkins.Jenkins, queued: int) -> int:
    item = until(lambda: (i := client.get_queue_item(queued)).get("executable") and i)
    return item["executable"]["number"]


def test_says_who_and_which_version(client):
    assert client.get_whoami()["id"] == "stagedoor"
    assert client.get_version().startswith("2.")


def test_asks_for_the_version_before_anything_else(client):
    assert client.get_version().startswith("2.")


def test_lists_jobs_through_all_folders(client):
    assert [job["fullname"] for job in client.get_all_jobs()] == [
        "team",
        "team/app",
        "team/plain",
        "team/site",
        "team/site/main",
        "team/site/feature%2Fx",
    ]


def test_starts_a_build_and_follows_it_to_its_log(client):
    queued = client.build_job(JOB, {"BRANCH": "dev", "STAGEDOOR_REQUEST_ID": "r-1"})
    number = number_of(client, queued)
    info = until(lambda: not (i := client.get_build_info(JOB, number))["building"] and i)
    assert (info["result"], info["queueId"]) == ("SUCCESS", queued)
    given = {p["name"]: p["value"] for a in info["actions"] for p in a.get("parameters", [])}
    assert (given["BRANCH"], given["STAGEDOOR_REQUEST_ID"]) == ("dev", "r-1")
    log = client.get_build_console_output(JOB, number)
    assert log.startswith("Started by user Stagedoor\n")
    assert log.endswith("Finished: SUCCESS\n")
    assert "\x1b" not in log
    stages = client.get_build_stages(JOB, number)["stages"]
    assert [(stage["name"], stage["status"]) for stage in stages] == [
        ("Build", "SUCCESS"),
        ("Test", "SUCCESS"),
    ]


def test_starts_a_job_without_parameters(client):
    number = number_of(client, client.build_job("team/plain"))
    assert client.get_build_info("team/plain", number)["_class"].endswith("FreeStyleBuild")
    assert client.get_build_stages("team/plain", number) is None


def test_builds_the_job_of_a_branch_whose_name_has_a_slash(client):
    number = number_of(client, client.build_job("team/site/feature%2Fx"))
    assert client.get_build_info("team/site/feature%2Fx", number)["number"] == number
    assert client.get_job_info("team/site/feature%2Fx")["displayName"] == "feature/x"


def test_stops_a_build(client, sandbox):
    sandbox.speed = 1
    number = number_of(client, client.build_job(JOB, {"BRANCH": "main"}))
    client.stop_build(JOB, number)
    sandbox.advance(5)
    info = until(lambda: not (i := client.get_build_info(JOB, number))["building"] and i)
    assert info["result"] == "ABORTED"
    assert client.get_build_console_output(JOB, number).endswith("Finished: ABORTED\n")


def test_cancels_what_is_still_queued(client, server):
    server.pipeline("team/later", quiet_seconds=4000)
    queued = client.build_job("team/later")
    assert [item["id"] for item in client.get_queue_info()] == [queued]
    client.cancel_queue(queued)
    assert client.get_queue_info() == []
    assert client.get_queue_item(queued)["cancelled"] is True
    assert server.builds("team/later") == []


def test_is_told_when_a_job_is_absent(client):
    with pytest.raises(jenkins.JenkinsException, match="does not exist"):
        client.get_job_info("team/nothing")


def test_is_refused_with_a_wrong_token(server):
    client = jenkins.Jenkins(server.base_url, server.user, "wrong")
    with pytest.raises(jenkins.JenkinsException, match=r"authentication failed \[401\]"):
        client.get_whoami()


def test_is_refused_a_build_without_the_permission(server):
    server.add_token("reader-token", login="reader", rights=["read"])
    client = jenkins.Jenkins(server.base_url, "reader", "reader-token")
    with pytest.raises(jenkins.JenkinsException, match=r"\[403\]"):
        client.build_job(JOB, {"BRANCH": "main"})
    assert server.builds(JOB) == []


def test_gets_a_crumb_where_jenkins_wants_one(sandbox):
    strict = sandbox.add("jenkins", "strict", crumb_required=True)
    strict.pipeline("app")
    client = jenkins.Jenkins(strict.base_url, strict.user, strict.token)
    assert number_of(client, client.build_job("app")) == 1
