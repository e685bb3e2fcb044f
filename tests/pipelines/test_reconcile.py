"""What became of a sent or uncertain trigger is found out, and nothing is ever sent again."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from pipelines import outbox
from pipelines.builds import record, refresh
from pipelines.dispatch import dispatch
from pipelines.models import Build, Trigger
from pipelines.providers.base import StartRequest, State
from pipelines.reconcile import STILL_WAITS, reconcile
from pipelines.servers import client_for
from pipelines.triggers import request
from portal.models import AuditEvent
from tests.pipelines.providers.conftest import until
from tests.pipelines.world import confirmed_link, make_person, make_pipeline, make_service

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ana():
    return make_person("ana", "deployer")


@pytest.fixture
def buildkite(sandbox, server_at):
    sandbox.buildkite.pipeline("acme/shop")
    pipeline = make_pipeline(server_at(sandbox.buildkite), "acme/shop")
    return confirmed_link(make_service("shop"), pipeline)


@pytest.fixture
def jenkins(sandbox, server_at):
    return make_jenkins(sandbox, server_at, labels=True)


@pytest.fixture
def blind(sandbox, server_at):
    """A Jenkins job that does not declare the request id, so no look-up is possible."""
    return make_jenkins(sandbox, server_at, labels=False)


def make_jenkins(sandbox, server_at, labels):
    sandbox.jenkins.pipeline("shop", labels=labels, queue_seconds=400)
    pipeline = make_pipeline(server_at(sandbox.jenkins), "shop", default_branch="")
    return confirmed_link(make_service("shop"), pipeline)


def sent(user, link, action="start", **fields):
    """A trigger that was asked for and sent."""
    request_id = uuid.uuid4()
    asked = {"entity": link.entity, "pipeline": link.pipeline, "request_id": request_id}
    trigger = request(user, action, **asked, **fields).trigger
    dispatch(trigger.pk)
    trigger.refresh_from_db()
    return trigger


def look(trigger):
    """Asks once, as if its time had come."""
    Trigger.objects.filter(pk=trigger.pk).update(not_before=timezone.now())
    reconcile(trigger.pk)
    trigger.refresh_from_db()
    return trigger.state


def posts(sandbox):
    return [entry for entry in sandbox.requests() if entry.method == "POST"]


# --- Sent, the build not known yet ------------------------------------------------------------
def test_a_queue_reference_is_followed_to_its_build(sandbox, jenkins, ana):
    trigger = sent(ana, jenkins)
    assert look(trigger) == "dispatched"
    assert trigger.not_before > timezone.now()
    sandbox.advance(20)
    assert look(trigger) == "linked"
    assert Build.objects.get().trigger == trigger
    assert len(posts(sandbox)) == 1


def test_reading_the_builds_finds_it_as_well(sandbox, jenkins, ana):
    trigger = sent(ana, jenkins)
    sandbox.advance(20)
    refresh(jenkins.pipeline.pk)
    trigger.refresh_from_db()
    assert trigger.state == "linked"


def test_one_that_was_cancelled_in_the_queue_is_a_cancelled_build(sandbox, jenkins, ana):
    trigger = sent(ana, jenkins)
    sandbox.jenkins.instance.queue[1].cancelled_at = sandbox.jenkins.instance.now()
    assert look(trigger) == "linked"
    assert Build.objects.get().state == "cancelled"


def test_one_that_the_queue_forgot_is_looked_up(sandbox, jenkins, ana):
    trigger = sent(ana, jenkins)
    sandbox.advance(20)
    sandbox.jenkins.builds("shop")
    sandbox.jenkins.instance.queue.clear()
    assert look(trigger) == "linked"
    assert Build.objects.get().number == 1


def test_one_that_is_nowhere_becomes_uncertain(sandbox, blind, ana):
    trigger = sent(ana, blind)
    sandbox.jenkins.instance.queue.clear()
    assert look(trigger) == "uncertain"
    assert trigger.message == "The server took it and no longer knows it."


def test_an_outage_while_following_changes_nothing(sandbox, jenkins, ana):
    trigger = sent(ana, jenkins)
    sandbox.stop()
    assert look(trigger) == "dispatched"
    assert "not reached" in trigger.message
    sandbox.start()
    sandbox.advance(20)
    assert look(trigger) == "linked"


def test_following_ends_after_a_day(sandbox, jenkins, ana):
    trigger = sent(ana, jenkins)
    Trigger.objects.update(sent_at=timezone.now() - timedelta(hours=25))
    assert look(trigger) == "uncertain"
    assert look(trigger) == "uncertain"
    assert trigger.message == "The server took it, but its build was never seen."


# --- Uncertain --------------------------------------------------------------------------------
@pytest.mark.parametrize("vendor", ["buildkite", "jenkins"])
def test_a_build_whose_answer_was_lost_is_found(sandbox, ana, vendor, request):
    link = request.getfixturevalue(vendor)
    getattr(sandbox, vendor).fault("lose_answer", "write", times=1)
    trigger = sent(ana, link)
    assert trigger.state == "uncertain"
    state = look(trigger)
    if vendor == "jenkins":
        assert state == "dispatched"
        assert trigger.receipt["queue_ref"] == "queue:1"
        sandbox.advance(20)
        state = look(trigger)
    assert state == "linked"
    assert Build.objects.get().trigger == trigger
    assert len(posts(sandbox)) == 1
    assert AuditEvent.objects.filter(action="trigger.found", outcome="ok").exists()


def test_one_that_was_not_started_fails_after_several_looks(sandbox, buildkite, ana):
    sandbox.buildkite.fault("drop", "write", times=1)
    trigger = sent(ana, buildkite)
    for look_number in range(1, outbox.MAX_LOOKUPS):
        assert look(trigger) == "uncertain"
        assert trigger.lookups == look_number
        pause = outbox.pause_before_lookup(look_number)
        assert trigger.not_before > timezone.now() + pause / 2
    assert look(trigger) == "failed"
    assert trigger.message.startswith("It was not started")
    assert trigger.finished_at
    assert sandbox.accepted() == []
    assert len(posts(sandbox)) == 1


def test_a_build_that_shows_up_after_all_is_its_build(sandbox, buildkite, ana):
    """The vendor was slower than every look: evidence outweighs the conclusion."""
    sandbox.buildkite.fault("lose_answer", "write", times=1)
    trigger = sent(ana, buildkite)
    Trigger.objects.update(state="failed")
    refresh(buildkite.pipeline.pk)
    trigger.refresh_from_db()
    assert trigger.state == "linked"
    assert Build.objects.get().trigger == trigger


def test_an_outage_is_no_answer(sandbox, buildkite, ana):
    sandbox.buildkite.fault("lose_answer", "write", times=1)
    trigger = sent(ana, buildkite)
    sandbox.stop()
    for _ in range(outbox.MAX_LOOKUPS + 1):
        assert look(trigger) == "uncertain"
    assert trigger.lookups == 0
    sandbox.start()
    assert look(trigger) == "linked"


def test_without_a_look_up_a_person_has_to_look(sandbox, blind, ana):
    sandbox.jenkins.fault("lose_answer", "write", times=1)
    trigger = sent(ana, blind)
    for _ in range(outbox.MAX_LOOKUPS + 1):
        assert look(trigger) == "uncertain"
    asked = len(sandbox.requests())
    look(trigger)
    assert len(sandbox.requests()) == asked
    assert len(posts(sandbox)) == 1


def test_two_workers_do_not_ask_at_once(sandbox, jenkins, ana):
    trigger = sent(ana, jenkins)
    now = timezone.now()
    Trigger.objects.update(not_before=now)
    assert outbox.claim_question(trigger.pk, now)
    assert outbox.claim_question(trigger.pk, now) is None


# --- Cancel -----------------------------------------------------------------------------------
def test_a_cancel_whose_answer_was_lost_shows_in_the_build(sandbox, buildkite, ana):
    sandbox.speed = 0.1
    sent(ana, buildkite)
    sandbox.buildkite.fault("lose_answer", "write", times=1)
    trigger = sent(ana, buildkite, "cancel", build=Build.objects.get())
    assert trigger.state == "uncertain"
    sandbox.advance(60)
    assert look(trigger) == "linked"
    assert Build.objects.get().state == "cancelled"


def test_a_cancel_of_what_passed_meanwhile_was_not_carried_out(sandbox, buildkite, ana):
    sandbox.speed = 0.001
    sent(ana, buildkite)
    sandbox.buildkite.fault("drop", "write", times=1)
    trigger = sent(ana, buildkite, "cancel", build=Build.objects.get())
    sandbox.buildkite.finish("acme/shop", 1, "passed")
    assert look(trigger) == "failed"
    assert trigger.message == "The build came to its end before: it is passed."


def test_a_cancel_that_did_not_arrive_is_left_to_a_person(sandbox, buildkite, ana):
    sandbox.speed = 0.001
    sent(ana, buildkite)
    sandbox.buildkite.fault("drop", "write", times=1)
    trigger = sent(ana, buildkite, "cancel", build=Build.objects.get())
    for _ in range(outbox.MAX_LOOKUPS):
        assert look(trigger) == "uncertain"
    assert "Cancel it again if that is still wanted" in trigger.message
    assert look(trigger) == "uncertain"


# --- A vendor's lasting no --------------------------------------------------------------------
def test_a_pipeline_that_is_gone_is_not_asked_about_for_ever(sandbox, buildkite, ana):
    sandbox.buildkite.fault("lose_answer", "write", times=1)
    trigger = sent(ana, buildkite)
    sandbox.buildkite.instance.pipelines.clear()
    for _ in range(outbox.MAX_LOOKUPS):
        assert look(trigger) == "uncertain"
    assert trigger.lookups == outbox.MAX_LOOKUPS
    assert trigger.message.startswith("Nobody can tell what became of it.")
    asked = len(sandbox.requests())
    look(trigger)
    assert len(sandbox.requests()) == asked


def test_a_sent_one_whose_pipeline_is_gone_is_left_to_a_person(sandbox, jenkins, ana):
    trigger = sent(ana, jenkins)
    assert trigger.state == "dispatched"
    sandbox.jenkins.instance.queue.clear()
    sandbox.jenkins.instance.pipelines.clear()
    for _ in range(outbox.MAX_LOOKUPS + 1):
        look(trigger)
    assert (trigger.state, trigger.lookups) == ("uncertain", outbox.MAX_LOOKUPS)


def test_a_credential_that_is_refused_for_a_while_ends_no_question(sandbox, buildkite, ana):
    sandbox.buildkite.fault("lose_answer", "write", times=1)
    trigger = sent(ana, buildkite)
    tokens = dict(sandbox.buildkite.instance.tokens)
    sandbox.buildkite.instance.tokens.clear()
    for _ in range(outbox.MAX_LOOKUPS + 1):
        assert look(trigger) == "uncertain"
    sandbox.buildkite.instance.tokens.update(tokens)
    assert look(trigger) == "linked"


# --- Unblock ----------------------------------------------------------------------------------
@pytest.fixture
def waiting(sandbox, buildkite):
    """A build that waits at a gate."""
    gate = {"name": "Deploy?", "gate": True}
    sandbox.buildkite.pipeline("acme/shop", steps=[gate, {"name": "Deploy"}])
    adapter = client_for(buildkite.pipeline.server)
    started = adapter.start(StartRequest("acme/shop", str(uuid.uuid4()), branch="main")).build
    until(lambda: adapter.get_build("acme/shop", started.external_id).state is State.WAITING)
    remote = adapter.get_build("acme/shop", started.external_id)
    build = record(buildkite.pipeline, remote, timezone.now())
    return build, adapter.gates("acme/shop", build.external_id)[0]


@pytest.mark.parametrize(
    ("fault", "state"),
    [("lose_answer", ("linked", "")), ("drop", ("failed", STILL_WAITS))],
)
def test_an_unblock_whose_answer_was_lost_shows_in_the_gate(
    sandbox, buildkite, waiting, fault, state
):
    build, gate = waiting
    ana = make_person("ana", "deployer")
    sandbox.buildkite.fault(fault, "write", times=1)
    trigger = sent(ana, buildkite, "unblock", build=build, gate=gate)
    assert trigger.state == "uncertain"
    for _ in range(outbox.MAX_LOOKUPS):
        look(trigger)
    assert (trigger.state, trigger.message) == state


def test_builds_from_before_it_was_sent_hide_nothing(sandbox, server_at, monkeypatch):
    """Jenkins lists 100 builds: those that were started while the request waited do not count."""
    monkeypatch.setattr("pipelines.providers.jenkins.reading.BUILDS_MAX", 2)
    sandbox.jenkins.pipeline("app", labels=True, history=2)
    pipeline = make_pipeline(server_at(sandbox.jenkins), "app")
    confirmed_link(make_service("shop"), pipeline)
    now = timezone.now()
    trigger = Trigger.objects.create(
        action="start",
        pipeline=pipeline,
        actor_name="Ana",
        state="uncertain",
        attempt=1,
        created_at=now - timedelta(days=30),
        not_before=now,
        claimed_until=now + timedelta(seconds=300),
    )
    reconcile(trigger.pk)
    trigger.refresh_from_db()
    assert (trigger.state, trigger.lookups) == ("uncertain", 1)
    assert "lists no older ones" not in trigger.message
