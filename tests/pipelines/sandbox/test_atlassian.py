"""atlassian-python-api, which knows nothing of the sandbox, uses it as Bitbucket Cloud."""

import pytest
from atlassian.bitbucket import Cloud
from requests import HTTPError

from tests.pipelines.sandbox.waiting import until
from tests.pipelines.sandbox_fixture import InstanceHandle, SandboxHandle


@pytest.fixture
def server(sandbox: SandboxHandle) -> InstanceHandle:
    handle = sandbox.instances["bitbucket"]
    handle.pipeline(
        "acme/shop",
        branches=["main", "dev/x"],
        parameters=[{"name": "PIPELINE", "type": "choice", "choices": ["deploy"]}],
        steps=[{"name": "Build", "lines": ["compiling", "done"]}, {"name": "Test"}],
    )
    return handle


def client_for(server: InstanceHandle, token: str = "") -> Cloud:
    url = server.base_url.removesuffix("/2.0")
    return Cloud(url, username="stagedoor@ci.example", password=token or server.token)


@pytest.fixture
def client(server: InstanceHandle) -> Cloud:
    return client_for(server)


@pytest.fixture
def repository(client: Cloud):
    return client.repositories.get("acme", "shop")


def finished(repository, uuid: str):
    def look():
        found = repository.pipelines.get(uuid)
        return found if found.completed_on else None

    return until(look)


def test_finds_workspaces_and_repositories(client, server):
    for number in range(25):
        server.pipeline(f"acme/r{number:02}")
    (workspace,) = client.workspaces.each()
    assert (workspace.slug, workspace.name) == ("acme", "Acme")
    found = [repository.slug for repository in workspace.repositories.each()]
    assert len(found) == len(set(found)) == 26
    assert workspace.repositories.get("shop").name == "shop"
    assert not workspace.repositories.exists("none")


def test_reads_a_repository_its_branches_and_its_file(repository):
    assert repository.uuid.startswith("{")
    assert repository.is_private
    branches = {branch.name: branch.hash for branch in repository.branches.each()}
    assert set(branches) == {"main", "dev/x"}
    text = repository.get_source_file(branches["dev/x"], "bitbucket-pipelines.yml")
    assert b"custom:" in text
    with pytest.raises(HTTPError):
        repository.get_source_file("dev/x", "bitbucket-pipelines.yml")


def test_starts_a_pipeline_and_follows_it_to_its_logs(repository, server):
    variables = [{"key": "STAGEDOOR_REQUEST_ID", "value": "r-1"}]
    made = repository.pipelines.trigger(branch="dev/x", pattern="deploy", variables=variables)
    assert made.build_number == 1
    done = finished(repository, made.uuid)
    assert done.get_data("state")["result"]["name"] == "SUCCESSFUL"
    assert done.get_data("target")["selector"] == {"type": "custom", "pattern": "deploy"}
    assert done.created_on <= done.completed_on
    assert server.build("acme/shop", 1).env == {"STAGEDOOR_REQUEST_ID": "r-1"}
    build, _ = done.steps()
    assert build.state["result"]["name"] == "SUCCESSFUL"
    assert build.started_on <= build.completed_on
    text = build.log()
    assert text.endswith(b"compiling\ndone\n")
    assert build.log(0, 4) == (str(len(text)), text[:5])
    assert done.step(build.uuid).uuid == build.uuid


def test_a_step_that_has_not_begun_has_no_log(repository, sandbox):
    sandbox.speed = 1
    made = repository.pipelines.trigger(branch="main")
    pipeline = until(lambda: list(repository.pipelines.get(made.uuid).steps()))
    assert pipeline[-1].log() is None


def test_lists_the_oldest_first_unless_asked_otherwise(repository):
    for _ in range(12):
        repository.pipelines.trigger(branch="main")
    assert [p.build_number for p in repository.pipelines.each()] == list(range(1, 13))
    newest = repository.pipelines.each(sort="-created_on")
    assert [p.build_number for p in newest] == list(range(12, 0, -1))


def test_stops_a_pipeline_once(repository, sandbox):
    sandbox.speed = 1
    made = repository.pipelines.trigger(branch="main")
    repository.pipelines.get(made.uuid).stop()
    done = finished(repository, made.uuid)
    assert done.get_data("state")["result"]["name"] == "STOPPED"
    with pytest.raises(HTTPError, match="already complete"):
        done.stop()


def test_a_manual_step_waits_and_stopping_changes_nothing(server, client):
    server.pipeline("acme/gated", steps=["Build", {"name": "Release", "gate": True}])
    pipelines = client.repositories.get("acme", "gated").pipelines
    made = pipelines.trigger(branch="main")

    def stage():
        return pipelines.get(made.uuid).get_data("state").get("stage", {}).get("name")

    until(lambda: stage() == "PAUSED")
    gate = list(pipelines.get(made.uuid).steps())[1]
    assert gate.state["stage"]["name"] == "PAUSED"
    assert gate.get_data("trigger")["type"] == "pipeline_step_trigger_manual"
    pipelines.get(made.uuid).stop()
    assert stage() == "PAUSED"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"branch": "none"}, "last reference for branch none"),
        ({"branch": "main", "pattern": "none"}, "selector is not found"),
        ({"branch": "main", "commit": "abc", "type": "commit"}, "invalid properties"),
    ],
)
def test_is_told_why_a_pipeline_is_not_started(repository, server, how, words):
    with pytest.raises(HTTPError, match=words):
        repository.pipelines.trigger(**how)
    assert server.builds("acme/shop") == []


def test_registers_webhooks(repository):
    made = repository.hooks.create("https://x.example/h", "Hook", ["repo:push"])
    assert [hook.webhook_url() for hook in repository.hooks.each()] == ["https://x.example/h"]
    assert repository.hooks.get(made.get_data("uuid")).description() == "Hook"


def test_is_refused_with_a_wrong_token_and_without_the_scope(server):
    with pytest.raises(HTTPError, match="invalid, expired"):
        client_for(server, "wrong").repositories.get("acme", "shop")
    server.add_token("reader", login="stagedoor", rights=["read:repository:bitbucket"])
    repository = client_for(server, "reader").repositories.get("acme", "shop")
    with pytest.raises(HTTPError, match="required"):
        repository.pipelines.trigger(branch="main")
    assert server.builds("acme/shop") == []
