"""A believed delivery is never more than a hint: it lets the vendor be asked, soon and seldom."""

from datetime import timedelta

import pytest
from celery import current_app
from django.utils import timezone

from pipelines import builds, tasks, webhooks
from pipelines.models import Build, Pipeline, Server
from pipelines.sandbox.objects import Ask
from portal.models import Delivery, Heartbeat
from tests.pipelines.bell import BUILD, SECRET_REF, SHOP, delivery, only, post, ring
from tests.pipelines.world import confirmed_link, make_pipeline, make_server, make_service

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def bell(monkeypatch):
    ring(monkeypatch)


@pytest.fixture
def server():
    return make_server("bell", "bell", webhook_secret_ref=SECRET_REF)


@pytest.fixture
def at_once():
    """What is enqueued runs here and now."""
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


@pytest.fixture
def shop(sandbox, server_at, at_once):
    """A linked pipeline whose server really answers."""
    sandbox.buildkite.pipeline(SHOP)
    live = server_at(sandbox.buildkite, webhook_secret_ref=SECRET_REF)
    Server.objects.filter(pk=live.pk).update(provider="bell", slug="bell")
    pipeline = make_pipeline(Server.objects.get(), SHOP)
    confirmed_link(make_service("shop"), pipeline)
    return pipeline


# --- What a hint causes ----------------------------------------------------------------------
def start(sandbox):
    """A build of the shop at the vendor."""
    handle = sandbox.buildkite
    with sandbox.world.lock:
        return handle.instance.start(handle.instance.pipelines[SHOP], Ask())


def reads(sandbox):
    """How often the shop's own builds were asked for."""
    return sum("/shop/builds" in entry.path for entry in sandbox.requests("buildkite", "builds"))


def test_a_delivery_lets_the_build_be_read_again(shop, sandbox):
    start(sandbox)
    sandbox.buildkite.finish(SHOP, 1, "passed")
    post(*delivery(BUILD))
    assert Build.objects.get().state == "passed"
    assert (only().status, only().event, bytes(only().body)) == ("done", "build.finished", b"")
    shop.refresh_from_db()
    assert shop.hook_seen_at is not None
    assert Server.objects.get().hook_seen_at is not None


def test_what_a_delivery_says_is_not_believed(shop, sandbox):
    """Signed, and a lie: the vendor itself says that the build failed."""
    start(sandbox)
    sandbox.buildkite.finish(SHOP, 1, "failed")
    post(*delivery({**BUILD, "state": "passed", "build": {"state": "passed", "number": 1}}))
    assert Build.objects.get().state == "failed"


def test_a_delivery_about_no_build_makes_none(shop, sandbox):
    post(*delivery({**BUILD, "build": "4711"}))
    assert not Build.objects.exists()


def test_many_deliveries_of_one_build_cost_few_readings(shop, sandbox):
    start(sandbox)
    for number in range(10):
        post(*delivery({**BUILD, "event": "build.updated"}, name=str(number)))
    assert Delivery.objects.filter(status="done").count() == 10
    assert 1 <= reads(sandbox) <= 2


def test_what_the_budget_puts_off_is_read_as_soon_as_it_allows(shop):
    current_app.conf.task_always_eager = False
    now = timezone.now()
    for seconds, soon in ((5, True), (50, False)):
        Pipeline.objects.update(not_before=now + timedelta(seconds=seconds))
        post(*delivery(BUILD, name=str(seconds)))
        waits = webhooks.process(Delivery.objects.get(delivery_id=str(seconds)).pk, now)
        assert waits == ({shop.pk: 5.0} if soon else {})


def test_what_came_while_it_was_read_leads_to_one_more_reading(shop, sandbox):
    post(*delivery(BUILD, name="first"))
    before = reads(sandbox)
    # As if a worker still read: what comes now may be missing from what it is told.
    Pipeline.objects.update(refresh_claimed_until=timezone.now() + timedelta(minutes=1))
    post(*delivery(BUILD, name="second"))
    assert reads(sandbox) == before
    Pipeline.objects.update(refresh_claimed_until=None, not_before=None)
    assert builds.due(timezone.now(), 10) == [shop.pk]
    tick()
    assert reads(sandbox) == before + 1
    tick()
    assert reads(sandbox) == before + 1


