"""The pages of four eyes: what waits, what is approved there, and by whom it can't be."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pipelines.models import Approval, Environment, Trigger
from portal.templatetags.ui import entity_url
from tests.pipelines.four_eyes import COMMIT, approve, asked, make_guarded
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db

PAGE = reverse("pipelines:approval_list")


@pytest.fixture
def link():
    make_guarded(approval_minutes=90)
    repository = "git@github.com:acme/shop.git"
    pipeline = make_pipeline(make_server(), "acme/shop", repository=repository)
    return confirmed_link(make_service("shop", title="Shop"), pipeline)


@pytest.fixture
def ana():
    return make_person("ana", "deployer")


@pytest.fixture
def ben(client):
    user = make_person("ben", "deployer")
    client.force_login(user)
    return user


def text_of(answer):
    return " ".join(answer.content.decode().replace("&#x27;", "'").split())


def detail(client, trigger):
    url = reverse("pipelines:trigger_detail", args=[trigger.request_id])
    return text_of(client.get(url))


def give(client, trigger, verdict="approve", **fields):
    url = reverse("pipelines:approval_give", args=[trigger.request_id])
    values = {"verdict": verdict, "fingerprint": trigger.fingerprint, **fields}
    answer = client.post(url, values, follow=True)
    trigger.refresh_from_db()
    return text_of(answer)


def test_approval_list_shows_first_what_waits_for_this_person(client, link, ana, ben):
    own = asked(ben, link)
    other = asked(ana, link)
    page = text_of(client.get(PAGE))
    first, _, rest = page.partition("Yours")
    assert str(other.request_id) in first
    assert str(own.request_id) in rest
    assert "Other requests" not in page
    client.force_login(make_person("vic"))
    assert str(own.request_id) in text_of(client.get(PAGE)).partition("Other requests")[2]
    assert COMMIT[:12] in first


def test_approval_list_is_there_for_who_approves_for_one_service(client, link, ana, settings):
    settings.DEFAULT_ROLE = ""
    trigger = asked(ana, link)
    scope = {"scope_kind": "service", "scope_ref": "component:default/shop"}
    client.force_login(make_person("bea", "deployer", **scope))
    assert str(trigger.request_id) in text_of(client.get(PAGE))
    client.force_login(make_person("nina"))
    assert client.get(PAGE).status_code == 403


def test_approval_list_says_when_nothing_waits(client, ben):
    assert "Nothing waits for approval" in text_of(client.get(PAGE))


@pytest.mark.parametrize("action", ["start", "retry"])
def test_approval_list_of_many_costs_few_queries(client, link, ana, ben, action):
    def wait(number):
        fields = {}
        if action == "retry":
            start = Trigger.objects.create(action="start", pipeline=link.pipeline, state="linked")
            fields = {"build": make_build(link.pipeline, number, trigger=start, commit=COMMIT)}
        asked(ana, link, action=action, **fields)

    wait(0)
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE)
    for number in range(1, 10):
        wait(number)
    with CaptureQueriesContext(connection) as many:
        client.get(PAGE)
    assert len(many) == len(few)


def test_home_says_how_many_wait_for_this_person(client, link, ana, ben):
    asked(ana, link)
    asked(ben, link)
    assert "1 request waits for your approval." in text_of(client.get("/"))


def test_the_page_of_a_service_shows_what_awaits(client, link, ana, ben):
    asked(ana, link)
    page = text_of(client.get(entity_url(link.entity.ref)))
    assert "awaiting approval" in page


def test_approval_give_shows_all_that_is_approved_and_takes_the_word(client, link, ana, ben):
    trigger = asked(ana, link, parameters={"REGION": "eu"})
    page = detail(client, trigger)
    for word in ("Ana", "Production", "main", COMMIT, "REGION", "eu", trigger.fingerprint):
        assert word in page, word
    assert f"https://github.com/acme/shop/commit/{COMMIT}" in page
    assert "Needs 1 more approval of anas (Deployer) or bens (Deployer)" in page
    assert "Noted, with your name." in give(client, trigger, comment="<b>Go</b>")
    assert trigger.state == "queued"
    assert "Ben approved it" in detail(client, trigger)
    assert "&lt;b&gt;Go" in detail(client, trigger)


def test_approval_give_refuses_with_a_reason_only(client, link, ana, ben):
    trigger = asked(ana, link)
    assert "Say why" in give(client, trigger, "refuse")
    assert "Ben refused it: No." in give(client, trigger, "refuse", comment="No.")
    assert trigger.state == "refused"


def test_approval_give_of_ones_own_request_is_refused_without_a_form(client, link, ben):
    trigger = asked(ben, link)
    page = detail(client, trigger)
    assert "Nobody approves their own request." in page
    assert 'value="approve"' not in page
    assert "Nobody approves their own request." in give(client, trigger)
    assert trigger.state == "awaiting"


def test_approval_give_twice_counts_once(client, link, ana, ben):
    Environment.objects.update(approvals=2)
    trigger = asked(ana, link)
    give(client, trigger)
    assert "already" in give(client, trigger)
    assert Approval.objects.count() == 1
    assert "You have decided." in detail(client, trigger)


def test_approval_give_of_a_stale_page_is_refused(client, link, ana, ben):
    trigger = asked(ana, link)
    assert "Your decision was not recorded: What you saw" in give(
        client, trigger, fingerprint="0" * 64
    )
    assert trigger.state == "awaiting"


def test_approval_give_answers_forms_that_are_none_of_ours(client, link, ana, ben):
    trigger = asked(ana, link)
    url = reverse("pipelines:approval_give", args=[trigger.request_id])
    assert client.post(url, {"verdict": "both"}).status_code == 404
    assert client.get(url).status_code == 405
    assert client.post(url, {"verdict": "approve"}, follow=True).status_code == 200
    assert Trigger.objects.get().state == "awaiting"


def test_approval_give_needs_a_sign_in_and_no_get_approves(client, link, ana):
    trigger = asked(ana, link)
    url = reverse("pipelines:approval_give", args=[trigger.request_id])
    answer = client.post(url, {"verdict": "approve", "fingerprint": trigger.fingerprint})
    assert answer.status_code == 302
    assert "/signin/" in answer["Location"]
    assert not Approval.objects.exists()


def test_trigger_create_says_that_others_have_to_approve(client, link, ben):
    url = reverse("pipelines:trigger_create", args=[link.pk])
    page = text_of(client.get(url))
    assert "needs 1 more approval" in page
    assert "disabled" not in page.partition('id="trigger-preview"')[2].partition("</form>")[0]


def test_trigger_detail_warns_of_what_is_not_pinned(client, ana, ben):
    make_guarded(allow_unpinned=True)
    pipeline = make_pipeline(make_server("ci", "jenkins"), "job")
    link = confirmed_link(make_service("job"), pipeline)
    trigger = asked(ana, link, commit="")
    assert trigger.unpinned
    assert "Not pinned" in detail(client, trigger)
    assert "not pinned" in text_of(client.get(PAGE))


def test_trigger_create_refuses_what_can_not_be_pinned(client, link, ben):
    url = reverse("pipelines:trigger_create", args=[link.pk])
    form = {"request_id": "0b0e7e9e-0b0e-4b0e-8b0e-0b0e7e9e0b0e", "branch": "main"}
    answer = client.post(url, form)
    assert answer.status_code == 422
    assert "Others approve one commit for Production." in text_of(answer)
    assert "Give the commit's whole id." in text_of(answer)
    assert not Trigger.objects.exists()


def test_who_approved_is_named_after_it_went(client, link, ana, ben):
    trigger = asked(ana, link)
    approve(ben, trigger)
    assert "Ben approved it" in detail(client, trigger)
