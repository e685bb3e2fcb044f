"""Who is told of what waits for approval and what became of it, by a real mail server and a real
webhook."""

import json
from datetime import timedelta

import pytest
from celery import current_app
from celery.exceptions import Retry
from django.utils import timezone

from pipelines import approvals, notices, tasks
from pipelines.addresses import MAX_TOLD
from pipelines.models import Environment, Incident, Server, Trigger
from portal.models import Heartbeat, Role, RoleMapping, UserLink
from portal.notify import NotSent, post_slack
from tests.httpd import reply, serve
from tests.pipelines.four_eyes import approve, asked, make_guarded
from tests.pipelines.world import (
    confirmed_link,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)
from tests.smtp import smtp_server, use

pytestmark = pytest.mark.django_db


@pytest.fixture
def box(settings):
    with smtp_server() as box:
        use(settings, box)
        settings.PORTAL_URL = "https://portal.example"
        yield box


@pytest.fixture
def link():
    make_guarded()
    return confirmed_link(
        make_service("shop", title="Shop"), make_pipeline(make_server(), "acme/shop")
    )


def person(name, role="deployer", address=None):
    user = make_person(name, role)
    user.email = f"{name}@shop.example" if address is None else address
    user.save()
    return user


@pytest.fixture
def ana():
    return person("ana")


@pytest.fixture
def ben():
    return person("ben")


def tell(now=None):
    """As the tick and its workers do it."""
    now = now or timezone.now()
    for pk in notices.due(now):
        for message in notices.tell(pk, now):
            tasks.send(message.address, message.subject, message.text)


def told(box):
    """Whom, since the last look."""
    found = sorted(address for envelope in box.envelopes for address in envelope)
    box.envelopes.clear()
    return found


def test_those_who_may_approve_are_told_once(box, link, ana, ben):
    person("vera", "viewer")
    person("nomail", address="")
    person("gone").__class__.objects.filter(username="gone").update(is_active=False)
    trigger = asked(ana, link, parameters={"SECRET": "hunter2"})
    tell()
    tell()
    assert told(box) == ["ben@shop.example"]
    message = box.messages[0]
    text = message.get_content()
    assert (
        message["Subject"] == "Waiting for approval: Ana asks to start acme/shop of Shop in Prod"
        "uction"
    )
    assert f"https://portal.example/triggers/{trigger.request_id}/" in text
    assert "hunter2" not in text


def test_one_address_gets_one_message_and_at_most_so_many_people(box, link, ana):
    for number in range(MAX_TOLD + 3):
        person(f"p{number}")
    person("same1", address="Team@shop.example")
    person("same2", address="team@SHOP.example")
    asked(ana, link)
    tell()
    assert len(told(box)) == MAX_TOLD


def test_members_of_a_catalog_team_are_told(box, link, ana):
    user = person("tom", "")
    UserLink.objects.create(user=user, user_ref="user:default/tom", how="admin")
    service = link.entity
    source = service.source
    source.trusted_for_org = True
    source.save()
    team = make_service("payments", kind="Group")
    team.ref = "group:default/payments"
    team.save()
    team.memberships.create(user_ref="user:default/tom", origin=source)
    team.descendants.create(descendant=team, depth=0)
    deployer = Role.objects.get(slug="deployer")
    RoleMapping.objects.create(group="team:group:default/payments", role=deployer)
    asked(ana, link)
    tell()
    assert told(box) == ["tom@shop.example"]


def test_they_are_reminded_once_before_it_expires(box, link, ana, ben):
    trigger = asked(ana, link)
    now = timezone.now()
    tell(now)
    told(box)
    tell(trigger.approve_by - timedelta(hours=2))
    assert told(box) == []
    for _ in range(2):
        tell(trigger.approve_by - timedelta(minutes=59))
    assert told(box) == ["ben@shop.example"]
    assert box.messages[-1]["Subject"].startswith("Still waiting for approval")


def test_a_short_wait_is_halved_before_anybody_is_reminded(box, link, ana, ben):
    Environment.objects.update(approval_minutes=30)
    trigger = asked(ana, link)
    tell()
    told(box)
    tell(trigger.approve_by - timedelta(minutes=16))
    assert told(box) == []
    tell(trigger.approve_by - timedelta(minutes=14))
    assert told(box) == ["ben@shop.example"]


def test_who_has_said_something_is_not_asked_again(box, link, ana, ben):
    Environment.objects.update(approvals=2)
    person("cleo")
    trigger = asked(ana, link)
    tell()
    approve(ben, trigger)
    told(box)
    tell(trigger.approve_by - timedelta(minutes=5))
    assert told(box) == ["cleo@shop.example"]


