"""A person who leaves: nothing acts in their name at the next request and the next dispatch.

By SCIM, by back-channel logout and by an administrator, through the addresses that those use.
"""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from pipelines import leavers, tasks
from pipelines.dispatch import dispatch
from pipelines.models import Approval, StandingTrigger, Trigger
from portal import api_tokens, hooks
from portal.api_tokens import BadToken, caller_by
from portal.leaving import end_access
from portal.models import AuditEvent, UserSession
from tests.pipelines.four_eyes import approve, asked, make_guarded, make_link
from tests.pipelines.world import make_build, make_person
from tests.portal.oidc.provider import configured_provider, sign_in
from tests.portal.scim.directory import TOKEN, Directory
from tests.portal.test_backchannel import DROP, signed, told

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def provider(settings):
    with configured_provider(settings) as running:
        yield running


@pytest.fixture
def link(sandbox, server_at):
    make_guarded()
    return make_link(sandbox, server_at)


@pytest.fixture
def ana():
    return make_person("ana", "deployer")


@pytest.fixture
def ben():
    return make_person("ben", "deployer")


def state(trigger: Trigger) -> str:
    trigger.refresh_from_db()
    return trigger.state


def sent(sandbox) -> list:
    return [entry for entry in sandbox.accepted("buildkite") if entry.action == "start"]


# --- The three ways -----------------------------------------------------------------------------
def by_scim(user, provider, settings):
    settings.SCIM_TOKEN = TOKEN
    settings.ROOT_URLCONF = "tests.portal.scim.urls"
    directory = Directory()
    pk = directory.add("ana", externalId=provider.subject)["id"]
    return lambda: directory.patch(f"Users/{pk}", {"op": "replace", "value": {"active": False}})


def by_backchannel_logout(user, provider, settings):
    return lambda: told(signed(provider, sid=DROP))


def by_an_administrator(user, provider, settings):
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    chosen = {"_selected_action": [str(user.pk)]}
    form = {"action": "end_their_access", "confirmed": "1", **chosen}
    return lambda: root.post(reverse("admin:auth_user_changelist"), form)


@pytest.mark.parametrize("way", [by_scim, by_backchannel_logout, by_an_administrator])
def test_a_leaver_loses_all_before_the_next_request_or_dispatch(  # noqa: PLR0917  fixtures
    link, ana, ben, sandbox, provider, settings, way
):
    ana.identities.create(issuer=provider.issuer, subject=provider.subject)
    end = way(ana, provider, settings)
    browser = Client()
    sign_in(browser, provider)
    # The sign-in has replaced the groups of the provider.
    ana.groups.add(Group.objects.get(name="idp:anas"))
    expires = timezone.now() + timedelta(days=1)
    request = RequestFactory().get("/")
    token = api_tokens.create(ana, "script", ["catalog.view"], expires, request)[1]
    awaiting, queued, theirs = asked(ana, link), asked(ana, link), asked(ben, link)
    assert approve(ben, queued) == ""
    assert approve(ana, theirs) == ""
    assert (state(queued), state(theirs)) == ("queued", "queued")

    assert end().status_code in {200, 302}

    assert browser.get("/account/").status_code == 302
    with pytest.raises(BadToken):
        caller_by(f"Bearer {token}")
    for trigger in (awaiting, queued, theirs):
        dispatch(trigger.pk)
    assert (state(awaiting), state(queued), state(theirs)) == (
        "withdrawn", "withdrawn", "awaiting",
    )  # fmt: skip
    assert sent(sandbox) == []
    assert not UserSession.objects.filter(user=ana).exists()
    event = AuditEvent.objects.get(action="access.end")
    assert {"1 session", "1 API token", "2 requests withdrawn", "1 approval void"} <= set(
        event.data["ended"]
    )
    assert AuditEvent.objects.filter(action="build.start", actor="Ana").count() == 2


