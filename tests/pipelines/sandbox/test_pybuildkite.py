"""pybuildkite, which knows nothing of the sandbox, uses it as Buildkite."""

from datetime import UTC, datetime, timedelta

import pytest
from pybuildkite.buildkite import Buildkite, BuildState, LogFormat
from requests import HTTPError

from tests.pipelines.sandbox.waiting import until
from tests.pipelines.sandbox_fixture import InstanceHandle, SandboxHandle

ACME = ("acme", "shop")


@pytest.fixture
def server(sandbox: SandboxHandle) -> InstanceHandle:
    sandbox.buildkite.pipeline("acme/shop", branches=["main", "dev"])
    return sandbox.buildkite


def client_for(server: InstanceHandle, token: str = "") -> Buildkite:
    client = Buildkite()
    client.base_url = f"{server.base_url}/"
    client.set_access_token(token or server.token)
    return client


@pytest.fixture
def client(server: InstanceHandle) -> Buildkite:
    return client_for(server)


def finished(client: Buildkite, number: int) -> dict:
    def build() -> dict | None:
        found = client.builds().get_build_by_number(*ACME, number)
        return found if found["finished_at"] else None

    return until(build)


def test_says_whose_token_it_is(client):
    token = client.access_tokens().get_token()
    assert token["user"]["name"] == "Stagedoor"
    assert "write_builds" in token["scopes"]


def test_lists_organizations_and_pipelines(client):
    assert [found["slug"] for found in client.organizations().list_all()] == ["acme"]
    assert [found["slug"] for found in client.pipelines().list_pipelines("acme")] == ["shop"]
    assert client.pipelines().get_pipeline(*ACME)["default_branch"] == "main"


def test_starts_a_build_and_follows_it_to_its_log(client):
    labels = {"stagedoor-request-id": "r-1"}
    made = client.builds().create_build(*ACME, "HEAD", "dev", message="Hello", meta_data=labels)
    assert (made["state"], made["number"], made["commit"]) == ("scheduled", 1, "HEAD")
    build = finished(client, 1)
    assert (build["state"], build["branch"], build["message"]) == ("passed", "dev", "Hello")
    assert build["meta_data"] == labels
    assert len(build["commit"]) == 40
    kinds = [job["type"] for job in build["jobs"]]
    assert kinds == ["script", "waiter", "script"]
    log = client.jobs().get_job_log(*ACME, 1, build["jobs"][0]["id"], LogFormat.JSON)
    assert log["content"].startswith("\x1b_bk;t=")
    assert "Compiling\r\n" in log["content"]
    assert b"Compiling" in client.jobs().get_job_log(*ACME, 1, build["jobs"][0]["id"])


def test_finds_a_build_by_what_it_carries(client):
    for name in ("a", "b"):
        client.builds().create_build(
            *ACME, "HEAD", "main", meta_data={"stagedoor-request-id": name}
        )
    find = client.builds().list_all_for_pipeline
    found = find(*ACME, meta_data={"stagedoor-request-id": "b"})
    assert [build["number"] for build in found] == [2]
    assert find(*ACME, meta_data={"stagedoor-request-id": "c"}) == []


def test_filters_by_branch_state_and_time(client, server):
    for branch in ("main", "dev", "main"):
        client.builds().create_build(*ACME, "HEAD", branch)
    server.finish("acme/shop", 1, "failed")
    find = client.builds().list_all_for_pipeline

    def numbers(**filters: object) -> list[int]:
        return [build["number"] for build in find(*ACME, **filters)]

    assert numbers(branch="main") == [3, 1]
    assert numbers(branch=["dev", "other"]) == [2]
    assert numbers(states=[BuildState.FAILED]) == [1]
    assert numbers(created_from=datetime.now(UTC) + timedelta(hours=1)) == []
    assert numbers(created_to=datetime.now(UTC) + timedelta(hours=1)) == [3, 2, 1]


def test_walks_pages(server):
    server.pipeline("acme/shop", history=5)
    client = client_for(server)
    client.client.per_page = 2
    page, seen = 1, []
    while page:
        answer = client.builds().list_all_for_pipeline(*ACME, page=page, with_pagination=True)
        seen += [build["number"] for build in answer.body]
        page = answer.next_page
    assert seen == [5, 4, 3, 2, 1]


