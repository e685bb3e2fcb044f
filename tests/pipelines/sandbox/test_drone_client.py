"""drone-client (PyPI), which knows nothing of the sandbox, uses it as a Drone."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.error import HTTPError

import pytest
import requests
from drone_client.drone import DroneClient

from tests.httpd import reply, serve
from tests.pipelines.sandbox.waiting import until
from tests.pipelines.sandbox_fixture import SandboxHandle

APP = ("acme", "app")


@pytest.fixture
def client(sandbox: SandboxHandle) -> Iterator[DroneClient]:
    """The client drops a base URL's path, so a proxy puts the sandbox's Drone at the root."""
    sandbox.drone.pipeline("acme/app", branches=["main"], steps=[{"name": "Build", "seconds": 1}])
    base = sandbox.drone.base_url

    def forward(handler: BaseHTTPRequestHandler) -> None:
        passed = {k: v for k, v in handler.headers.items() if k.lower() != "host"}
        body = handler.server.httpd.asked[-1].body
        got = requests.request(handler.command, base + handler.path, headers=passed, data=body)
        kind = got.headers.get("Content-Type", "")
        reply(got.status_code, got.content, Content_Type=kind)(handler)

    with serve(forward) as httpd:
        yield DroneClient(httpd.url, sandbox.drone.token)


def start(sandbox: SandboxHandle) -> int:
    """The client can't start a build."""
    url = f"{sandbox.drone.base_url}/api/repos/acme/app/builds"
    headers = {"Authorization": f"Bearer {sandbox.drone.token}"}
    return requests.post(url, headers=headers, timeout=10).json()["number"]


def test_it_reads_the_account_and_repositories(client: DroneClient):
    assert client.get_self()["login"] == "stagedoor"
    assert [repo["slug"] for repo in client.get_repo_list({})] == ["acme/app"]
    assert client.get_repo(*APP)["default_branch"] == "main"
    assert [repo["slug"] for repo in client.synchronize()] == ["acme/app"]
    assert client.get_secret_list(*APP) == []


def test_it_follows_a_build_and_reads_its_log(client: DroneClient, sandbox: SandboxHandle):
    number = start(sandbox)

    def ended() -> dict | None:
        build = client.get_build(*APP, number)
        return build if build["finished"] else None

    build = until(ended)
    assert build["status"] == "success"
    assert [row["number"] for row in client.get_build_list(*APP, {"page": 1})] == [number]
    assert [piece["pos"] for piece in client.get_logs(*APP, number, 1, 1)] == [0, 1]


def test_it_cancels_approves_and_switches_off(client: DroneClient, sandbox: SandboxHandle):
    gate = {"name": "release", "gate": True}
    sandbox.drone.pipeline("acme/app", steps=[gate, {"name": "Deploy", "seconds": 1}])
    number = start(sandbox)
    until(lambda: client.get_build(*APP, number)["stages"][0]["status"] == "blocked")
    assert client.approve_build(*APP, number, 1) == ""
    until(lambda: client.get_build(*APP, number)["status"] == "success")
    assert client.cancel_build(*APP, start(sandbox))["status"] == "killed"
    assert client.delete_repo(*APP)["active"] is False
    assert client.activate_repo(*APP)["active"] is True


def test_it_is_refused_as_by_drone(client: DroneClient):
    with pytest.raises(HTTPError, match="404"):
        client.get_build(*APP, 99)
    client.token = "wrong"
    with pytest.raises(HTTPError, match="401"):
        client.get_self()
