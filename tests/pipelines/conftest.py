"""Fixtures of this room: the running sandbox CI, and servers that point at it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from pipelines.models import Environment, PipelineLink, Server
from tests.pipelines.sandbox_fixture import InstanceHandle, SandboxHandle, sandbox
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

__all__ = ["sandbox", "server_at"]


@pytest.fixture
def server_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    """Makes the row of a server for a sandbox instance, with its credential in the environment."""

    def make(handle: InstanceHandle, **fields: Any) -> Server:
        slug = handle.instance.prefix
        variable = f"STAGEDOOR_CREDENTIAL_{slug.upper()}"
        monkeypatch.setenv(variable, handle.credential)
        values = {"base_url": handle.base_url, "credential_ref": f"env:{variable}", **fields}
        return make_server(slug, handle.instance.vendor, **values)

    return make


@pytest.fixture
def acme(sandbox: SandboxHandle, server_at: Callable[..., Server]) -> Server:
    """A Buildkite server with two pipelines that have not been listed yet."""
    sandbox.buildkite.pipeline("acme/shop", repository="https://git.example/shop.git")
    sandbox.buildkite.pipeline("acme/cart")
    return server_at(sandbox.buildkite, options={"organizations": ["acme"]})


@pytest.fixture
def production() -> Environment:
    """The strictest environment; what is on a feature branch is in staging."""
    return make_environments()[1]


@pytest.fixture
def link(production: Environment) -> PipelineLink:
    """A service's pipeline on a server that nobody calls."""
    return confirmed_link(make_service("shop"), make_pipeline(make_server("ci"), "acme/shop"))


@pytest.fixture
def root(client: Client) -> User:
    """An administrator of Django's admin, signed in."""
    user = make_person("root")
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    return user