def test_cancels_a_build_once(client, sandbox):
    sandbox.speed = 1
    sandbox.buildkite.pipeline("acme/shop", queue_seconds=0)
    client.builds().create_build(*ACME, "HEAD", "main")
    assert client.builds().cancel_build(*ACME, 1)["state"] == "canceling"
    sandbox.advance(5)
    assert finished(client, 1)["state"] == "canceled"
    with pytest.raises(HTTPError, match="422"):
        client.builds().cancel_build(*ACME, 1)


def test_rebuilds(client):
    labels = {"stagedoor-request-id": "r-1"}
    client.builds().create_build(*ACME, "HEAD", "dev", message="Once", meta_data=labels)
    first = finished(client, 1)
    again = client.builds().rebuild_build(*ACME, 1)
    assert (again["number"], again["branch"], again["message"]) == (2, "dev", "Once")
    assert again["commit"] == first["commit"]
    assert again["rebuilt_from"]["number"] == 1


def test_retries_a_failed_job_which_opens_the_build_again(client, server):
    flaky = {"name": "Flaky", "seconds": 1, "outcomes": ["failed", "passed"]}
    server.pipeline("acme/shop", steps=[flaky, "After"])
    client.builds().create_build(*ACME, "HEAD", "main")
    build = finished(client, 1)
    assert [job.get("state") for job in build["jobs"]] == ["failed", None, "waiting_failed"]
    job = client.jobs().retry_job(*ACME, 1, build["jobs"][0]["id"])
    assert job["state"] in {"scheduled", "running"}
    assert finished(client, 1)["state"] == "passed"
    with pytest.raises(HTTPError, match="400"):
        client.jobs().retry_job(*ACME, 1, build["jobs"][0]["id"])
    every = client.builds().get_build_by_number(*ACME, 1, include_retried_jobs=True)
    assert [job.get("retried") for job in every["jobs"]] == [True, False, None, False]


def test_unblocks_what_waits_for_a_person(client, server):
    server.pipeline("acme/shop", steps=["Build", {"name": "Release?", "gate": True}, "Deploy"])
    client.builds().create_build(*ACME, "HEAD", "main")

    def waiting() -> dict | None:
        build = client.builds().get_build_by_number(*ACME, 1)
        return build if build["blocked"] else None

    build = until(waiting)
    assert build["state"] == "passed"  # the trap: blocked stands beside it
    assert [job["state"] for job in build["jobs"]] == ["passed", "blocked", "blocked"]
    gate = build["jobs"][1]
    assert (gate["type"], gate["label"], gate["unblockable"]) == ("manual", "Release?", True)
    opened = client.jobs().unblock_job(*ACME, 1, gate["id"], fields={"region": "eu"})
    assert opened["state"] == "unblocked"
    assert opened["unblocked_by"]["name"] == "Stagedoor"
    assert finished(client, 1)["meta_data"] == {"region": "eu"}
    with pytest.raises(HTTPError, match="422"):
        client.jobs().unblock_job(*ACME, 1, gate["id"], fields={})


def test_reads_the_builds_of_an_organization_and_of_all(client, server):
    for name in ("acme/web", "other/api"):
        server.pipeline(name)
    places = [ACME, ("acme", "web"), ("other", "api")]
    for organization, slug in places:
        client.builds().create_build(organization, slug, "HEAD", "main")

    def slugs(builds: list[dict]) -> list[str]:
        return [build["pipeline"]["slug"] for build in builds]

    assert slugs(client.builds().list_all_for_org("acme")) == ["web", "shop"]
    assert slugs(client.builds().list_all()) == ["api", "web", "shop"]
    creator = client.builds().list_all()[0]["creator"]["id"]
    assert len(client.builds().list_all_for_org("acme", creator=creator)) == 2
    assert client.builds().list_all_for_org("acme", creator="00000000-0000-0000-0000-0") == []


def test_is_refused_with_a_wrong_token(server):
    with pytest.raises(HTTPError, match="401"):
        client_for(server, "wrong").organizations().list_all()


def test_is_refused_without_the_scope(server):
    server.add_token("reader", rights=["read_builds", "read_pipelines"])
    with pytest.raises(HTTPError, match="403"):
        client_for(server, "reader").builds().create_build(*ACME, "HEAD", "main")
    assert server.builds("acme/shop") == []
