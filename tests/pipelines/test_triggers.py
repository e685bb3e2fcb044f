"""A request becomes one trigger or a decision that says why not; both are audited."""

import threading
import uuid

import pytest
from django.db import IntegrityError, connection

from pipelines.models import Build, PipelineLink, Trigger
from pipelines.targets import decide_for
from pipelines.triggers import request
from portal.access import actor_for
from portal.models import AuditEvent
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
    make_source,
)

pytestmark = pytest.mark.django_db

PARAMETERS = [
    {"name": "TARGET", "type": "choice", "default": "test", "choices": ["test", "prod"]},
    {"name": "NOTE", "type": "text", "default": ""},
    {"name": "FAST", "type": "boolean", "default": "false"},
    {"name": "KEY", "type": "password", "default": ""},
]


@pytest.fixture
def link():
    pipeline = make_pipeline(make_server("ci", "jenkins"), "shop", parameters=PARAMETERS)
    return confirmed_link(make_service("shop"), pipeline)


@pytest.fixture
def ana():
    return make_person("ana", "deployer")


def ask(user, link, action="start", **fields):
    values = {"branch": "", "parameters": {}, "request_id": uuid.uuid4(), **fields}
    return request(user, action, entity=link.entity, pipeline=link.pipeline, **values)


def make_build(link, state="running", **fields):
    values = {"external_id": "7", "number": 7, "branch": "main", "state": state}
    observed = link.confirmed_at
    return Build.objects.create(pipeline=link.pipeline, observed_at=observed, **values, **fields)


def reason(user, link):
    return decide_for(actor_for(user), "start", link.entity, link.pipeline).reason


# --- One request, one trigger -----------------------------------------------------------------
def test_a_request_is_a_queued_trigger_and_an_audit_event(ana, link):
    _, production = make_environments()
    request_id = uuid.uuid4()
    outcome = ask(ana, link, parameters={"TARGET": "prod"}, request_id=request_id)
    trigger = Trigger.objects.get()
    assert outcome.trigger == trigger
    assert outcome.created
    assert (trigger.state, trigger.attempt, trigger.request_id) == ("queued", 0, request_id)
    assert (trigger.actor, trigger.actor_name, trigger.branch) == (ana, "Ana", "main")
    assert trigger.environment == production
    event = AuditEvent.objects.get()
    assert (event.action, event.outcome, event.actor) == ("build.start", "ok", "Ana")
    assert (event.target, event.rule) == ("ci:shop", "grant")
    assert event.request_id == str(request_id)
    assert event.data["environment"] == "production"


def test_declared_defaults_are_sent_with_the_request(ana, link):
    ask(ana, link, parameters={"NOTE": "two\r\nlines"})
    assert Trigger.objects.get().parameters == {
        "TARGET": "test",
        "NOTE": "two\nlines",
        "FAST": "false",
    }


def test_a_double_click_finds_the_trigger_that_is_there(ana, link):
    request_id = uuid.uuid4()
    first = ask(ana, link, request_id=request_id)
    second = ask(ana, link, request_id=str(request_id))
    assert second.trigger == first.trigger
    assert not second.created
    assert second.decision.allowed
    assert Trigger.objects.count() == AuditEvent.objects.count() == 1


def test_a_reload_finds_it_also_after_the_role_was_taken_away(ana, link):
    request_id = uuid.uuid4()
    first = ask(ana, link, request_id=request_id)
    ana.groups.clear()
    assert ask(ana, link, request_id=request_id).trigger == first.trigger


def test_a_request_id_used_for_something_else_is_refused(ana, link):
    request_id = uuid.uuid4()
    ask(ana, link, request_id=request_id)
    outcome = ask(ana, link, request_id=request_id, parameters={"TARGET": "prod"})
    assert outcome.trigger is None
    assert "with other values" in outcome.errors[""]
    assert Trigger.objects.count() == 1


def test_somebody_elses_request_id_is_refused(ana, link):
    request_id = uuid.uuid4()
    ask(ana, link, request_id=request_id)
    outcome = ask(make_person("bo", "deployer"), link, request_id=request_id)
    assert outcome.trigger is None
    assert outcome.decision.rule == "request-id"
    assert AuditEvent.objects.filter(actor="Bo", outcome="denied").exists()


@pytest.mark.parametrize("request_id", ["", "7", "not-a-uuid"])
def test_a_request_id_of_nobodys_form_is_an_error(ana, link, request_id):
    with pytest.raises(ValueError, match="badly formed"):
        ask(ana, link, request_id=request_id)


