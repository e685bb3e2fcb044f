"""Asking for builds from the pages: who may, what is refused, and following what became of it."""

import uuid

import pytest
from django.urls import reverse

from pipelines.models import Environment, Trigger
from portal.models import AuditEvent
from tests.pipelines.four_eyes import approve, asked
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db

PARAMETERS = [
    {"name": "REGION", "type": "choice", "choices": ["eu", "us"], "default": "eu"},
    {"name": "DRY_RUN", "type": "boolean", "default": "true"},
    {"name": "TOKEN", "type": "password"},
    {"name": "STAGEDOOR_PERSON", "type": "string"},
]


@pytest.fixture
def link():
    make_environments()
    return confirmed_link(
        make_service("shop", title="Shop"),
        make_pipeline(make_server(), "acme/shop", parameters=PARAMETERS),
    )


@pytest.fixture
def ana(client):
    user = make_person("ana", "deployer")
    client.force_login(user)
    return user


def run_url(link):
    return reverse("pipelines:trigger_create", args=[link.pk])


def data(**fields):
    return {"request_id": str(uuid.uuid4()), "branch": "main", "parameter:REGION": "eu", **fields}


def test_trigger_create_says_what_will_happen_and_offers_what_is_declared(client, ana, link):
    make_build(link.pipeline, 1, branch="feature/x")
    page = client.get(run_url(link)).content.decode()
    assert "Runs acme/shop of Shop on main in Production, in your name, on Buildkite." in page
    assert '<option value="feature/x">' in page
    assert 'name="parameter:REGION"' in page
    assert "Not sent from here: TOKEN" in page
    assert "STAGEDOOR_PERSON" not in page


def test_trigger_create_computes_the_environment_from_what_is_chosen(client, ana, link):
    page = client.get(run_url(link), {"branch": "feature/x"}, headers={"HX-Request": "true"})
    assert "in Staging" in page.content.decode()
    assert page["Vary"].find("HX-Request") >= 0
    assert 'id="trigger-preview"' in page.content.decode()
    assert "<html" not in page.content.decode()


def test_trigger_create_asks_once_however_often_the_form_is_sent(client, ana, link):
    sent = data(**{"parameter:DRY_RUN": "on"})
    first, again = client.post(run_url(link), sent), client.post(run_url(link), sent)
    trigger = Trigger.objects.get()
    assert first["Location"] == again["Location"] == f"/triggers/{trigger.request_id}/"
    assert trigger.parameters == {"REGION": "eu", "DRY_RUN": "true"}
    assert (trigger.actor, trigger.environment.slug) == (ana, "production")


def test_trigger_create_is_denied_with_the_reason_and_audited(client, link):
    client.force_login(make_person("ben", "viewer"))
    page = client.get(run_url(link)).content.decode()
    assert "disabled" in page
    answer = client.post(run_url(link), data())
    assert answer.status_code == 403
    assert "may not start builds" in answer.content.decode()
    assert not Trigger.objects.exists()
    assert AuditEvent.objects.get(action="build.start").outcome == "denied"


def test_trigger_create_gives_a_bad_form_back_with_what_to_mend(client, ana, link):
    answer = client.post(run_url(link), data(branch="ha ha"))
    assert answer.status_code == 422
    assert "Git allows no branch of that name." in answer.content.decode()
    assert client.post(run_url(link), data(**{"parameter:REGION": "mars"})).status_code == 422
    assert not Trigger.objects.exists()


@pytest.mark.parametrize("request_id", ["", "made-up"])
def test_trigger_create_needs_the_request_id_of_its_form(client, ana, link, request_id):
    assert client.post(run_url(link), data(request_id=request_id)).status_code == 422


def test_trigger_create_believes_nothing_that_the_form_does_not_ask(client, ana, link):
    client.post(
        run_url(link),
        data(environment="staging", actor="ben", **{"parameter:STAGEDOOR_PERSON": "x"}),
    )
    trigger = Trigger.objects.get()
    assert trigger.environment.slug == "production"
    assert "STAGEDOOR_PERSON" not in trigger.parameters


