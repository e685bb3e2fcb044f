"""api4jenkins, which knows nothing of the sandbox, uses it as a Jenkins."""

import api4jenkins
import pytest
from api4jenkins.exceptions import AuthenticationError, BadRequestError, ItemNotFoundError

from tests.pipelines.sandbox.waiting import until
from tests.pipelines.sandbox_fixture import InstanceHandle, SandboxHandle


@pytest.fixture
def server(sandbox: SandboxHandle) -> InstanceHandle:
    sandbox.jenkins.pipeline("team/app", parameters=["BRANCH"], labels=True)
    sandbox.jenkins.pipeline("team/plain", kind="freestyle")
    sandbox.jenkins.pipeline("team/site", multibranch=True, branches=["main", "feature/x"])
    return sandbox.jenkins


@pytest.fixture
def client(server: InstanceHandle) -> api4jenkins.Jenkins:
    return api4jenkins.Jenkins(server.base_url, auth=(server.user, server.token))


def test_knows_each_item_by_its_class(client):
    found = {job.full_name: type(job).__name__ for job in client.iter(3)}
    assert found == {
        "team": "Folder",
        "team/app": "WorkflowJob",
        "team/plain": "FreeStyleProject",
        "team/site": "WorkflowMultiBranchProject",
        "team/site/main": "WorkflowJob",
        "team/site/feature%2Fx": "WorkflowJob",
    }
    assert client.version.startswith("2.")


def test_reads_the_declared_parameters(client):
    declared = client.get_job("team/app").get_parameters()
    assert [p["name"] for p in declared][:2] == ["BRANCH", "STAGEDOOR_REQUEST_ID"]


def test_starts_a_build_and_follows_its_growing_log(client):
    item = client.build_job("team/app", BRANCH="dev")
    build = until(item.get_build)
    lines = list(build.progressive_output())
    assert lines[-1] == "Finished: SUCCESS"
    assert lines == list(build.console_text())
    assert build.result == "SUCCESS"
    given = {p.name: p.value for p in build.get_parameters()}
    assert given["BRANCH"] == "dev"
    assert build.get_causes()[0]["userId"] == "stagedoor"
    assert build.project.full_name == "team/app"


def test_follows_a_build_from_the_quiet_period_on(client, server):
    server.pipeline("team/quiet", quiet_seconds=4)
    item = client.build_job("team/quiet")
    assert item.why.startswith("In the quiet period.")
    assert until(item.get_build).number == 1


def test_stops_a_build(client, sandbox):
    sandbox.speed = 1
    build = until(client.build_job("team/plain").get_build)
    assert build.building
    build.stop()
    sandbox.advance(5)
    until(lambda: not build.building)
    assert build.result == "ABORTED"


def test_lets_a_waiting_build_proceed(client, server):
    steps = [{"name": "Release?", "gate": True}, "Deploy"]
    server.pipeline("team/gated", steps=steps)
    build = until(client.build_job("team/gated").get_build)
    until(build.get_pending_input).submit()
    until(lambda: not build.building)
    assert build.result == "SUCCESS"


def test_answers_what_an_input_step_asks(client, server):
    target = {"name": "TARGET", "type": "choice", "choices": ["blue", "green"]}
    gate = {"name": "Release?", "gate": True, "inputs": [target, {"name": "NOTE"}]}
    server.pipeline("team/gated", steps=[gate, "Deploy"])
    build = until(client.build_job("team/gated").get_build)
    pending = until(build.get_pending_input)
    assert pending.message == "Release?"
    with pytest.raises(BadRequestError, match="Illegal choice"):
        pending.submit(TARGET="red")
    pending.submit(TARGET="green", NOTE="a & b")
    until(lambda: not build.building)
    assert server.build("team/gated", 1).meta_data == {"TARGET": "green", "NOTE": "a & b"}


def test_aborts_a_waiting_build(client, server):
    server.pipeline("team/gated", steps=[{"name": "Release?", "gate": True}, "Deploy"])
    build = until(client.build_job("team/gated").get_build)
    until(build.get_pending_input).abort()
    until(lambda: not build.building)
    assert build.result == "ABORTED"


def test_lists_builds_newest_first(client, server):
    server.pipeline("team/old", history=3)
    job = client.get_job("team/old")
    assert [build.number for build in job] == [3, 2, 1]
    assert job.get_last_build().get_previous_build().number == 2


def test_is_told_the_reason_of_a_refusal(client):
    with pytest.raises(BadRequestError, match="is not parameterized"):
        client.get_job("team/plain").build(BRANCH="x")
    with pytest.raises(ItemNotFoundError):
        client.build_job("team/nothing")


def test_is_refused_with_a_wrong_token(server):
    client = api4jenkins.Jenkins(server.base_url, auth=(server.user, "wrong"))
    with pytest.raises(AuthenticationError):
        client.get_job("team/app")