def test_an_unknown_action_is_an_error(ana, link):
    with pytest.raises(ValueError, match="unknown action"):
        ask(ana, link, "delete")


def test_the_database_holds_the_rule_too(ana, link):
    trigger = ask(ana, link).trigger
    with pytest.raises(IntegrityError):
        Trigger.objects.create(
            request_id=trigger.request_id, action="start", pipeline=link.pipeline, actor_name="x"
        )


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_are_one_trigger(ana, link):
    request_id = uuid.uuid4()
    outcomes = []

    def click():
        outcomes.append(ask(ana, link, request_id=request_id))
        connection.close()

    clicks = [threading.Thread(target=click) for _ in range(6)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join()
    assert {outcome.trigger.pk for outcome in outcomes} == {Trigger.objects.get().pk}
    assert [outcome.created for outcome in outcomes].count(True) == 1
    assert AuditEvent.objects.count() == 1


# --- Denied -----------------------------------------------------------------------------------
def test_a_denied_request_is_audited_and_leaves_no_trigger(link):
    outcome = ask(make_person("cy"), link)
    assert outcome.trigger is None
    assert "may not start builds" in outcome.decision.reason
    assert not Trigger.objects.exists()
    event = AuditEvent.objects.get()
    assert (event.action, event.outcome, event.actor) == ("build.start", "denied", "Cy")
    assert event.reason == outcome.decision.reason


def test_the_environment_is_computed_and_not_believed(link):
    make_environments()
    dev = make_person("dev", "deployer", environment="staging")
    assert ask(dev, link, branch="feature/x").created
    outcome = ask(dev, link, branch="main")
    assert outcome.decision.rule == "environment"
    assert "takes effect in production" in outcome.decision.reason


def test_a_role_counts_in_its_scope_only(link):
    bo = make_person("bo", "deployer", scope_kind="service", scope_ref="component:default/cart")
    assert ask(bo, link).decision.rule == "scope"
    cy = make_person("cy", "deployer", scope_kind="service", scope_ref=link.entity.ref)
    assert ask(cy, link).created


def test_who_can_help_is_named(link):
    make_service("owners", title="Checkout team")
    link.entity.owner_ref = "component:default/owners"
    make_person("ana", "deployer")
    decision = ask(make_person("cy"), link).decision
    assert decision.helpers == ("Checkout team", "anas (Deployer)")


def test_a_superuser_gets_no_pipeline_by_that(link):
    root = make_person("root")
    root.is_superuser = root.is_staff = True
    root.save()
    assert not ask(root, link).decision.allowed


# --- What rules a write out for everybody -----------------------------------------------------
def test_a_link_that_only_reads_does_not_trigger(ana, link):
    PipelineLink.objects.update(confirmed_at=None)
    outcome = ask(ana, link)
    assert outcome.decision.rule == "blocked"
    assert outcome.decision.reason == (
        "shop can only be read from here. An annotation alone gives reading."
    )


def test_a_stored_status_is_not_believed(ana, link):
    """An attacker's descriptor took over the name; the link's row still says confirmed."""
    link.entity.source = make_source("intruder")
    link.entity.save()
    assert PipelineLink.objects.get().status == "confirmed"
    assert not ask(ana, link).decision.allowed


def test_a_conflict_waits_for_an_admin(ana, link):
    PipelineLink.objects.update(confirmed_at=None)
    PipelineLink.objects.create(entity=make_service("cart"), pipeline=link.pipeline)
    make_person("root", "admin")
    decision = ask(ana, link).decision
    assert "Also claimed by component:default/cart" in decision.reason
    assert decision.helpers == ("roots (Admin)",)


def test_another_services_pipeline_is_not_triggered(ana, link):
    other = make_service("cart")
    decision = decide_for(actor_for(ana), "start", other, link.pipeline)
    assert decision.reason == "shop is not linked to cart."
    assert (
        "no longer in the catalog"
        in decide_for(actor_for(ana), "start", None, link.pipeline).reason
    )


def test_what_is_gone_off_or_not_runnable_is_said(ana, link):
    pipeline, server = link.pipeline, link.pipeline.server
    pipeline.runnable = False
    assert "only holds other pipelines" in reason(ana, link)
    pipeline.gone_at = pipeline.listed_at
    assert reason(ana, link) == "shop is no longer on Ci."
    server.enabled = False
    assert reason(ana, link) == "Ci is switched off in Stagedoor."
    server.enabled, server.provider = True, "cobol"
    assert reason(ana, link) == "cobol can't start builds from here."


def test_an_inactive_person_is_denied(ana, link):
    ana.is_active = False
    assert reason(ana, link) == "Sign in to do this."


# --- Bad input --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("parameters", "field", "words"),
    [
        ({"OTHER": "x"}, "parameter:OTHER", "no such parameter"),
        ({"STAGEDOOR_PERSON": "x"}, "parameter:STAGEDOOR_PERSON", "no such parameter"),
        ({"TARGET": "moon"}, "parameter:TARGET", "not one of the choices"),
        ({"FAST": "maybe"}, "parameter:FAST", "true or false"),
        ({"KEY": "s3cret"}, "parameter:KEY", "takes no secrets"),
        ({"NOTE": "x" * 4001}, "parameter:NOTE", "At most 4000"),
        ({"NOTE": "a\x00b"}, "parameter:NOTE", "can't be sent"),
    ],
)
def test_bad_parameters_are_told_by_field(ana, link, parameters, field, words):
    outcome = ask(ana, link, parameters=parameters)
    assert outcome.trigger is None
    assert list(outcome.errors) == [field]
    assert words in outcome.errors[field]
    assert "s3cret" not in str(outcome)
    assert not Trigger.objects.exists()


