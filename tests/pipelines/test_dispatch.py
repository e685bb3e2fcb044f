"""A trigger is sent once, after a second decision; every way it can go wrong has a state."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from pipelines import outbox
from pipelines.builds import due
from pipelines.dispatch import GIVE_UP_AFTER, dispatch
from pipelines.models import Build, EnvironmentRule, Pipeline, Quota, Server, Trigger
from pipelines.triggers import request
from portal.http import HttpClient
from portal.models import AuditEvent, RoleMapping
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def buildkite(sandbox, server_at):
    """A link to a Buildkite pipeline that answers."""
    sandbox.buildkite.pipeline("acme/shop")
    pipeline = make_pipeline(
        server_at(sandbox.buildkite), "acme/shop", repository="https://git.example/shop.git"
    )
    return confirmed_link(make_service("shop"), pipeline)


@pytest.fixture
def jenkins(sandbox, server_at):
    """A link to a Jenkins job that declares our labels."""
    sandbox.jenkins.pipeline("shop", labels=True, queue_seconds=400)
    pipeline = make_pipeline(server_at(sandbox.jenkins), "shop", default_branch="")
    return confirmed_link(make_service("shop"), pipeline)


@pytest.fixture
def ana():
    return make_person("ana", "deployer")


def ask(user, link, action="start", **fields):
    outcome = request(
        user,
        action,
        entity=link.entity,
        pipeline=link.pipeline,
        request_id=uuid.uuid4(),
        **fields,
    )
    assert outcome.trigger, outcome
    return outcome.trigger


def send(trigger):
    dispatch(trigger.pk)
    trigger.refresh_from_db()
    return trigger.state


def trail():
    return list(AuditEvent.objects.order_by("pk").values_list("action", "outcome"))


# --- Sent -------------------------------------------------------------------------------------
def test_a_sent_trigger_knows_its_build(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    assert send(trigger) == "linked"
    build = Build.objects.get()
    assert (build.trigger, build.pipeline, build.number) == (trigger, buildkite.pipeline, 1)
    assert trigger.receipt["build"] == "1"
    assert trigger.attempt == 1
    assert trail() == [("build.start", "ok"), ("trigger.sent", "ok")]
    sent = AuditEvent.objects.get(action="trigger.sent")
    assert (sent.actor, sent.on_behalf_of) == ("Stagedoor", "Ana")


def test_the_build_carries_who_asked_and_for_what(sandbox, buildkite, ana):
    owner = make_service("owners", title="Checkout team")
    buildkite.entity.owner_ref = owner.ref
    buildkite.entity.save()
    trigger = ask(ana, buildkite)
    send(trigger)
    env = sandbox.buildkite.build("acme/shop", 1).env
    assert {name: value for name, value in env.items() if name.startswith("STAGEDOOR_")} == {
        "STAGEDOOR_REQUEST_ID": str(trigger.request_id),
        "STAGEDOOR_PERSON": "Ana",
        "STAGEDOOR_TEAM": "Checkout team",
        "STAGEDOOR_SERVICE": "component:default/shop",
        "STAGEDOOR_REPOSITORY": "https://git.example/shop.git",
    }


def test_a_queued_request_waits_for_its_build(sandbox, jenkins, ana):
    trigger = ask(ana, jenkins)
    assert send(trigger) == "dispatched"
    assert trigger.receipt == {"queue_ref": "queue:1", "build": ""}
    assert not Build.objects.exists()


def test_a_trigger_is_sent_once_however_often_it_is_offered(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    for _ in range(3):
        send(trigger)
    assert len(sandbox.accepted()) == 1


def test_many_workers_send_once(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)

    def work():
        dispatch(trigger.pk)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(sandbox.accepted()) == 1
    trigger.refresh_from_db()
    assert (trigger.state, trigger.attempt) == ("linked", 1)


def test_no_transaction_is_open_while_the_vendor_is_asked(sandbox, buildkite, ana, monkeypatch):
    seen = []
    ask_vendor = HttpClient.request

    def spy(self, *args, **kwargs):
        seen.append(connection.in_atomic_block)
        return ask_vendor(self, *args, **kwargs)

    monkeypatch.setattr(HttpClient, "request", spy)
    send(ask(ana, buildkite))
    assert seen
    assert not any(seen)


def test_inside_a_transaction_nothing_is_sent(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    with transaction.atomic():
        dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.state == "uncertain"
    assert sandbox.accepted() == []


# --- Decided again ----------------------------------------------------------------------------
def test_a_role_taken_away_meanwhile_denies(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    RoleMapping.objects.all().delete()
    assert send(trigger) == "denied"
    assert "may not start builds" in trigger.message
    assert trail()[-1] == ("trigger.refused", "denied")
    assert sandbox.requests() == []


def test_a_person_who_left_meanwhile_is_denied(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    ana.is_active = False
    ana.save()
    assert send(trigger) == "denied"
    trigger = Trigger.objects.get()
    ana.delete()
    Trigger.objects.update(state="queued")
    assert send(trigger) == "denied"
    assert sandbox.requests() == []


def test_a_link_taken_back_meanwhile_denies(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    buildkite.delete()
    assert send(trigger) == "denied"
    assert trigger.message == "acme/shop is not linked to shop."
    assert sandbox.requests() == []


def test_a_choice_that_was_withdrawn_meanwhile_is_not_sent(sandbox, buildkite, ana):
    pipeline = buildkite.pipeline
    region = {"name": "REGION", "type": "choice", "choices": ["eu", "us"], "default": "eu"}
    Pipeline.objects.filter(pk=pipeline.pk).update(parameters=[region])
    pipeline.refresh_from_db()
    trigger = ask(ana, buildkite, parameters={"REGION": "us"})
    Pipeline.objects.filter(pk=pipeline.pk).update(parameters=[{**region, "choices": ["eu"]}])
    assert send(trigger) == "denied"
    assert trigger.message == "The pipeline no longer takes what was asked for: REGION."
    assert sandbox.accepted() == []


# --- Not sent: again later --------------------------------------------------------------------
def test_a_server_that_is_down_is_tried_again_later(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    sandbox.stop()
    assert send(trigger) == "queued"
    assert "not reached" in trigger.message
    assert trigger.not_before > timezone.now()
    assert send(trigger) == "queued"
    assert trigger.attempt == 1
    sandbox.start()
    Trigger.objects.update(not_before=timezone.now())
    assert send(trigger) == "linked"
    assert trigger.message == ""


def test_a_rate_limit_is_waited_for(sandbox, buildkite, ana):
    sandbox.buildkite.fault("rate_limit", "write", times=1, seconds=50)
    trigger = ask(ana, buildkite)
    assert send(trigger) == "queued"
    assert trigger.not_before > timezone.now() + timedelta(seconds=40)


def test_after_an_hour_it_is_given_up(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    sandbox.stop()
    assert send(trigger) == "queued"
    an_hour_ago = timezone.now() - GIVE_UP_AFTER
    Trigger.objects.update(created_at=an_hour_ago, not_before=an_hour_ago)
    assert send(trigger) == "failed"
    assert trigger.message.startswith("Given up after an hour. Buildkite is not reached")
    assert trail()[-1] == ("trigger.failed", "failed")


def test_what_was_asked_for_long_ago_is_not_sent(sandbox, buildkite, ana):
    """No worker ran all night: nobody expects the deployment any more."""
    trigger = ask(ana, buildkite)
    Trigger.objects.update(created_at=timezone.now() - GIVE_UP_AFTER)
    assert send(trigger) == "failed"
    assert trigger.message == "Given up after an hour. It could not be sent before."
    assert sandbox.requests() == []
    assert trail()[-1] == ("trigger.failed", "failed")


def test_however_often_a_limit_refuses_it_the_trigger_keeps_its_turn(sandbox, buildkite, ana):
    sandbox.buildkite.fault("rate_limit", "write", seconds=50)
    trigger = ask(ana, buildkite)
    for _ in range(20):
        assert send(trigger) == "queued"
        assert trigger.not_before < timezone.now() + timedelta(seconds=90)
        Trigger.objects.update(not_before=timezone.now())
    sandbox.buildkite.clear_faults()
    Quota.objects.all().delete()
    assert send(trigger) == "linked"


def test_while_a_server_is_known_not_to_answer_nothing_is_tried(sandbox, buildkite, ana):
    trigger, now = ask(ana, buildkite), timezone.now()
    Server.objects.update(failures=3, unreachable_since=now, not_before=now)
    assert send(trigger) == "queued"
    assert "Unreachable since" in trigger.message
    assert sandbox.requests() == []
    Server.objects.update(failures=0, unreachable_since=None)
    Trigger.objects.update(not_before=now)
    assert send(trigger) == "linked"


def test_a_decision_that_fails_sends_nothing_and_is_made_again(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)

    def fail(execute, sql, params, many, context):
        if "portal_rolemapping" in sql:
            raise OperationalError("the database went away")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail), pytest.raises(OperationalError):
        dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.state == "queued"
    assert trigger.message == "Stagedoor failed to decide; see its log."
    assert sandbox.requests() == []
    Trigger.objects.update(not_before=timezone.now())
    assert send(trigger) == "linked"


def test_a_sender_that_took_too_long_does_not_send(sandbox, buildkite, ana, settings):
    """Its lease is over, so that a look-up may have told by now that nothing was started."""
    trigger = ask(ana, buildkite)
    lease, settings.DISPATCH_LEASE_SECONDS = settings.DISPATCH_LEASE_SECONDS, 0
    assert send(trigger) == "queued"
    assert sandbox.accepted() == []
    settings.DISPATCH_LEASE_SECONDS = lease
    Trigger.objects.update(not_before=timezone.now())
    assert send(trigger) == "linked"
    assert len(sandbox.accepted()) == 1


# --- Refused: never again ---------------------------------------------------------------------
def test_what_the_vendor_refuses_has_failed(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    sandbox.buildkite.instance.tokens.clear()
    assert send(trigger) == "failed"
    assert "credential" in trigger.message
    assert sandbox.buildkite.token not in trigger.message
    assert send(trigger) == "failed"
    assert trigger.attempt == 1


def test_a_credential_that_is_missing_has_failed(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    buildkite.pipeline.server.credential_ref = "env:STAGEDOOR_CREDENTIAL_NONE"
    buildkite.pipeline.server.save()
    assert send(trigger) == "failed"
    assert "this environment variable is not set" in trigger.message


# --- Nobody knows -----------------------------------------------------------------------------
@pytest.mark.parametrize("fault", ["lose_answer", "truncate", "fail", "html200", "garbage"])
def test_a_lost_answer_is_uncertain_and_never_sent_again(sandbox, buildkite, ana, fault):
    sandbox.buildkite.fault(fault, "write", times=1)
    trigger = ask(ana, buildkite)
    assert send(trigger) == "uncertain"
    assert trigger.message
    assert trail()[-1] == ("trigger.uncertain", "failed")
    Trigger.objects.update(not_before=timezone.now())
    assert send(trigger) == "uncertain"
    posts = [entry for entry in sandbox.requests() if entry.method == "POST"]
    assert len(posts) == 1


def test_a_worker_that_died_leaves_an_uncertain_trigger(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    assert outbox.claim(trigger.pk, timezone.now())
    assert outbox.expire_leases(timezone.now()) == []
    later = timezone.now() + timedelta(hours=1)
    assert outbox.expire_leases(later) == [trigger.pk]
    assert outbox.expire_leases(later) == []
    assert send(trigger) == "uncertain"
    assert sandbox.requests() == []


def test_an_answer_that_comes_after_the_lease_counts(sandbox, buildkite, ana, monkeypatch):
    """The worker was only slow: the sweep thought it dead while it waited for the vendor."""
    trigger = ask(ana, buildkite)
    ask_vendor = HttpClient.request

    def slow(self, *args, **kwargs):
        outbox.expire_leases(timezone.now() + timedelta(hours=1))
        return ask_vendor(self, *args, **kwargs)

    monkeypatch.setattr(HttpClient, "request", slow)
    assert send(trigger) == "linked"
    assert Build.objects.get().trigger == trigger


# --- Cancel and retry -------------------------------------------------------------------------
def test_a_cancel_stops_the_build(sandbox, buildkite, ana):
    sandbox.speed = 0.1
    send(ask(ana, buildkite))
    build = Build.objects.get()
    trigger = ask(ana, buildkite, "cancel", build=build)
    assert send(trigger) == "linked"
    assert sandbox.buildkite.state("acme/shop", 1) in {"cancelling", "cancelled"}


def test_a_retry_is_a_new_build_under_the_new_request_id(sandbox, buildkite, ana):
    send(ask(ana, buildkite))
    sandbox.buildkite.finish("acme/shop", 1, "failed")
    Build.objects.update(state="failed")
    trigger = ask(ana, buildkite, "retry", build=Build.objects.get())
    assert send(trigger) == "linked"
    again = Build.objects.get(trigger=trigger)
    assert (again.number, Build.objects.count()) == (2, 2)
    ids = [entry.request_id for entry in sandbox.accepted()]
    assert ids[1] == str(trigger.request_id) != ids[0]


def test_after_a_write_its_pipeline_is_due_to_be_read(sandbox, buildkite, ana):
    Pipeline.objects.update(builds_tried_at=timezone.now())
    send(ask(ana, buildkite))
    assert Pipeline.objects.get().builds_tried_at is None
    assert due(timezone.now(), 10) == [buildkite.pipeline.pk]


def test_an_event_tells_whom_and_what_it_is_about(sandbox, buildkite, ana):
    trigger = ask(ana, buildkite)
    send(trigger)
    event = AuditEvent.objects.get(action="trigger.sent")
    assert (event.on_behalf_of, event.target) == ("Ana", "buildkite:acme/shop")
    assert event.request_id == str(trigger.request_id)
    assert {"team", "entity", "environment", "action"} <= set(event.data)


def test_a_refusal_tells_the_environment_that_it_was_refused_for(buildkite, ana):
    staging, production = make_environments()
    EnvironmentRule.objects.create(order=20, environment=staging)
    RoleMapping.objects.update(environment="staging")
    trigger = ask(ana, buildkite)
    EnvironmentRule.objects.filter(order=20).update(environment=production)
    assert send(trigger) == "denied"
    event = AuditEvent.objects.get(action="trigger.refused")
    assert event.data["environment"] == "production"