# --- Variables and commit ---------------------------------------------------------------------
@pytest.fixture
def free():
    """A pipeline whose provider takes variables and a commit."""
    make_environments()
    return confirmed_link(
        make_service("free"), make_pipeline(make_server("drone", "drone"), "acme/free")
    )


def test_trigger_create_takes_variables_line_by_line(client, ana, free):
    page = client.get(run_url(free)).content.decode()
    assert "No secrets" in page
    client.post(run_url(free), data(variables="A=1\r\n\r\nB = x=y \r\n"))
    assert Trigger.objects.get().parameters == {"A": "1", "B": "x=y"}


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ("A=1\nnonsense", "Line 2 is not of the form NAME=value."),
        ("A=1\nA=2", "Line 2 names A again."),
        ("A=1\na=2", "a: There is another of this name."),
        ("PATH=/tmp", "PATH: PATH would change how"),
        ("STAGEDOOR_PERSON=x", "are set by Stagedoor"),
        ("A B=1", "is no name of a variable"),
    ],
)
def test_trigger_create_names_each_bad_variable(client, ana, free, variables, sentence):
    answer = client.post(run_url(free), data(variables=variables))
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not Trigger.objects.exists()


def test_trigger_create_offers_no_variables_where_they_must_be_declared(client, ana):
    make_environments()
    jenkins = make_pipeline(make_server("jenkins", "jenkins"), "job", parameters=PARAMETERS)
    link = confirmed_link(make_service("job"), jenkins)
    assert 'name="variables"' not in client.get(run_url(link)).content.decode()
    client.post(run_url(link), data(branch="", variables="A=1"))
    assert "A" not in Trigger.objects.get().parameters


def test_trigger_create_has_one_way_to_a_declared_parameter(client, ana, free):
    free.pipeline.parameters = PARAMETERS
    free.pipeline.save()
    answer = client.post(run_url(free), data(variables="REGION=us"))
    assert "REGION has a field of its own." in answer.content.decode()


def test_trigger_create_pins_a_whole_commit(client, ana, free):
    assert client.post(run_url(free), data(commit="abc1234")).status_code == 422
    page = client.get(run_url(free), {"commit": "A" * 40, "branch": "main"}).content.decode()
    assert f"on main at {'a' * 12} in Production" in page
    client.post(run_url(free), data(commit="A" * 40))
    trigger = Trigger.objects.get()
    assert trigger.commit == "a" * 40
    assert AuditEvent.objects.get(action="build.start").data["commit"] == "a" * 40


def test_trigger_create_with_another_commit_is_another_request(client, ana, free):
    sent = data(commit="a" * 40)
    client.post(run_url(free), sent)
    answer = client.post(run_url(free), {**sent, "commit": "b" * 40})
    assert "with other values" in answer.content.decode()
    assert Trigger.objects.count() == 1


def test_build_cancel_asks_to_stop_what_moves(client, ana, link):
    asks_for("cancel", client, make_build(link.pipeline, 1, "running"))


def test_build_retry_asks_to_run_what_ended_again(client, ana, link):
    asks_for("retry", client, make_build(link.pipeline, 1, "failed"))


def asks_for(action, client, build):
    url = reverse(f"pipelines:build_{action}", args=[build.pk])
    answer = client.post(url, {"request_id": str(uuid.uuid4())})
    trigger = Trigger.objects.get()
    assert (trigger.action, trigger.build) == (action, build)
    assert answer["Location"] == f"/triggers/{trigger.request_id}/"


def test_build_cancel_of_a_build_that_ended_says_so(client, ana, link):
    build = make_build(link.pipeline, 1, "passed")
    answer = client.post(
        reverse("pipelines:build_cancel", args=[build.pk]),
        {"request_id": str(uuid.uuid4())},
        follow=True,
    )
    assert "has ended already" in answer.content.decode()
    assert not Trigger.objects.exists()


def test_build_cancel_without_a_forms_id_is_no_request(client, ana, link):
    build = make_build(link.pipeline, 1, "running")
    url = reverse("pipelines:build_cancel", args=[build.pk])
    assert client.post(url).status_code == 404
    assert client.get(url).status_code == 405


