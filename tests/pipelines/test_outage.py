"""Ten minutes in which no CI server answers: pages go on, dated, and all recovers by itself.

The clock is accelerated (see accelerated.py); requests, database and pages are real.
"""

import pytest
from django.urls import reverse

from pipelines.models import Build, Pipeline, Server, Trigger
from pipelines.providers import PROVIDERS
from portal.process_cache import answers
from tests.pipelines.accelerated import accelerated
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)
OPTIONS = {"bitbucket": {"workspaces": ["acme"]}, "buildkite": {"organizations": ["acme"]}}
NAMED_BY = {slug: adapter.annotation_keys[0] for slug, adapter in PROVIDERS.items()}
# 5 + 10 + 20 + 40 + 80 + 160 + 300 seconds is more than ten minutes, and three lead to the first.
MAX_TRIES = 10


@pytest.fixture
def clock(sandbox):
    sandbox.speed = 1
    answers.clear()
    with accelerated(sandbox.advance) as clock:
        yield clock


@pytest.fixture
def services(sandbox, server_at, clock):
    """A service with a pipeline on a server of each provider."""
    found = []
    for slug in PROVIDERS:
        handle = sandbox.instances[slug]
        handle.pipeline("acme/shop", history=3)
        server = server_at(handle, options=OPTIONS.get(slug, {}))
        pipeline = make_pipeline(server, "acme/shop")
        service = make_service(f"shop-{slug}", {NAMED_BY[slug]: "acme/shop"})
        found.append(confirmed_link(service, pipeline).entity)
    return found


@pytest.fixture
def look(client, services):
    """Somebody who looks at every page that shows builds; gives their html by address."""
    make_environments()
    ana = make_person("ana", "deployer")
    client.force_login(ana)

    def get():
        urls = [
            reverse("catalog:entity_detail", args=["default", "component", service.name])
            for service in services
        ]
        newest = Build.objects.order_by("pipeline", "-pk")
        shown = {build.pipeline_id: build.pk for build in newest}
        urls += [reverse("pipelines:build_detail", args=[pk]) for pk in shown.values()]
        urls += [reverse("pipelines:build_list"), reverse("portal:home")]
        pages = {}
        for url in urls:
            response = client.get(url)
            assert response.status_code < 500, url
            pages[url] = response.content.decode()
        return pages

    get.person = ana
    return get


def silent():
    return list(Server.objects.exclude(unreachable_since=None).values_list("slug", flat=True))


def test_ten_minutes_without_any_server(sandbox, clock, look, services):
    clock.run(60, look)
    assert silent() == []
    assert Build.objects.values("pipeline").distinct().count() == len(PROVIDERS)
    known = set(Build.objects.values_list("pk", "state"))
    went_silent = clock.now()
    sandbox.stop()
    clock.run(600, look)
    # What is known stands, with its age; nothing is gone, nothing is unknown.
    assert set(Build.objects.values_list("pk", "state")) == known
    assert not Pipeline.objects.exclude(gone_at=None).exists()
    assert sorted(silent()) == sorted(PROVIDERS)
    for server in Server.objects.all():
        assert server.unreachable_since >= went_silent
        assert server.failures <= MAX_TRIES
    for url, html in look().items():
        assert "Unreachable since" in html or url == reverse("portal:home"), url
        assert "min ago" in html or url in (
            reverse("portal:home"),
            reverse("pipelines:build_list"),
        ), url
    trigger = ask(look.person, services)
    clock.run(60)
    trigger.refresh_from_db()
    assert (trigger.state, trigger.attempt) == ("queued", 0)
    # Back: each server is tried within five minutes, and all goes on.
    sandbox.start()
    clock.run(330, look)
    assert silent() == []
    assert not any("Unreachable since" in html for html in look().values())
    assert not Pipeline.objects.exclude(builds_error="").exists()
    assert len(sandbox.accepted("buildkite", "start")) == 1
    trigger.refresh_from_db()
    assert trigger.state == "linked"


def ask(person, services):
    """A start that was asked for while nothing answers."""
    service = next(service for service in services if service.name == "shop-buildkite")
    pipeline = Pipeline.objects.get(server__slug="buildkite", external_id="acme/shop")
    return Trigger.objects.create(
        action="start",
        actor=person,
        actor_name="Ana",
        pipeline=pipeline,
        entity=service,
        branch="main",
    )
