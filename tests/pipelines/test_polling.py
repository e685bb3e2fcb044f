"""How often a pipeline is read."""

from datetime import timedelta

import pytest
from django.utils import timezone

from pipelines import builds, polling
from pipelines.budget import Purpose
from pipelines.models import Pipeline, Server, Trigger
from pipelines.polling import hooks_alive, pause_for_budget, pause_for_news
from pipelines.providers.base import HookScope, RemoteBuild, State
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_pipeline,
    make_server,
    make_service,
)

NOW = timezone.now()
MOMENT = timedelta(0)


def readings(cost, seconds, eager=0.0):
    """When requests go out, if a pipeline is read as soon as its budget allows."""
    sent, at = [], 0.0
    while at < seconds:
        sent += [at] * cost
        at += max(pause_for_budget(sent, cost, at), eager, 0.01)
    return sent


@pytest.mark.parametrize("cost", [1, 2, 3, 6])
def test_no_minute_has_more_requests_than_the_budget(cost):
    sent = readings(cost, 1800)
    assert max(sum(at <= other < at + 60 for other in sent) for at in sent) <= polling.PER_MINUTE


def test_a_hint_after_one_reading_is_followed_at_once_and_bursts_are_spread():
    assert pause_for_budget([100.0], 1, 100.0) == 0
    sent = readings(1, 60)
    assert sent[1] < 1
    assert sent[3] < 15
    assert len(sent) == 6


def test_readings_that_cost_two_requests_reach_into_the_minute():
    """A build of half a minute is seen to end, though its vendor needs two requests to tell."""
    assert sorted(set(readings(2, 59))) == [0, 8, 32]


def test_a_reading_that_costs_more_than_a_minutes_budget_waits_for_a_whole_one():
    assert pause_for_budget([100.0] * 9, 9, 100.0) == 60


@pytest.mark.parametrize(
    ("states", "unchanged", "alive", "seconds"),
    [
        ([State.RUNNING], 5, False, 10),
        ([State.RUNNING], 300, False, 30),
        ([State.RUNNING], 9000, False, 60),
        ([State.PASSED], 5, False, 15),
        ([State.PASSED], 900, False, 90),
        ([State.PASSED, State.FAILED], 90000, False, 180),
        ([], 90000, False, 180),
        ([State.UNKNOWN], 5, False, 15),
        # With webhooks alive only the slow reading is left, but for what they do not tell.
        ([State.PASSED], 5, True, 600),
        ([State.RUNNING, State.PASSED], 5, True, 120),
        ([State.WAITING], 5, True, 10),
        ([State.WAITING, State.RUNNING], 90000, True, 60),
    ],
)
def test_the_pause_follows_what_happens(states, unchanged, alive, seconds):
    pause = pause_for_news(states, timedelta(seconds=unchanged), alive)
    assert pause == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("scope", "server_ago", "pipeline_ago", "alive"),
    [
        ("", 1, 1, False),
        ("server", 1, None, True),
        ("server", 120, None, False),
        ("server", None, 1, False),
        ("pipeline", 1, None, False),
        ("pipeline", None, 1, True),
        ("pipeline", 1, 120, False),
    ],
)
def test_webhooks_are_alive_as_far_as_they_reach(scope, server_ago, pipeline_ago, alive):
    def ago(minutes):
        return None if minutes is None else NOW - timedelta(minutes=minutes)

    pipeline = Pipeline(server=Server(hook_seen_at=ago(server_ago)), hook_seen_at=ago(pipeline_ago))
    assert hooks_alive(pipeline, HookScope(scope), news=False, now=NOW) is alive


def test_news_that_no_delivery_announced_says_that_webhooks_are_dead():
    seen, read = NOW - timedelta(minutes=10), NOW - timedelta(minutes=5)
    pipeline = Pipeline(server=Server(hook_seen_at=NOW), hook_seen_at=seen, builds_read_at=read)
    assert hooks_alive(pipeline, HookScope.SERVER, news=False, now=NOW)
    assert not hooks_alive(pipeline, HookScope.SERVER, news=True, now=NOW)
    pipeline.hook_seen_at = NOW
    assert hooks_alive(pipeline, HookScope.SERVER, news=True, now=NOW)


def test_a_vendors_clock_that_is_ahead_counts_as_news():
    ahead = RemoteBuild("a", "1", State.PASSED, "passed", queued_at=NOW + timedelta(hours=3))
    assert polling.unchanged_for([ahead], NOW) == MOMENT
    assert polling.unchanged_for([], NOW) == polling.LONGEST_QUIET


# --- Through builds ---------------------------------------------------------------------------
@pytest.fixture
def live(sandbox, server_at):
    sandbox.buildkite.pipeline("acme/shop", history=3)
    pipeline = make_pipeline(server_at(sandbox.buildkite), "acme/shop")
    confirmed_link(make_service("shop"), pipeline)
    return pipeline


