"""One installation per provider: the sandbox's, with an adapter that talks to it over HTTP."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability, Receipt, RemoteBuild, ServerConfig, State
from pipelines.providers.provider import Provider
from pipelines.sandbox.vendors import VENDORS
from portal.credentials import Secret
from portal.http import HttpClient
from tests.pipelines.providers.traits import traits_of
from tests.pipelines.sandbox_fixture import InstanceHandle, SandboxHandle

MOVING = (State.QUEUED, State.RUNNING, State.WAITING, State.UNKNOWN)


def http_client(patience: float = 2) -> HttpClient:
    """Small, so that what hangs or never ends is soon met; `patience` in seconds."""
    return HttpClient(
        allow=["127.0.0.1"], timeout=(1, patience), deadline=1.5 * patience, max_bytes=2_000_000
    )


def make_adapter(
    slug: str, base_url: str, credential: str, http: HttpClient | None = None, **options: object
) -> Provider:
    config = ServerConfig(slug=slug, base_url=base_url, options=options)
    return PROVIDERS[slug](config, http or http_client(), Secret(credential))


@dataclass
class Installation:
    """A vendor's installation with one pipeline that declares all of our labels."""

    slug: str
    sandbox: SandboxHandle
    handle: InstanceHandle
    pipeline: str

    def adapter(self, credential: str = "", http: HttpClient | None = None) -> Provider:
        secret = credential or self.handle.credential
        options = traits_of(self.slug).options
        return make_adapter(self.slug, self.handle.base_url, secret, http, **options)

    def can(self, capability: Capability) -> bool:
        return capability in PROVIDERS[self.slug].capabilities

    def add(self, name: str, **fields: object) -> str:
        """A further pipeline of the vendor's own form; its name."""
        self.handle.pipeline(name, **{**traits_of(self.slug).pipeline, **fields})
        return name

    def credential(self, value: str, **fields: object) -> str:
        """A further token in the vendor's form; fields: rights, only, expires_in_days."""
        self.handle.add_token(value, login="other", **fields)
        return VENDORS[self.slug].credential("other", value)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test once for every provider, or for those that have what it is marked to need."""
    if "installation" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("needs")
        needed = set(marker.args) if marker else set()
        able = [slug for slug in sorted(PROVIDERS) if needed <= PROVIDERS[slug].capabilities]
        metafunc.parametrize("installation", able, indirect=True)


@pytest.fixture
def installation(request, sandbox) -> Installation:
    """The sandbox's instance of one vendor, with the pipeline payments/checkout."""
    found = Installation(request.param, sandbox, sandbox.instances[request.param], "")
    found.pipeline = found.add(
        "payments/checkout",
        branches=("main", "feature/x"),
        steps=[
            {"name": "Build", "seconds": 4, "lines": ["compiling", "done ✓"]},
            {"name": "Test", "seconds": 4, "lines": [f"test {n}" for n in range(20)]},
        ],
    )
    return found


def until(question: Callable[[], object], seconds: float = 10) -> object:
    """Asks until the answer is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def build_of(adapter: Provider, pipeline: str, receipt: Receipt) -> RemoteBuild:
    """Follows a receipt to its build."""
    if receipt.build:
        return receipt.build
    return until(lambda: adapter.resolve(pipeline, receipt.queue_ref).build)


def ended(adapter: Provider, build: RemoteBuild) -> RemoteBuild:
    """The build once it has ended."""

    def look():
        now = adapter.get_build(build.pipeline, build.external_id)
        return now if now.state not in MOVING else None

    return until(look)
