"""What pipelines add to other rooms' pages, in as many queries for many rows as for few."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from pipelines import builds
from pipelines.models import LinkProblem, Trigger
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    make_environments()
    return make_service("shop", title="Shop", owner_ref="group:default/sales")


@pytest.fixture
def server():
    return make_server()


@pytest.fixture
def ana(client):
    user = make_person("ana", "deployer")
    client.force_login(user)
    return user


def page(client, entity):
    return client.get(f"/catalog/default/component/{entity.name}/").content.decode()


def test_a_service_page_says_broken_since_when_and_what_was_good_last(client, ana, shop, server):
    pipeline = confirmed_link(shop, make_pipeline(server, "acme/shop")).pipeline
    make_build(pipeline, 7, "passed", minutes_ago=180)
    make_build(pipeline, 8, "failed", minutes_ago=34)
    make_build(pipeline, 9, "failed", minutes_ago=5)
    html = page(client, shop)
    assert "Broken for" in html
    assert "34 min" in html
    assert "last good" in html
    assert "Run acme/shop" in html


def test_a_service_page_names_the_reason_where_nothing_may_be_run(client, shop, server):
    confirmed_link(shop, make_pipeline(server, "acme/shop"))
    client.force_login(make_person("ben", "viewer"))
    html = page(client, shop)
    assert "You can read, not run" in html
    assert "may not start builds" in html
    assert "sales can help" in html


def test_a_stale_annotation_is_said_with_file_and_line(client, ana, shop):
    LinkProblem.objects.create(
        entity=shop,
        annotation="jenkins.io/job-full-name",
        value="shpo",
        location="shop/catalog-info.yaml",
        line=9,
        message="No pipeline is called “shpo”. Did you mean “shop”?",
    )
    html = page(client, shop)
    assert "Did you mean “shop”?" in html
    assert "shop/catalog-info.yaml:9" in html


def test_a_service_page_costs_the_same_for_many_pipelines_and_builds(client, ana, shop, server):
    def queries():
        # The cheapest of three: a view that finds builds stale asks for them besides.
        return min(once() for _ in range(3))

    def once():
        with CaptureQueriesContext(connection) as captured:
            page(client, shop)
        return len(captured)

    for number in range(2):
        fill(shop, make_pipeline(server, f"acme/{number}"))
    page(client, shop)
    few = queries()
    for number in range(2, 12):
        fill(shop, make_pipeline(server, f"acme/{number}"))
    page(client, shop)
    assert queries() == few


def fill(entity, pipeline):
    """Builds that were started and retried here, whose parameters come from the first."""
    confirmed_link(entity, pipeline)
    started = Trigger.objects.create(action="start", pipeline=pipeline, state="linked")
    first = make_build(pipeline, 9, "failed", minutes_ago=9, trigger=started)
    for number in range(6):
        again = Trigger.objects.create(
            action="retry", pipeline=pipeline, build=first, state="linked"
        )
        state = "failed" if number % 2 else "running"
        make_build(pipeline, number, state, minutes_ago=number, trigger=again)


def test_service_verdict_asks_again_only_while_something_moves(client, ana, shop, server):
    pipeline = confirmed_link(shop, make_pipeline(server, "acme/shop")).pipeline
    url = reverse("pipelines:service_verdict", args=[shop.pk])
    make_build(pipeline, 1, "passed", minutes_ago=5)
    builds.want([pipeline], timezone.now())
    assert "hx-get" not in client.get(url).content.decode()
    make_build(pipeline, 2, "running")
    assert "hx-get" in client.get(url).content.decode()


def test_home_shows_what_is_broken_and_mine_and_what_i_asked_for(client, ana, shop, server):
    link = confirmed_link(shop, make_pipeline(server, "acme/shop"))
    Trigger.objects.create(
        action="start",
        pipeline=link.pipeline,
        entity=shop,
        actor=ana,
        state="queued",
        branch="main",
    )
    html = client.get(reverse("portal:home")).content.decode()
    assert "You started" in html
    assert "Start acme/shop" in html