@pytest.mark.django_db
def test_a_pipeline_is_asked_at_most_six_times_a_minute_whoever_asks(live, sandbox):
    """Viewers, ticks and hints together, as fast as they come."""
    for _ in range(200):
        now = timezone.now()
        builds.hint([live.pk], now)
        for pk in {*builds.want([live], now), *builds.due(now, 20)}:
            builds.refresh(pk)
        # As if two seconds had passed.
        live.refresh_from_db()
        times = {"builds_tried_at", "not_before", "due_at", "refresh_wanted_at", "hook_seen_at"}
        earlier = {name: getattr(live, name) - timedelta(seconds=2) for name in times}
        Pipeline.objects.update(**earlier, asked_at=[at - 2 for at in live.asked_at])
    assert 25 <= len(sandbox.requests()) <= 40  # in 400 seconds


@pytest.mark.django_db
def test_who_looks_pays_for_a_reading_else_a_hint_else_nobody(live):
    now = timezone.now()
    assert builds._purpose(live, now) is Purpose.SWEEP
    live.builds_tried_at, live.hook_seen_at = now - timedelta(minutes=1), now
    assert builds._purpose(live, now) is Purpose.HINT
    live.refresh_wanted_at = now
    assert builds._purpose(live, now) is Purpose.WATCH


@pytest.mark.django_db
def test_an_open_trigger_is_followed_closely(live):
    builds.refresh(live.pk)
    later = timezone.now() + timedelta(seconds=2)
    assert builds.want([live], later) == []
    Pipeline.objects.update(refresh_wanted_at=None)
    Trigger.objects.create(pipeline=live, action="start", actor_name="Ana", state="dispatched")
    assert builds.want([live], later) == [live.pk]


@pytest.mark.django_db
def test_a_budget_that_is_spent_leaves_the_pipeline_as_due_as_before(live, sandbox, monkeypatch):
    monkeypatch.setattr("pipelines.budget._take", lambda *args: False)
    assert not builds.refresh(live.pk)
    live.refresh_from_db()
    assert (live.builds_tried_at, live.builds_error, live.refresh_claimed_until) == (None, "", None)
    server = Server.objects.get()
    assert (server.failures, server.not_before, server.last_error) == (0, None, "")
    assert sandbox.requests() == []


@pytest.mark.django_db
def test_a_pipeline_with_a_build_under_way_is_read_sooner_though_nobody_looks(live):
    now = timezone.now()
    other = make_pipeline(live.server, "acme/quiet")
    confirmed_link(make_service("quiet"), other)
    Pipeline.objects.update(builds_tried_at=now - timedelta(minutes=3))
    make_build(live, 1, "running", observed_at=now - timedelta(minutes=3))
    make_build(other, 1, "passed", observed_at=now - timedelta(minutes=3))
    assert builds.due(now, 10) == [live.pk]
    later = now + timedelta(minutes=8)
    Pipeline.objects.filter(pk=live.pk).update(builds_tried_at=later)
    assert builds.due(later, 10) == [other.pk]


@pytest.mark.django_db
def test_what_a_feed_covers_is_read_seldom():
    now = timezone.now()
    pipeline = make_pipeline(make_server(), "acme/shop", builds_tried_at=now - timedelta(hours=1))
    confirmed_link(make_service("shop"), pipeline)
    assert builds.due(now, 10) == [pipeline.pk]
    Server.objects.update(feed_read_at=now)
    assert builds.due(now, 10) == []
    assert builds.due(now + polling.FED, 10) == [pipeline.pk]  # the feed is dead


@pytest.mark.django_db
def test_a_server_with_many_pipelines_leaves_room_for_the_others():
    for name in ("a", "b", "c"):
        server = make_server(name, "jenkins")
        for number in range(6):
            service = make_service(f"{name}{number}")
            confirmed_link(service, make_pipeline(server, f"{name}/{number}"))
    ids = builds.due(NOW, 4)
    found = Pipeline.objects.filter(pk__in=ids).values_list("server__slug", flat=True)
    assert sorted(found) == ["a", "a", "b", "c"]


@pytest.mark.django_db
def test_what_is_looked_at_leaves_room_for_what_is_not():
    server = make_server(provider="jenkins")
    for number in range(8):
        pipeline = make_pipeline(server, f"seen/{number}", refresh_wanted_at=NOW)
        confirmed_link(make_service(f"seen{number}"), pipeline)
    unseen = make_pipeline(server, "unseen", builds_tried_at=NOW - 2 * polling.SLOW)
    confirmed_link(make_service("unseen"), unseen)
    Pipeline.objects.exclude(pk=unseen.pk).update(builds_tried_at=NOW - 3 * polling.SLOW)
    ids = builds.due(NOW, 8)
    assert unseen.pk in ids
    assert len(ids) == 9
