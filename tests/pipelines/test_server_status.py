"""Wherever builds are shown, it is said which server is silent or read less often."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from pipelines import budget
from pipelines.models import PipelineLink, Quota, Server
from pipelines.providers.base import Limit
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def look(client):
    """The pages that show builds of one pipeline, as somebody who may only look sees them."""
    client.force_login(make_person("vi", "viewer"))
    pipeline = make_pipeline(make_server("ci", name="Acme CI"), "acme/shop")
    pipeline.builds_read_at = timezone.now() - timedelta(minutes=5)
    pipeline.save()
    build = make_build(pipeline, 1)
    link = confirmed_link(make_service("shop"), pipeline)
    urls = {
        "service": reverse("catalog:entity_detail", args=["default", "component", "shop"]),
        "pipeline": reverse("pipelines:pipeline", args=[link.pk]),
        "verdict": reverse("pipelines:service_verdict", args=[link.entity_id]),
        "build": reverse("pipelines:build_detail", args=[build.pk]),
        "list": reverse("pipelines:build_list"),
    }

    def get(name):
        response = client.get(urls[name])
        assert response.status_code == 200
        return response.content.decode()

    return get


PAGES = ["service", "pipeline", "build", "list"]


@pytest.mark.parametrize("name", [*PAGES, "verdict"])
def test_a_page_says_nothing_while_all_is_well(look, name):
    html = look(name)
    assert "Unreachable" not in html
    assert "less often" not in html
    assert "last read" not in html


@pytest.mark.parametrize("name", PAGES)
def test_a_silent_server_is_named_with_the_time(look, name):
    since = timezone.now() - timedelta(minutes=20)
    Server.objects.update(unreachable_since=since, failures=5, last_error="down")
    html = look(name)
    assert f"Acme CI: Unreachable since {since:%H:%M} UTC." in html
    assert "as they were last read" in html


def test_a_state_that_was_read_before_the_silence_is_dated(look):
    Server.objects.update(unreachable_since=timezone.now() - timedelta(minutes=20))
    html = look("verdict")
    assert "As it was last read" in html
    assert "5 min ago" in html
    assert "hx-get" in html  # looks again, to see when it is back


@pytest.mark.parametrize("name", PAGES)
def test_a_shortage_is_said_to_everybody(look, name):
    server = Server.objects.get()
    told = Limit("requests", 50, 600.0, remaining=3, reset_after=300.0)
    budget.learn(budget.key_of(server), [told])
    until = Quota.objects.get().resets_at
    html = look(name)
    assert (
        "Builds on Acme CI are read less often: 3 of 50 requests left until "
        f"{until:%H:%M} UTC." in html
    )


@pytest.mark.parametrize("name", [*PAGES, "verdict"])
def test_a_page_takes_as_many_queries_for_many_pipelines_as_for_one(look, name):
    entity = PipelineLink.objects.get().entity
    look(name)
    with CaptureQueriesContext(
        connection,
    ) as one:
        look(name)
    for number in range(8):
        server = make_server(f"ci-{number}", unreachable_since=timezone.now())
        other = make_pipeline(server, f"acme/p{number}", builds_tried_at=timezone.now())
        make_build(other, 1)
        confirmed_link(entity, other)
    look(name)
    with CaptureQueriesContext(connection) as many:
        look(name)
    assert len(many) <= len(one) + 2, [query["sql"][:90] for query in many]
