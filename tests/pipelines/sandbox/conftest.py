"""Plain HTTP to the sandbox, for what the third-party clients do not look at."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.pipelines.sandbox_fixture import CONTROL_TOKEN, InstanceHandle, SandboxHandle

Ask = Callable[..., requests.Response]


def asker(handle: InstanceHandle) -> Ask:
    """`ask(method, path, **)` with the instance's credential; redirects are not followed."""

    def ask(method: str, path: str, **options: Any) -> requests.Response:
        url = f"{handle.base_url}/{path.lstrip('/')}"
        if handle.instance.vendor == "jenkins":
            options.setdefault("auth", (handle.user, handle.token))
        else:
            bearer = {"Authorization": f"Bearer {handle.token}"}
            options["headers"] = bearer | options.get("headers", {})
        return requests.request(method, url, timeout=10, allow_redirects=False, **options)

    return ask


@pytest.fixture
def jenkins(sandbox: SandboxHandle) -> Ask:
    return asker(sandbox.jenkins)


@pytest.fixture
def buildkite(sandbox: SandboxHandle) -> Ask:
    return asker(sandbox.buildkite)


@pytest.fixture
def drone(sandbox: SandboxHandle) -> Ask:
    return asker(sandbox.drone)


@pytest.fixture
def control(sandbox: SandboxHandle) -> Ask:
    """`control(method, command, json=…)`."""

    def ask(method: str, command: str, **options: Any) -> requests.Response:
        headers = {"X-Sandbox-Control": CONTROL_TOKEN} | options.pop("headers", {})
        url = f"{sandbox.url}/_control/{command}"
        return requests.request(method, url, timeout=10, headers=headers, **options)

    return ask
