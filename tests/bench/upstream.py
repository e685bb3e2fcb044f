"""`python -m tests.bench.upstream`: how many requests a minute go to the CI servers.

One service with 1 and with 1,000 viewers, and a catalog of 2,000 services that nobody looks at,
over the sandbox. The clock is accelerated: portal and sandbox jump five seconds at a time, and what
beat, worker and pages do in that time is done at once (tests/pipelines/accelerated.py). A viewer
is what a page does about freshness, `panels.ask_for()`, every three seconds; one of them is a real
page over Django's test client. Requests, database and adapters are real.
"""

import argparse
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import django

_folder = tempfile.TemporaryDirectory(prefix="stagedoor-bench-")
os.environ.update(
    PYTHON_DOTENV_DISABLED="1",
    LOG_LEVEL="ERROR",
    STAGEDOOR_DATA_DIR=_folder.name,
    STAGEDOOR_ENV="demo",
    DJANGO_SETTINGS_MODULE="portal.settings",
)
django.setup()

from django.conf import settings  # noqa: E402  Django has to be set up first
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402

from pipelines import tasks  # noqa: E402
from pipelines.budget import COURTESY  # noqa: E402
from pipelines.listing import refresh_pipelines  # noqa: E402
from pipelines.models import Pipeline, PipelineLink, Server  # noqa: E402
from pipelines.panels import ask_for  # noqa: E402
from pipelines.polling import PER_MINUTE  # noqa: E402
from pipelines.providers import PROVIDERS  # noqa: E402
from pipelines.sandbox.engine import Ask, World  # noqa: E402
from pipelines.sandbox.server import Sandbox  # noqa: E402
from tests.pipelines.accelerated import Accelerated, accelerated  # noqa: E402
from tests.pipelines.sandbox_fixture import SandboxHandle  # noqa: E402
from tests.pipelines.world import make_person, make_server, make_service  # noqa: E402

OPTIONS = {"bitbucket": {"workspaces": ["acme"]}, "buildkite": {"organizations": ["acme"]}}
# What the vendors allow, where the sandbox has no limit unless it is told.
ALLOWED = {
    "bitbucket": {"limit": 1_000},
    "travis": {"limit": 2_000},
    "buildkite": {"rest_limit": 200, "rest_user_limit": 50},
}
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
MINUTE = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.upstream", description=__doc__)
    parser.add_argument("--providers", nargs="*", default=sorted(PROVIDERS))
    parser.add_argument("--viewers", type=int, nargs="*", default=[1, 1_000])
    parser.add_argument("--services", type=int, default=2_000)
    parser.add_argument("--minutes", type=float, default=5.0, help="simulated, each")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    call_command("collectstatic", verbosity=0, interactive=False)
    call_command("migrate", verbosity=0)
    print("| what | provider | requests a minute, mean | in the busiest | budget |")
    print("|---|---|---|---|---|", flush=True)
    for provider in options.providers:
        for viewers in options.viewers:
            with world(provider) as (sandbox, clock):
                watched(sandbox, clock, provider, viewers, options.minutes)
        with world(provider) as (sandbox, clock):
            idle(sandbox, clock, provider, options.services, options.minutes)


@contextmanager
def world(provider: str) -> Iterator[tuple[SandboxHandle, Accelerated]]:
    """An empty portal beside an empty sandbox."""
    call_command("flush", verbosity=0, interactive=False)
    running = Sandbox(World(1.0))
    running.start()
    try:
        sandbox = SandboxHandle(running)
        with accelerated(sandbox.advance) as clock:
            yield sandbox, clock
    finally:
        running.stop()