# --- Each part ----------------------------------------------------------------------------------
def test_another_approval_lets_the_request_go_on(link, ana, ben, sandbox):
    chiara = make_person("chiara", "deployer")
    trigger = asked(ana, link)
    approve(ben, trigger)
    end_access(ben, why="He left.")
    assert state(trigger) == "awaiting"
    assert AuditEvent.objects.get(action="approval.void").reason == "The access of Ben ended."
    assert approve(chiara, trigger) == ""
    dispatch(trigger.pk)
    assert len(sent(sandbox)) == 1


def test_a_refusal_stays_a_refusal(link, ana, ben):
    trigger = asked(ana, link)
    approve(ben, trigger, "refuse", "Not today.")
    end_access(ben, why="He left.")
    assert state(trigger) == "refused"
    assert Approval.objects.get().verdict == "refuse"


def test_what_was_sent_stays_as_it_is(link, ana):
    sent_before = asked(ana, link)
    Trigger.objects.update(state="linked")
    end_access(ana, why="She left.")
    assert state(sent_before) == "linked"


def test_a_cancel_that_waits_is_withdrawn_too(link, ana):
    trigger = asked(ana, link, action="cancel", build=make_build(link.pipeline, 1, "running"))
    end_access(ana, why="She left.")
    assert state(trigger) == "withdrawn"
    assert trigger.message == "The access of Ana ended."


def test_a_standing_trigger_dies_with_its_owners_access(link, ana):
    standing = StandingTrigger.objects.create(
        owner=ana, pipeline=link.pipeline, when="schedule", cron="0 6 * * *", next_at=timezone.now()
    )
    assert "1 standing trigger" in end_access(ana, why="She left.")
    standing.refresh_from_db()
    assert standing.ended_at is not None
    assert (standing.next_at, standing.ended_reason) == (None, "The access of Ana ended.")


def test_leaving_and_approving_at_once_wait_for_each_other_and_send_nothing(
    link, ana, ben, sandbox
):
    for _ in range(10):
        User.objects.update(is_active=True)
        ana.refresh_from_db()
        trigger = asked(ana, link)
        at_once = [lambda t=trigger: approve(ben, t), lambda: end_access(ana, why="She left.")]
        assert together(at_once) == []
        dispatch(trigger.pk)
        assert state(trigger) == "withdrawn"
    assert sent(sandbox) == []


def together(calls) -> list[Exception]:
    """Runs all from the same moment on; what they raised."""
    barrier, raised = threading.Barrier(len(calls)), []

    def run(call) -> None:
        try:
            barrier.wait()
            call()
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


# --- Without the hook ---------------------------------------------------------------------------
@pytest.fixture
def lost(monkeypatch):
    monkeypatch.setattr(hooks.access_ended, "_functions", [])


def test_dispatch_refuses_a_leavers_request_although_the_hook_was_lost(
    lost, link, ana, ben, sandbox
):
    trigger = asked(ana, link)
    approve(ben, trigger)
    end_access(ana, why="She left.")
    assert state(trigger) == "queued"
    dispatch(trigger.pk)
    assert state(trigger) == "denied"
    assert sent(sandbox) == []


def test_dispatch_counts_no_leavers_approval_although_the_hook_was_lost(
    lost, link, ana, ben, sandbox
):
    trigger = asked(ana, link)
    approve(ben, trigger)
    end_access(ben, why="He left.")
    dispatch(trigger.pk)
    assert state(trigger) != "linked"
    assert sent(sandbox) == []


def test_the_sweep_does_what_a_lost_hook_has_not(lost, link, ana, ben):
    mine, theirs = asked(ana, link), asked(ben, link)
    approve(ana, theirs)
    end_access(ana, why="She left.")
    assert (state(mine), state(theirs)) == ("awaiting", "queued")
    tasks.tick()
    assert (state(mine), state(theirs)) == ("withdrawn", "awaiting")
    assert leavers.sweep() == 0
