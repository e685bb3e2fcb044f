"""What people say of a request counts, where they may say it, once, and with their name."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from pipelines import outbox
from pipelines.builds import record
from pipelines.dispatch import dispatch
from pipelines.effects import effect_of
from pipelines.models import Build, Environment, EnvironmentRule, Server, Trigger
from pipelines.outbox import MAX_LOOKUPS
from pipelines.servers import OPEN_AFTER, client_for
from pipelines.settling import did_run
from pipelines.triggers import request as ask_for
from portal.models import AuditEvent
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_environments,
    make_person,
    make_pipeline,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def link(sandbox, server_at):
    """A Jenkins job that declares no request id: nothing can be looked up."""
    make_environments()
    sandbox.jenkins.pipeline("shop")
    pipeline = make_pipeline(server_at(sandbox.jenkins), "shop", default_branch="")
    return confirmed_link(make_service("shop"), pipeline)


@pytest.fixture
def ana():
    return make_person("ana", "deployer")


@pytest.fixture
def root(client):
    user = make_person("root", "admin")
    client.force_login(user)
    return user


def queued(user, link):
    asked = {"entity": link.entity, "pipeline": link.pipeline, "request_id": uuid.uuid4()}
    return ask_for(user, "start", **asked).trigger


@pytest.fixture
def lost(sandbox, link, ana):
    """A start whose answer was lost, and that Stagedoor can't look up."""
    sandbox.jenkins.fault("lose_answer", "write", times=1)
    trigger = queued(ana, link)
    dispatch(trigger.pk)
    Trigger.objects.update(lookups=MAX_LOOKUPS)
    trigger.refresh_from_db()
    assert trigger.state == "uncertain"
    sandbox.advance(60)
    assert len(sandbox.jenkins.builds("shop")) == 1
    return trigger


def settle(client, trigger, verdict, build=""):
    url = reverse("pipelines:trigger_settle", args=[trigger.request_id])
    answer = client.post(url, {"verdict": verdict, "build": build}, follow=True)
    trigger.refresh_from_db()
    return answer.content.decode().replace("&#x27;", "'")


def withdraw(client, trigger):
    url = reverse("pipelines:trigger_withdraw", args=[trigger.request_id])
    answer = client.post(url, follow=True)
    trigger.refresh_from_db()
    return answer.content.decode()


def settled():
    return AuditEvent.objects.filter(action="trigger.settled").order_by("pk").last()


# --- The list ---------------------------------------------------------------------------------
def test_trigger_list_tells_what_is_known(client, root, lost):
    page = client.get(reverse("pipelines:trigger_list")).content.decode()
    assert str(lost.request_id) in page
    assert "Ana" in page
    assert "Jenkins" in page
    assert "It did not run" in page
    assert "Tie build" in page


def test_trigger_list_shows_others_no_buttons_and_strangers_nothing(client, lost, settings):
    client.force_login(make_person("ben", "viewer"))
    page = client.get(reverse("pipelines:trigger_list")).content.decode()
    assert str(lost.request_id) in page
    assert "It did not run" not in page
    assert "may not settle requests" in page
    settings.DEFAULT_ROLE = ""
    client.force_login(make_person("eve"))
    assert client.get(reverse("pipelines:trigger_list")).status_code == 403


def test_trigger_list_shows_nothing_whose_page_is_hidden(client, lost, settings):
    settings.DEFAULT_ROLE = "none"
    for name, scope in (("eve", {"environment": "production"}), ("moe", {})):
        client.force_login(make_person(name, "viewer", scope_kind="everything", **scope))
        page = client.get(reverse("pipelines:trigger_detail", args=[lost.request_id]))
        listed = client.get(reverse("pipelines:trigger_list"))
        shown = str(lost.request_id) in listed.content.decode()
        assert (page.status_code, shown) == ((404, False) if scope else (200, True))


def test_trigger_list_shows_what_a_smaller_scope_covers(client, lost, link, settings):
    settings.DEFAULT_ROLE = ""
    for name, ref, shown in (("eve", link.entity.ref, True), ("moe", "component:x/y", False)):
        client.force_login(make_person(name, "viewer", scope_kind="service", scope_ref=ref))
        listed = client.get(reverse("pipelines:trigger_list"))
        assert listed.status_code == 200
        assert (str(lost.request_id) in listed.content.decode()) == shown


def test_trigger_list_is_empty_when_nothing_is_uncertain(client, root):
    assert "Nothing is uncertain" in client.get(reverse("pipelines:trigger_list")).content.decode()


def test_home_counts_them_for_who_may_settle_them(client, root, lost, ana):
    assert "1 request needs a person" in client.get("/").content.decode()
    client.force_login(ana)
    assert "needs a person" not in client.get("/").content.decode()