def tick():
    Heartbeat.objects.all().delete()
    Server.objects.update(pipelines_due_at=timezone.now() + timedelta(hours=1))
    tasks.tick.delay()


def test_a_pipeline_of_another_server_is_not_meant(server, at_once):
    other = make_pipeline(make_server("other", "bell"), SHOP)
    post(*delivery(BUILD))
    other.refresh_from_db()
    assert other.hook_seen_at is None
    assert only().reason == "It names no pipeline that Stagedoor knows."


def test_the_likeliest_known_candidate_is_meant(server):
    branch, project = make_pipeline(server, "shop/main"), make_pipeline(server, "shop")
    assert webhooks.match(server, ["shop", "shop/main"]) == {project.pk}
    assert webhooks.match(server, ["unknown", "shop/main", "shop"]) == {branch.pk}
    assert webhooks.match(server, ["unknown"]) == set()


def test_a_name_in_another_case_is_found_where_none_is_the_same(server):
    upper, lower = make_pipeline(server, "Acme/Shop"), make_pipeline(server, "acme/shop")
    assert webhooks.match(server, ["acme/shop"]) == {lower.pk}
    assert webhooks.match(server, ["ACME/SHOP"]) == {upper.pk, lower.pk}


def test_a_lost_task_is_made_up_for_by_the_tick(shop, sandbox):
    current_app.conf.task_always_eager = False  # the message goes to a broker that nobody reads
    start(sandbox)
    post(*delivery(BUILD))
    assert only().status == "waiting"
    current_app.conf.task_always_eager = True
    Delivery.objects.update(received_at=timezone.now() - timedelta(minutes=1))
    tick()
    assert only().status == "done"
    assert Build.objects.exists()


def test_a_broker_that_is_away_does_not_turn_a_delivery_down(server, settings, caplog):
    """Nothing can be written where its files belong."""
    folder = settings.DATA_DIR / "broker" / "queue"
    away = folder.rename(folder.with_name("away"))
    try:
        assert post(*delivery(BUILD)).status_code == 202
    finally:
        away.rename(folder)
    assert "Error calling" in caplog.text
    assert only().status == "waiting"


def test_a_delivery_to_a_server_that_was_switched_off_meanwhile_is_put_aside(server):
    post(*delivery(BUILD))
    Server.objects.update(enabled=False)
    assert webhooks.process(only().pk, timezone.now()) == {}
    assert only().status == "ignored"


@pytest.mark.parametrize(
    ("event", "soon"),
    [
        ("repo", True),
        ("repo:updated", True),
        ("repo.enabled", True),
        ("repo created", True),
        ("pipeline:renamed", True),
        ("repo:push", False),
        ("repo:commit_status_created", False),
        ("pipeline:span_created", False),
        ("job.activated", False),
        ("build.finished", False),
    ],
)
def test_events_about_the_list_let_it_be_read_soon(server, at_once, event, soon):
    make_pipeline(server, SHOP)
    due, read = timezone.now() + timedelta(minutes=9), timezone.now() - timedelta(minutes=2)
    Server.objects.update(pipelines_due_at=due, pipelines_read_at=read)
    post(*delivery({"event": event, "pipelines": [SHOP]}))
    assert (Server.objects.get().pipelines_due_at < due) is soon


def test_an_unknown_pipeline_lets_the_list_be_read_but_seldom(server, at_once):
    due, now = timezone.now() + timedelta(minutes=9), timezone.now()
    for minutes, soon in ((4, False), (6, True)):
        Server.objects.update(
            pipelines_due_at=due, pipelines_read_at=now - timedelta(minutes=minutes)
        )
        post(*delivery({"event": "build", "pipelines": ["acme/new"]}, name=str(minutes)))
        assert (Server.objects.get().pipelines_due_at < due) is soon
