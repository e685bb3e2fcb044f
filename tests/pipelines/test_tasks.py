"""The tick offers what is due, once a message was lost or a worker died; tasks do it."""

import uuid
from datetime import timedelta

import pytest
from celery import current_app
from django.utils import timezone

from pipelines import tasks
from pipelines.linking import link_entities
from pipelines.models import Build, LinkProblem, Pipeline, PipelineLink, Server, Trigger
from pipelines.triggers import request
from portal import hooks
from portal.models import Heartbeat
from tests.pipelines.world import (
    BUILDKITE_KEY,
    confirmed_link,
    make_person,
    make_pipeline,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def at_once():
    """What is enqueued runs here and now."""
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


@pytest.fixture
def link(sandbox, server_at):
    sandbox.buildkite.pipeline("acme/shop")
    server = server_at(sandbox.buildkite, options={"organizations": ["acme"]})
    service = make_service("shop", {BUILDKITE_KEY: "acme/shop"})
    return confirmed_link(service, make_pipeline(server, "acme/shop"))


def ask(link):
    return request(
        make_person("ana", "deployer"),
        "start",
        entity=link.entity,
        pipeline=link.pipeline,
        request_id=uuid.uuid4(),
    ).trigger


def tick():
    """As beat sends it, a period after the last."""
    Heartbeat.objects.all().delete()
    tasks.tick.delay()


def state_of(trigger):
    return Trigger.objects.values_list("state", flat=True).get(pk=trigger.pk)


def test_a_tick_sends_what_no_message_told_of(link):
    trigger = ask(link)
    tick()
    assert state_of(trigger) == "linked"


def test_of_many_ticks_that_waited_one_offers(link, sandbox):
    tick()
    trigger = ask(link)
    tasks.tick.delay()
    assert state_of(trigger) == "queued"
    Heartbeat.objects.update(seen_at=timezone.now() - timedelta(seconds=60))
    tasks.tick.delay()
    assert state_of(trigger) == "linked"


def test_a_clock_that_was_set_back_does_not_stop_the_schedule(link):
    tick()
    trigger = ask(link)
    Heartbeat.objects.update(seen_at=timezone.now() + timedelta(hours=1))
    tasks.tick.delay()
    assert state_of(trigger) == "linked"


def test_a_tick_takes_up_what_a_dead_worker_left(link, sandbox):
    trigger = ask(link)
    Trigger.objects.update(state="dispatching", attempt=1, claimed_until=timezone.now())
    tick()
    assert state_of(trigger) == "uncertain"
    assert sandbox.accepted() == []


def test_a_tick_reads_pipelines_and_builds_that_are_due(link):
    Pipeline.objects.all().delete()
    Server.objects.update(pipelines_read_at=None)
    tick()
    assert Pipeline.objects.get().external_id == "acme/shop"
    assert PipelineLink.objects.get().entity.name == "shop"
    assert Pipeline.objects.get().builds_read_at


def test_a_tick_leaves_alone_what_is_not_due(link, sandbox):
    tick()
    asked = len(sandbox.requests())
    trigger = ask(link)
    Trigger.objects.update(not_before=timezone.now() + timedelta(seconds=30))
    tick()
    assert state_of(trigger) == "queued"
    assert len(sandbox.requests()) == asked


def test_each_task_is_one_function_with_an_id(link, sandbox):
    trigger = ask(link)
    sandbox.buildkite.fault("lose_answer", "write", times=1)
    tasks.dispatch.delay(trigger.pk)
    assert state_of(trigger) == "uncertain"
    Trigger.objects.update(not_before=timezone.now())
    tasks.reconcile.delay(trigger.pk)
    assert state_of(trigger) == "linked"
    Build.objects.all().delete()
    tasks.refresh.delay(link.pipeline.pk)
    assert Build.objects.count() == 1
    tasks.discover.delay(link.pipeline.server.pk)
    assert PipelineLink.objects.count() == 1


def test_a_change_in_the_catalog_links_anew(link):
    stale = make_service("stale", {BUILDKITE_KEY: "acme/shpo"})
    hooks.catalog_changed.call({stale.pk})
    assert LinkProblem.objects.get().entity == stale
    link_entities([stale.pk])
    assert LinkProblem.objects.count() == 1