def test_a_hundred_of_another_team_hide_nobodys_own(client, lost, ana, link):
    other = make_service("other")
    Trigger.objects.bulk_create(
        Trigger(action="start", pipeline=link.pipeline, entity=other, state="uncertain", lookups=9)
        for _ in range(100)
    )
    client.force_login(ana)
    page = client.get(reverse("pipelines:trigger_list")).content.decode()
    assert str(lost.request_id) in page
    scope = {"scope_kind": "service", "scope_ref": link.entity.ref}
    client.force_login(make_person("sue", "admin", **scope))
    assert "1 request needs a person" in client.get("/").content.decode()


def test_many_requests_cost_no_more_queries_than_one(client, root, lost, link):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(reverse("pipelines:trigger_list")).status_code == 200
        return len(captured)

    one = queries()
    Trigger.objects.bulk_create(
        Trigger(action="start", pipeline=link.pipeline, entity=link.entity, state="uncertain")
        for _ in range(30)
    )
    assert queries() == one


# --- It did run -------------------------------------------------------------------------------
def test_trigger_settle_ties_the_build_that_a_person_names(client, root, lost):
    settle(client, lost, "ran", "#1")
    assert lost.state == "linked"
    assert Build.objects.get().trigger == lost
    event = settled()
    assert (event.actor, event.on_behalf_of, event.outcome) == ("Root", "Ana", "ok")
    assert event.request_id == str(lost.request_id)
    assert event.data["environment"] == "production"


def test_a_build_is_never_tied_to_two_requests(client, root, lost, link, ana):
    settle(client, lost, "ran", "1")
    other = queued(ana, link)
    Trigger.objects.filter(pk=other.pk).update(state="uncertain", lookups=MAX_LOOKUPS, attempt=1)
    Trigger.objects.filter(pk=other.pk).update(created_at=lost.created_at)
    assert "belongs to another request" in settle(client, other, "ran", "1")
    assert other.state == "uncertain"
    assert settled().outcome == "failed"


@pytest.mark.parametrize("build", ["", "99", "../1", "x" * 300, "0", "1\n2"])
def test_a_build_that_is_not_there_is_not_tied(client, root, lost, build):
    assert "Nothing was changed" in settle(client, lost, "ran", build)
    assert lost.state == "uncertain"


def test_a_build_from_before_the_request_is_not_its(client, root, lost, sandbox, link):
    Trigger.objects.update(created_at=timezone.now() + timezone.timedelta(hours=1))
    assert "began before this was asked for" in settle(client, lost, "ran", "1")
    assert lost.state == "uncertain"


def test_a_server_that_does_not_answer_changes_nothing(client, root, lost, sandbox):
    sandbox.stop()
    assert "can't be read" in settle(client, lost, "ran", "1")
    assert lost.state == "uncertain"


def test_a_number_that_two_builds_have_is_asked_for_by_id(client, root, lost, link):
    for external_id in ("a/7", "b/7"):
        make_build(link.pipeline, 7, external_id=external_id)
    assert "more than one #7" in settle(client, lost, "ran", "7")


def test_a_build_that_carries_another_requests_id_is_not_tied(sandbox, server_at, ana):
    sandbox.buildkite.pipeline("acme/shop")
    pipeline = make_pipeline(server_at(sandbox.buildkite), "acme/shop")
    link = confirmed_link(make_service("cart"), pipeline)
    first, other = queued(ana, link), queued(ana, link)
    dispatch(first.pk)
    Build.objects.update(trigger=None)
    Trigger.objects.filter(pk=first.pk).update(state="denied")
    Trigger.objects.filter(pk=other.pk).update(state="uncertain", attempt=1)
    said = did_run(make_person("root", "admin"), Trigger.objects.get(pk=other.pk), "1")
    assert said == "Build #1 carries the id of another request."
    assert Build.objects.get().trigger is None


def test_a_word_does_not_say_where_the_build_took_effect(client, root, lost, link):
    """Else somebody could tie a production build to a request for staging, and run it again."""
    staging, production = Environment.objects.order_by("rank")
    EnvironmentRule.objects.create(order=1, parameter="TARGET=prod*", environment=production)
    EnvironmentRule.objects.create(order=2, environment=staging)
    Trigger.objects.update(environment=staging)
    settle(client, lost, "ran", "1")
    build = Build.objects.get()
    assert build.trigger == lost
    assert effect_of("retry", link.pipeline, "", {}, build=build).environment.slug == "production"
    again = Trigger.objects.create(action="retry", pipeline=link.pipeline, build=build)
    second = make_build(link.pipeline, 2, trigger=again)
    assert effect_of("retry", link.pipeline, "", {}, build=second).environment.slug == "production"


