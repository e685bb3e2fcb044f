"""A token asks for no more than it was made for, now and when it is sent, and ends with it."""

import uuid
from datetime import timedelta

import pytest
from django.test import RequestFactory
from django.utils import timezone

from pipelines import ended_tokens, notices
from pipelines.dispatch import dispatch
from pipelines.models import BrokenGlass, Trigger
from pipelines.settling import may_withdraw
from pipelines.triggers import request
from portal.api_tokens import caller_by, create, revoke
from portal.models import ApiToken, AuditEvent
from tests.pipelines.four_eyes import COMMIT, approve, make_guarded, make_link
from tests.pipelines.world import make_person

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = RequestFactory().get("/")
ENOUGH = ("build.view", "build.start")


@pytest.fixture
def link(sandbox, server_at):
    return make_link(sandbox, server_at)


@pytest.fixture
def ana():
    return make_person("ana", "deployer")


def token(user, permissions=ENOUGH, agent="Claude"):
    end = timezone.now() + timedelta(days=1)
    row, secret = create(user, "robot", permissions, end, PAGE, agent=agent)
    return row, caller_by(f"Bearer {secret}")


def ask(asker, link, action="start", **fields):
    about = {"entity": link.entity, "pipeline": link.pipeline, "request_id": uuid.uuid4()}
    return request(asker, action, **{**about, "commit": COMMIT, **fields})


def sent(sandbox):
    return len(sandbox.buildkite.instance.pipelines["acme/shop"].builds)


def settled(trigger):
    dispatch(trigger.pk)
    return Trigger.objects.get(pk=trigger.pk)


def test_an_agents_request_names_both(ana, link):
    row, claude = token(ana)
    trigger = ask(claude, link).trigger
    assert (trigger.actor, trigger.agent, trigger.token) == (ana, "Claude", row)
    assert trigger.asked_by == "Claude (agent) for Ana"
    event = AuditEvent.objects.get(action="build.start")
    assert (event.actor_id, event.actor, event.on_behalf_of) == (ana.pk, "Claude (agent)", "Ana")


def test_it_is_sent_with_what_the_token_may_then(ana, link):
    trigger = settled(ask(token(ana)[1], link).trigger)
    assert trigger.state == "linked", trigger.message
    assert AuditEvent.objects.get(action="trigger.sent").on_behalf_of == "Claude (agent) for Ana"


def test_a_token_asks_for_no_more_than_it_was_made_for(ana, link):
    outcome = ask(token(ana, ["build.view"])[1], link)
    assert (outcome.trigger, outcome.decision.rule) == (None, "token")


def test_a_token_asks_for_no_more_than_its_person_may(link):
    outcome = ask(token(make_person("vic"))[1], link)
    assert (outcome.trigger, outcome.decision.rule) == (None, "permission")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"revoked_at": timezone.now()}, "was revoked"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "expired"),
        ({"permissions": ["build.view"]}, "was not made to"),
    ],
)
def test_what_changed_of_the_token_counts_when_it_is_sent(ana, link, change, why):
    row, claude = token(ana)
    trigger = ask(claude, link).trigger
    ApiToken.objects.filter(pk=row.pk).update(**change)
    trigger = settled(trigger)
    assert trigger.state == "denied"
    assert why in trigger.message


def test_a_token_whose_row_is_gone_is_no_persons_word(ana, link):
    row, claude = token(ana)
    trigger = ask(claude, link).trigger
    row.delete()
    assert settled(trigger).state == "denied"


def test_the_persons_role_counts_when_it_is_sent(ana, link):
    trigger = ask(token(ana)[1], link).trigger
    ana.groups.clear()
    assert settled(trigger).state == "denied"


def test_revoking_ends_what_waits(ana, link):
    make_guarded()
    row, claude = token(ana)
    other = ask(ana, link).trigger
    trigger = ask(claude, link).trigger
    assert trigger.state == "awaiting"
    revoke(row, ana, PAGE)
    trigger.refresh_from_db()
    assert (trigger.state, trigger.message) == ("withdrawn", "The API token “robot” has ended.")
    event = AuditEvent.objects.get(action="trigger.token_ended")
    assert (event.actor, event.on_behalf_of) == ("Stagedoor", "Claude (agent) for Ana")
    other.refresh_from_db()
    assert other.state == "awaiting"


@pytest.mark.parametrize("field", ["revoked_at", "expires_at"])
def test_a_sweep_ends_what_is_left(ana, link, field):
    row, claude = token(ana)
    ask(claude, link)
    assert ended_tokens.sweep() == 0
    ApiToken.objects.filter(pk=row.pk).update(**{field: timezone.now()})
    assert ended_tokens.sweep() == 1
    assert Trigger.objects.get().state == "withdrawn"


def test_a_key_of_another_token_is_refused(ana, link):
    key = uuid.uuid4()
    ask(ana, link, request_id=key)
    assert ask(token(ana)[1], link, request_id=key).decision.rule == "request-id"


def test_a_token_that_only_reads_takes_nothing_back(ana, link):
    trigger = ask(ana, link).trigger
    reader = token(ana, ["build.view"], agent="")[1]
    assert may_withdraw(reader.actor, trigger).rule == "token"
    assert may_withdraw(token(ana)[1].actor, trigger).rule == "agent"
    assert may_withdraw(token(ana, agent="")[1].actor, trigger).allowed


# --- What people see --------------------------------------------------------------------------
def test_whoever_approves_sees_that_an_agent_asks(ana, link, client):
    make_guarded()
    trigger = ask(token(ana)[1], link, note="The fix for 42.").trigger
    client.force_login(make_person("bo", "deployer"))
    for page in (f"/triggers/{trigger.request_id}/", "/approvals/"):
        assert "Claude (agent) for Ana" in client.get(page).content.decode()
    assert "The fix for 42." in client.get(f"/triggers/{trigger.request_id}/").content.decode()
    assert notices.sentence(trigger).startswith("Claude (agent) for Ana asks to ")


def test_nobody_approves_what_their_own_agent_asked_for(ana, link):
    make_guarded()
    trigger = ask(token(ana)[1], link).trigger
    assert approve(ana, trigger) == "Nobody approves their own request."


def test_an_agent_does_not_go_through_broken_glass(ana, link):
    """The person who broke it does; so would a script of theirs that is no agent."""
    production, boss, now = make_guarded(), make_person("boss", "admin"), timezone.now()
    glass = BrokenGlass.objects.create(
        by=boss,
        entity=link.entity,
        entity_ref=link.entity.ref,
        environment=production,
        reason="down",
        incident_url="https://incidents.example/1",
        review_by=now + timedelta(hours=24),
        starts_at=now,
        ends_at=now + timedelta(minutes=30),
    )
    glass.pipelines.add(link.pipeline)
    assert ask(boss, link).decision.rule == "break-glass"
    assert ask(token(boss)[1], link).decision.rule == "approvals"
