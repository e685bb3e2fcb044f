"""One question for the newest builds of all pipelines of a server."""

from datetime import timedelta

import pytest
from django.utils import timezone

from pipelines import builds, feeds
from pipelines.models import Build, Pipeline, Server
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability
from pipelines.sandbox.objects import Ask
from tests.pipelines.world import confirmed_link, make_pipeline, make_server, make_service

pytestmark = pytest.mark.django_db
FED = sorted(slug for slug, a in PROVIDERS.items() if Capability.FEED in a.capabilities)


@pytest.fixture(params=FED)
def fed(request, sandbox, server_at):
    """A server with a feed: two linked pipelines and one that nobody links to."""
    handle = sandbox.instances[request.param]
    server = server_at(handle)
    for name in ("acme/shop", "acme/cart", "acme/secret"):
        handle.pipeline(name, history=2)
        pipeline = make_pipeline(server, name)
        if name != "acme/secret":
            confirmed_link(make_service(pipeline.name.rpartition("/")[2]), pipeline)
    return server


def test_at_least_one_provider_has_a_feed():
    assert FED


def test_a_feed_fills_all_linked_pipelines_for_few_requests(fed, sandbox):
    assert feeds.due(timezone.now()) == [fed.pk]
    assert feeds.read_feed(fed.pk)
    assert set(Build.objects.values_list("pipeline__name", flat=True)) == {"acme/shop", "acme/cart"}
    assert Build.objects.count() == 4
    assert len(sandbox.requests()) <= 2
    fed.refresh_from_db()
    assert fed.feed_read_at


def test_a_feed_is_read_once_and_costs_the_same_when_nothing_changed(
    fed, sandbox, django_assert_max_num_queries
):
    feeds.read_feed(fed.pk)
    assert not feeds.read_feed(fed.pk)
    assert feeds.due(timezone.now()) == []
    Server.objects.update(feed_claimed_until=None)
    with django_assert_max_num_queries(14):
        assert feeds.read_feed(fed.pk)


def test_news_in_a_feed_lets_those_who_look_see_all_of_it(fed):
    later = timezone.now() + timedelta(hours=1)
    Pipeline.objects.update(builds_tried_at=timezone.now(), due_at=later)
    feeds.read_feed(fed.pk)
    now = timezone.now()
    shop = Pipeline.objects.get(name="acme/shop")
    assert builds.want([shop], now) == [shop.pk]


@pytest.mark.parametrize("fault", ["fail", "garbage", "html200"])
def test_a_feed_that_fails_loses_nothing_and_is_not_relied_on(fed, sandbox, fault):
    sandbox.instances[fed.provider].fault(fault)
    assert not feeds.read_feed(fed.pk)
    fed.refresh_from_db()
    assert fed.feed_read_at is None
    assert feeds.due(timezone.now()) == []
    assert feeds.due(timezone.now() + timedelta(minutes=6)) == [fed.pk]


def test_a_feed_that_does_not_reach_back_is_not_relied_on(fed, monkeypatch):
    monkeypatch.setattr(feeds, "LIMIT", 2)
    feeds.read_feed(fed.pk)
    Server.objects.update(feed_claimed_until=None)
    first = Server.objects.get().feed_read_at
    # All of the newest builds began after it was last read.
    Server.objects.update(feed_read_at=first - timedelta(days=365))
    assert feeds.read_feed(fed.pk)
    assert Server.objects.get().feed_read_at < first


def test_a_feed_as_long_as_the_vendor_gives_may_have_missed_some(fed, monkeypatch):
    monkeypatch.setattr(PROVIDERS[fed.provider], "feed_most", 2)
    feeds.read_feed(fed.pk)
    Server.objects.update(feed_claimed_until=None)
    first = Server.objects.get().feed_read_at
    Server.objects.update(feed_read_at=first - timedelta(days=365))
    assert feeds.read_feed(fed.pk)
    assert Server.objects.get().feed_read_at < first


def test_a_moving_build_in_a_feed_makes_its_pipeline_due_and_is_not_believed(fed, sandbox):
    handle = sandbox.instances[fed.provider]
    sandbox.speed = 1
    handle.pipeline("acme/shop", steps=[{"name": "Release?", "gate": True}, {"name": "Go"}])
    feeds.read_feed(fed.pk)
    later = timezone.now() + timedelta(hours=1)
    shop = Pipeline.objects.get(name="acme/shop")
    with sandbox.world.lock:
        handle.instance.start(handle.instance.pipelines["acme/shop"], Ask(branch="main"))
    Pipeline.objects.update(due_at=later)
    Server.objects.update(feed_claimed_until=None)
    assert feeds.read_feed(fed.pk)
    shop.refresh_from_db()
    assert shop.due_at < later
    assert not shop.builds.exclude(state__in=["passed", "failed"]).exists()


def test_a_feed_is_not_asked_for_while_people_look_at_all_it_could_tell(fed):
    now = timezone.now()
    Pipeline.objects.update(refresh_wanted_at=now)
    assert feeds.due(now) == []
    Pipeline.objects.filter(name="acme/cart").update(refresh_wanted_at=now - timedelta(hours=1))
    assert feeds.due(now) == [fed.pk]


def test_a_feed_is_rare_while_webhooks_are_alive(fed):
    now = timezone.now()
    Server.objects.update(hook_seen_at=now)
    feeds.read_feed(fed.pk)
    pause = Server.objects.get().feed_claimed_until - now
    by_server = PROVIDERS[fed.provider].hook_scope == "server"
    assert (pause > timedelta(minutes=4)) is by_server


def test_a_server_without_links_or_without_a_feed_is_not_asked(fed):
    make_server("jenkins", "jenkins")
    Pipeline.objects.all().delete()
    assert feeds.due(timezone.now()) == []