def test_a_server_that_is_known_not_to_answer_is_not_waited_for(client, root, lost, sandbox):
    Server.objects.update(failures=OPEN_AFTER, unreachable_since=timezone.now())
    asked = len(sandbox.requests())
    assert "can't be read" in settle(client, lost, "ran", "1")
    assert len(sandbox.requests()) == asked


# --- It did not run ---------------------------------------------------------------------------
def test_trigger_settle_believes_that_it_did_not_run(client, root, lost):
    settle(client, lost, "not")
    assert (lost.state, lost.message) == ("failed", "Root looked: it was not carried out.")
    assert settled().data["says"] == "did not run"


def test_trigger_settle_is_for_administrators(client, ana, lost):
    client.force_login(ana)
    assert "may not settle requests" in settle(client, lost, "not")
    settle(client, lost, "ran", "1")
    assert lost.state == "uncertain"
    assert set(AuditEvent.objects.filter(action="trigger.settled").values_list("outcome")) == {
        ("denied",)
    }
    assert not Build.objects.exists()


def test_a_role_for_another_service_settles_nothing(client, lost):
    scope = {"scope_kind": "service", "scope_ref": make_service("other").ref}
    client.force_login(make_person("eve", "admin", **scope))
    settle(client, lost, "not")
    assert lost.state == "uncertain"


@pytest.mark.parametrize("state", ["queued", "dispatching", "dispatched", "linked", "failed"])
def test_only_what_is_uncertain_is_settled(client, root, lost, state):
    Trigger.objects.update(state=state)
    settle(client, lost, "not")
    settle(client, lost, "ran", "1")
    assert lost.state == state


def test_the_first_word_counts(client, root, lost, sandbox):
    settle(client, lost, "not")
    assert "Nothing was changed" in settle(client, lost, "ran", "1")
    assert lost.state == "failed"


def test_a_build_that_carries_the_request_id_needs_no_second_tie(sandbox, server_at, ana):
    """Reading the build that a person names finds our id in it."""
    sandbox.buildkite.pipeline("acme/shop")
    pipeline = make_pipeline(server_at(sandbox.buildkite), "acme/shop")
    link = confirmed_link(make_service("cart"), pipeline)
    sandbox.buildkite.fault("lose_answer", "write", times=1)
    trigger = queued(ana, link)
    dispatch(trigger.pk)
    assert did_run(make_person("root", "admin"), Trigger.objects.get(), "1") == ""
    assert Build.objects.get().trigger == trigger


def test_trigger_settle_knows_two_words_only(client, root, lost):
    url = reverse("pipelines:trigger_settle", args=[lost.request_id])
    assert client.post(url, {"verdict": "maybe"}).status_code == 404
    assert client.get(url).status_code == 405


def test_a_cancel_needs_no_number(client, root, lost, link):
    remote = client_for(link.pipeline.server).get_build("shop", "1")
    build = record(link.pipeline, remote, timezone.now())
    Trigger.objects.update(action="cancel", build=build)
    settle(client, lost, "ran")
    assert lost.state == "linked"


# --- Withdrawn --------------------------------------------------------------------------------
def test_trigger_withdraw_takes_back_what_was_not_sent(client, ana, link, sandbox):
    client.force_login(ana)
    trigger = queued(ana, link)
    page = client.get(reverse("pipelines:trigger_detail", args=[trigger.request_id]))
    assert "Withdraw" in page.content.decode()
    assert "It was withdrawn before it was sent." in withdraw(client, trigger)
    assert trigger.state == "withdrawn"
    assert trigger.finished_at
    dispatch(trigger.pk)
    assert sandbox.requests() == []
    event = AuditEvent.objects.get(action="trigger.withdrawn")
    assert (event.actor, event.outcome, event.rule) == ("Ana", "ok", "own-request")


def test_trigger_withdraw_by_an_administrator_is_possible_too(client, root, ana, link):
    trigger = queued(ana, link)
    withdraw(client, trigger)
    assert trigger.state == "withdrawn"
    event = AuditEvent.objects.get(action="trigger.withdrawn")
    assert (event.actor, event.on_behalf_of) == ("Root", "Ana")


def test_trigger_withdraw_by_somebody_else_is_denied_and_audited(client, ana, link):
    trigger = queued(ana, link)
    client.force_login(make_person("cy", "deployer"))
    withdraw(client, trigger)
    assert trigger.state == "queued"
    assert AuditEvent.objects.get(action="trigger.withdrawn").outcome == "denied"


def test_trigger_withdraw_comes_too_late_once_it_is_claimed(client, ana, link):
    trigger = queued(ana, link)
    client.force_login(ana)
    assert outbox.claim(trigger.pk, timezone.now())
    withdraw(client, trigger)
    assert trigger.state == "dispatching"
    assert AuditEvent.objects.get(action="trigger.withdrawn").outcome == "denied"