@pytest.mark.parametrize(
    "branch",
    [
        "+main",
        "refs/heads/main",
        "origin/main",
        "HEAD",
        "a b",
        "a..b",
        "-rf",
        "/x",
        "x/",
        "x.lock",
        "x~1",
        "@{-1}",
        "f" * 40,
        "b" * 256,
        "a\nb",
        "*",
    ],
)
def test_a_branch_that_is_none_is_refused(ana, link, branch):
    assert list(ask(ana, link, branch=branch).errors) == ["branch"]


def test_bad_input_of_somebody_who_may_not_is_a_denial(link):
    outcome = ask(make_person("cy"), link, branch="a b")
    assert not outcome.decision.allowed
    assert AuditEvent.objects.get().outcome == "denied"


# --- Cancel and retry -------------------------------------------------------------------------
def test_cancel_and_retry_go_the_same_way(ana, link):
    running = make_build(link)
    assert ask(ana, link, "cancel", build=running).created
    assert "not ended yet" in ask(ana, link, "retry", build=running).decision.reason
    running.state = "failed"
    assert ask(ana, link, "retry", build=running).created
    assert "ended already" in ask(ana, link, "cancel", build=running).decision.reason
    actions = AuditEvent.objects.filter(outcome="ok").values_list("action", flat=True)
    assert sorted(actions) == ["build.cancel", "build.retry"]


def test_a_build_of_another_pipeline_is_not_touched(ana, link):
    other = confirmed_link(make_service("cart"), make_pipeline(link.pipeline.server, "cart"))
    assert (
        "which build of cart" in ask(ana, other, "cancel", build=make_build(link)).decision.reason
    )
    assert "which build" in ask(ana, link, "cancel").decision.reason


def test_a_retry_takes_effect_where_its_build_did(ana, link):
    staging, production = make_environments()
    build = make_build(link, "failed")
    build.branch = "feature/x"
    assert ask(ana, link, "retry", build=build, branch="main").trigger.environment == staging
    build.branch = "main"
    assert (
        ask(ana, link, "retry", build=build, branch="feature/x").trigger.environment == production
    )


def test_a_retry_of_a_retry_knows_the_first_ones_parameters(link):
    _, production = make_environments()
    production.rules.create(order=1, parameter="TARGET=prod")
    dev = make_person("dev", "deployer", environment="staging")
    ana = make_person("ana", "deployer")
    first = ask(ana, link, branch="feature/x", parameters={"TARGET": "prod"}).trigger
    build = make_build(link, "failed", trigger=first)
    build.branch = "feature/x"
    again = ask(ana, link, "retry", build=build).trigger
    second = Build.objects.create(
        pipeline=link.pipeline,
        external_id="8",
        state="failed",
        branch="feature/x",
        trigger=again,
        observed_at=link.confirmed_at,
    )
    assert again.environment == production
    assert ask(dev, link, "retry", build=second).decision.rule == "environment"


# --- Cost -------------------------------------------------------------------------------------
def test_a_decision_costs_few_queries(ana, link, django_assert_max_num_queries):
    make_environments()
    actor = actor_for(ana)
    with django_assert_max_num_queries(8):
        decide_for(actor, "start", link.entity, link.pipeline)
