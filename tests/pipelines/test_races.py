"""Workers and people that meet at one row: one of them wins, and the row tells which."""

import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from pipelines import budget, dispatch, outbox, settling
from pipelines.budget import Purpose
from pipelines.builds import attach, refresh
from pipelines.models import Build, Pipeline, Quota, Trigger
from pipelines.providers.base import Limit
from pipelines.reconcile import reconcile
from pipelines.servers import may_ask
from pipelines.triggers import request as ask_for
from portal.models import AuditEvent
from tests.pipelines.together import together
from tests.pipelines.world import (
    confirmed_link,
    link_to,
    make_build,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)


class DiedError(BaseException):
    """The worker ends here, and nothing of ours cleans up."""


@pytest.fixture
def link(sandbox, server_at):
    sandbox.buildkite.pipeline("acme/shop")
    pipeline = make_pipeline(server_at(sandbox.buildkite), "acme/shop")
    return confirmed_link(make_service("shop"), pipeline)


@pytest.fixture
def ana():
    return make_person("ana", "admin")


def ask(user, link, action="start", request_id=None, **fields):
    about = {"entity": link.entity, "pipeline": link.pipeline}
    return ask_for(user, action, **about, request_id=request_id or uuid.uuid4(), **fields)


def test_many_workers_send_once(link, ana, sandbox):
    trigger = ask(ana, link).trigger
    together(*[lambda: dispatch.dispatch(trigger.pk)] * 6)
    assert len(sandbox.buildkite.builds("acme/shop")) == 1


def test_one_form_sent_many_times_at_once_is_one_request(link, ana):
    key = uuid.uuid4()
    found = together(*[lambda: ask(ana, link, request_id=key).created] * 6)
    assert found.count(True) == 1
    assert Trigger.objects.count() == AuditEvent.objects.filter(action="build.start").count() == 1


def test_what_was_withdrawn_was_never_sent(link, ana, sandbox):
    for number in range(8):
        trigger = ask(ana, link).trigger
        sent = len(sandbox.accepted())

        def withdraw(trigger=trigger, number=number):
            time.sleep(number / 1000)
            return settling.withdraw(ana, Trigger.objects.get(pk=trigger.pk))

        together(lambda trigger=trigger: dispatch.dispatch(trigger.pk), withdraw)
        trigger.refresh_from_db()
        assert (trigger.state == "withdrawn") == (len(sandbox.accepted()) == sent)


def test_two_people_and_a_look_up_settle_to_what_the_server_has(link, ana, sandbox):
    sandbox.buildkite.fault("lose_answer", "write", times=1)
    trigger = ask(ana, link).trigger
    dispatch.dispatch(trigger.pk)
    Trigger.objects.update(not_before=timezone.now())
    uncertain = Trigger.objects.get(pk=trigger.pk)
    together(
        lambda: reconcile(trigger.pk),
        lambda: settling.did_not_run(ana, uncertain),
        lambda: settling.did_run(ana, uncertain, "1"),
    )
    Pipeline.objects.update(not_before=None, builds_tried_at=None)
    refresh(link.pipeline_id)
    trigger.refresh_from_db()
    assert trigger.state == "linked"
    assert Build.objects.get().trigger == trigger


def test_a_request_gets_one_of_many_builds():
    pipeline = make_pipeline(make_server(), "acme/shop")
    trigger = Trigger.objects.create(action="start", pipeline=pipeline, state="uncertain")
    builds = [make_build(pipeline, number) for number in range(6)]
    assert together(*[lambda b=build: attach(b, trigger) for build in builds]).count(True) == 1


def test_one_worker_tries_whether_a_server_is_back():
    now = timezone.now()
    server = make_server(failures=5, unreachable_since=now, not_before=now)
    assert together(*[lambda: may_ask(server, now)] * 8).count(True) == 1


def test_a_window_that_ends_is_opened_once():
    quota = budget.quotas_for(make_server(), [Limit("requests", 20, 60.0)])[0]
    now = timezone.now()
    Quota.objects.update(window_started_at=now - timedelta(minutes=2), used=20)

    def spend():
        return sum(budget._take(quota, Purpose.ACT, now) for _ in range(5))

    assert sum(together(*[spend] * 8)) == 20


@pytest.fixture(params=["promote", "retry", "activate"])
def asked(sandbox, server_at, ana, request):
    """A request for a write at Drone that was not sent yet."""
    make_environments()
    active = request.param != "activate"
    link = link_to(sandbox, server_at, "drone", active=active)
    Pipeline.objects.update(active=active)
    link.pipeline.refresh_from_db()
    fields = {"target": "production"} if request.param == "promote" else {}
    if active:
        dispatch.dispatch(ask(ana, link).trigger.pk)
        Build.objects.update(state="passed")
        fields["build"] = Build.objects.get()
    return ask(ana, link, request.param, **fields).trigger


def writes(sandbox):
    return sum(entry.method != "GET" for entry in sandbox.requests())


@pytest.mark.parametrize("point", ["after_claim", "after_answer", "before_record"])
def test_a_worker_that_dies_does_nothing_twice(asked, sandbox, monkeypatch, settings, point):
    def die(reached, key):
        if reached == point:
            raise DiedError

    settings.RECONCILE_SECONDS = 0
    before = writes(sandbox)
    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "reached", die)
        with pytest.raises(DiedError):
            dispatch.dispatch(asked.pk)
    Trigger.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    outbox.expire_leases(timezone.now())
    for _ in range(outbox.MAX_LOOKUPS):
        reconcile(asked.pk)
        dispatch.dispatch(asked.pk)
        Trigger.objects.update(not_before=timezone.now())
    asked.refresh_from_db()
    sent = point != "after_claim"
    assert asked.state == ("linked" if sent else "failed")
    assert writes(sandbox) - before == sent
    for event in AuditEvent.objects.filter(request_id=str(asked.request_id)):
        assert "Ana" in (event.actor, event.on_behalf_of)
        assert (event.data["entity"], event.data["environment"]) == (
            asked.entity.ref,
            "production",
        )