def test_who_asked_is_told_of_the_result(box, link, ana, ben):
    first, second, third, fourth = (asked(ana, link) for _ in range(4))
    tell()
    told(box)
    approve(ben, first)
    approve(ben, second, "refuse", "Not on a Friday.")
    Trigger.objects.filter(pk=third.pk).update(approve_by=timezone.now())
    approvals.expire(timezone.now())
    Trigger.objects.filter(pk=fourth.pk).update(state="withdrawn")
    before = len(box.messages)
    tell()
    tell()
    assert told(box) == ["ana@shop.example"] * 3
    subjects = sorted(message["Subject"] for message in box.messages[before:])
    what = "Your request to start acme/shop of Shop in Production"
    assert subjects == [
        f"{what} expired",
        f"{what} was approved by Ben",
        f"{what} was refused",
    ]
    assert "Not on a Friday." in "".join(m.get_content() for m in box.messages[before:])


def test_nothing_is_done_where_no_channel_is_set(link, ana, ben, settings):
    settings.EMAIL_HOST = settings.SLACK_WEBHOOK = ""
    asked(ana, link)
    assert notices.due(timezone.now()) == []
    assert notices.incidents_due() == []


def test_the_owners_are_told_of_an_incident_once(box, link, ana):
    source = link.entity.source
    source.trusted_for_org = True
    source.save()
    team = make_service("payments", kind="Group")
    team.ref = "group:default/payments"
    team.document = {"spec": {"profile": {"email": "payments@shop.example"}}}
    team.save()
    link.entity.owner_ref = team.ref
    link.entity.save()
    trigger = asked(ana, link)
    incident = Incident.objects.create(trigger=trigger, kind="other-commit", what="Another commit.")
    assert notices.incidents_due() == [incident.pk]
    for _ in range(2):
        for message in notices.tell_of_incident(incident.pk, timezone.now()):
            tasks.send(message.address, message.subject, message.text)
    assert told(box) == ["payments@shop.example"]
    assert notices.incidents_due() == []


# --- Slack ------------------------------------------------------------------------------------
@pytest.fixture
def channel(settings):
    """An incoming webhook that keeps what is posted."""
    with serve(reply(200, "ok")) as httpd:
        settings.SLACK_WEBHOOK = f"{httpd.url}/services/T0/B0/secret"
        settings.OUTGOING_ALLOW = ["127.0.0.1"]
        yield httpd


def test_the_channel_hears_of_a_request_with_a_link_and_no_more(channel, link, ana, ben):
    trigger = asked(ana, link, parameters={"SECRET": "hunter2"})
    Trigger.objects.update(actor_name="<!channel> & Co")
    tell()
    (posted,) = channel.asked
    body = json.loads(posted.body)
    assert posted.path == "/services/T0/B0/secret"
    assert body["text"].startswith("&lt;!channel&gt; &amp; Co asks to start acme/shop of Shop")
    assert f"/triggers/{trigger.request_id}/" in body["text"]
    assert "hunter2" not in body["text"]


@pytest.mark.parametrize(("status", "final"), [(404, True), (429, False), (503, False)])
def test_a_webhook_that_refuses_is_said_without_its_address(channel, status, final):
    channel.behaviour = reply(status, "no")
    with pytest.raises(NotSent) as failed:
        post_slack("x")
    assert failed.value.final is final
    assert "secret" not in str(failed.value)


# --- By the tick ------------------------------------------------------------------------------
@pytest.fixture
def at_once():
    """What is enqueued runs here and now."""
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


def tick():
    Heartbeat.objects.all().delete()
    tasks.tick.delay()


def test_the_tick_tells_expires_and_lets_go(box, at_once, link, ana, ben):
    Server.objects.update(enabled=False)
    trigger, late = asked(ana, link), asked(ana, link)
    tick()
    assert told(box) == ["ben@shop.example"] * 2
    Trigger.objects.filter(pk=late.pk).update(approve_by=timezone.now())
    # As if the worker that counted last had died before it let the request go.
    approve(ben, trigger)
    Trigger.objects.filter(pk=trigger.pk).update(state="awaiting")
    tick()
    states = dict(Trigger.objects.values_list("pk", "state"))
    assert (states[late.pk], states[trigger.pk]) == ("expired", "queued")
    assert told(box) == ["ana@shop.example"] * 2


def test_a_mail_server_that_stumbles_is_asked_again(box, at_once):
    box.answer = "451 later"
    with pytest.raises(Retry):
        tasks.send("ana@shop.example", "x", "y")
    box.answer = "554 never"
    box.address_answer = "550 nobody here"
    tasks.send("ana@shop.example", "x", "y")
    assert box.messages == []