def test_trigger_detail_follows_until_the_build_is_known(
    client, ana, sandbox, server_at, django_capture_on_commit_callbacks
):
    sandbox.buildkite.pipeline("acme/shop")
    pipeline = make_pipeline(server_at(sandbox.buildkite), "acme/shop")
    link = confirmed_link(make_service("shop"), pipeline)
    client.post(run_url(link), data())
    trigger = Trigger.objects.get()
    url = reverse("pipelines:trigger_detail", args=[trigger.request_id])
    waiting = client.get(url).content.decode()
    assert "Waiting to be sent to Buildkite." in waiting
    assert "hx-get" in waiting
    Trigger.objects.filter(pk=trigger.pk).update(state="linked")
    build = make_build(pipeline, 4, "running", trigger=trigger)
    known = client.get(url).content.decode()
    assert "Open build #4" in known
    assert 'hx-get="/triggers' not in known
    moved = client.get(url, headers={"HX-Request": "true"})
    assert moved["HX-Redirect"] == reverse("pipelines:build_detail", args=[build.pk])


def test_trigger_detail_says_why_a_request_still_waits(client, ana, link):
    trigger = Trigger.objects.create(
        action="start",
        pipeline=link.pipeline,
        entity=link.entity,
        actor=ana,
        message="Buildkite was asked too often.",
    )
    page = client.get(reverse("pipelines:trigger_detail", args=[trigger.request_id]))
    assert (
        "Waiting to be sent to Buildkite. Buildkite was asked too often." in page.content.decode()
    )


@pytest.mark.parametrize("state", Trigger.State.values)
def test_trigger_detail_has_words_for_every_state(client, ana, link, state):
    trigger = Trigger.objects.create(
        action="start", pipeline=link.pipeline, entity=link.entity, actor=ana, state=state
    )
    page = client.get(reverse("pipelines:trigger_detail", args=[trigger.request_id]))
    assert page.status_code == 200
    assert "state--passed" not in page.content.decode()


def test_trigger_detail_of_somebody_else_needs_the_right_to_see_builds(client, ana, link, settings):
    trigger = Trigger.objects.create(action="start", pipeline=link.pipeline, entity=link.entity)
    settings.DEFAULT_ROLE = ""
    client.force_login(make_person("eve"))
    assert client.get(f"/triggers/{trigger.request_id}/").status_code == 404


def detail(client, trigger, **headers):
    url = reverse("pipelines:trigger_detail", args=[trigger.request_id])
    return client.get(url, headers=headers)


def test_trigger_detail_looks_again_while_others_have_to_approve(client, ana, link):
    Environment.objects.update(approvals=1)
    trigger, ben = asked(ana, link), make_person("ben", "deployer")
    again = 'hx-trigger="load delay:'
    assert f"{again}5s" in detail(client, trigger).content.decode()
    client.force_login(ben)
    # They decide on what they see, and may be typing.
    assert again not in detail(client, trigger).content.decode()
    assert approve(ben, trigger) == ""
    client.force_login(ana)
    moved = detail(client, trigger, HX_Request="true").content.decode()
    assert "Waiting to be sent to Buildkite." in moved
    assert f"{again}1s" in moved
    Trigger.objects.update(state="failed")
    assert again not in detail(client, trigger).content.decode()


def test_trigger_detail_leads_whoever_has_lost_their_access_to_the_sign_in(client, ana, link):
    Environment.objects.update(approvals=1)
    trigger = asked(ana, link)
    client.logout()
    assert "/signin/" in detail(client, trigger, HX_Request="true")["HX-Redirect"]


def test_trigger_detail_of_what_was_withdrawn_says_so_and_has_no_empty_heading(client, ana, link):
    Environment.objects.update(approvals=1)
    trigger = asked(ana, link)
    assert "Approvals</h2>" in detail(client, trigger).content.decode()
    client.post(reverse("pipelines:trigger_withdraw", args=[trigger.request_id]))
    page = detail(client, trigger).content.decode()
    assert "</svg>withdrawn</span>" in page
    assert "skipped</span>" not in page
    assert "Approvals</h2>" not in page


def test_trigger_detail_does_not_take_the_owner_for_the_persons_team(client, ana, link):
    trigger = asked(ana, link)
    Trigger.objects.update(team="Payments")
    assert "Ana, for Payments, " in detail(client, trigger).content.decode()