def watched(
    sandbox: SandboxHandle, clock: Accelerated, provider: str, viewers: int, minutes: float
) -> None:
    """One service with a build under way all the time, and everybody looks at it."""
    server = server_of(sandbox, provider, services=1)
    pipeline = Pipeline.objects.get(external_id="acme/service-0")
    client = Client(SERVER_NAME=settings.ALLOWED_HOSTS[0])
    client.force_login(make_person("ana", "viewer"), backend=BACKEND)
    url = reverse("catalog:entity_detail", args=["default", "component", "service-0"])
    # The list, the feed and the test of the credential are the server's, whoever looks.
    count = Counting(sandbox, clock, "service-0")
    start(sandbox, provider)

    def look() -> None:
        if client.get(url).status_code != 200:
            raise SystemExit(f"{url} is not shown.")
        for _ in range(viewers - 1):
            ask_for([pipeline])

    for _ in range(round(minutes * MINUTE / 3)):
        clock.advance(3)
        tasks.tick()
        look()
    report(f"a service, {viewers:,} viewers", server, count, PER_MINUTE)


def idle(
    sandbox: SandboxHandle, clock: Accelerated, provider: str, services: int, minutes: float
) -> None:
    """A catalog whose every service has a pipeline, and nobody looks at any."""
    server = server_of(sandbox, provider, services)
    count = Counting(sandbox, clock)
    for _ in range(round(minutes * MINUTE / settings.TICK_SECONDS)):
        clock.run(settings.TICK_SECONDS)
    rules = [rule for rule in PROVIDERS[provider].limits or (COURTESY,) if not rule.writes]
    budget = min(rule.limit * MINUTE / rule.seconds for rule in rules) / 5
    report(f"{services:,} services, idle", server, count, budget)
    known = Pipeline.objects.filter(builds__isnull=False).distinct().count()
    print(f"| … of which so many have known builds by then | {provider} | {known:,} | | |")


class Counting:
    """Requests whose path holds a word, from now on, by the sandbox's clock."""

    def __init__(self, sandbox: SandboxHandle, clock: Accelerated, word: str = "") -> None:
        self._sandbox = sandbox
        self._clock = clock
        self._word = word
        self._seen = len(sandbox.requests())
        self._began = clock.now()

    @property
    def minutes(self) -> float:
        return (self._clock.now() - self._began).total_seconds() / MINUTE

    def times(self) -> list[float]:
        made = self._sandbox.requests()[self._seen :]
        return [entry.at for entry in made if self._word in entry.path]

    def busiest(self) -> int:
        """The most requests in any sixty seconds."""
        times = self.times()
        return max((sum(end - MINUTE < at <= end for at in times) for end in times), default=0)


def server_of(sandbox: SandboxHandle, provider: str, services: int) -> Server:
    """A server with so many pipelines, listed and linked to a service each."""
    handle = sandbox.instances[provider]
    handle.instance.options.update(ALLOWED.get(provider, {}))
    for number in range(services):
        handle.pipeline(f"acme/service-{number}", history=2)
    variable = "STAGEDOOR_CREDENTIAL_BENCH"
    os.environ[variable] = handle.credential
    server = make_server(
        provider,
        provider,
        base_url=handle.base_url,
        credential_ref=f"env:{variable}",
        options=OPTIONS.get(provider, {}),
    )
    refresh_pipelines(server)
    key = PROVIDERS[provider].annotation_keys[0]
    found = Pipeline.objects.filter(external_id__startswith="acme/")
    PipelineLink.objects.bulk_create(
        PipelineLink(
            pipeline=pipeline,
            entity=make_service(
                pipeline.external_id.partition("/")[2], {key: pipeline.external_id}
            ),
            annotation=key,
        )
        for pipeline in found
    )
    return server


def start(sandbox: SandboxHandle, provider: str) -> None:
    """A build that runs for as long as anything is measured."""
    with sandbox.world.lock:
        instance = sandbox.instances[provider].instance
        sandbox.speed = 0.0001
        instance.start(instance.pipelines["acme/service-0"], Ask(branch="main"))


def report(what: str, server: Server, count: Counting, budget: float) -> None:
    mean = len(count.times()) / count.minutes
    cells = (what, server.provider, f"{mean:.1f}", str(count.busiest()), f"{budget:.1f}")
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
