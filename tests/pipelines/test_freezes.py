"""Nobody gets past a freeze: who is stopped by which, when, and what they read."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from pipelines import dispatch, freezes
from pipelines.environments import branch_problem
from pipelines.models import Build, Environment, Freeze, Trigger
from pipelines.targets import decide_for
from pipelines.triggers import request as ask_for
from portal.access import actor_for
from portal.models import AuditEvent
from portal.policy import Target
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
HOUR = timedelta(hours=1)


def freeze(environment=None, **fields):
    now = timezone.now()
    values = {"starts_at": now - HOUR, "ends_at": now + HOUR, "reason": "Year-end close."}
    return Freeze.objects.create(environment=environment, **{**values, **fields})


@pytest.fixture
def production():
    return make_environments()[1]


@pytest.fixture
def link(production):
    pipeline = make_pipeline(make_server("ci"), "acme/shop")
    return confirmed_link(make_service("shop"), pipeline)


@pytest.fixture
def ana():
    return make_person("ana", "admin")


def decided(person, link, action="start", build=None):
    actor = actor_for(person)
    return decide_for(actor, action, link.entity, link.pipeline, build=build)


def ask(person, link, **fields):
    about = {"entity": link.entity, "pipeline": link.pipeline}
    return ask_for(person, "start", **about, request_id=uuid.uuid4(), **fields)


# --- Whom it stops ---------------------------------
def test_a_freeze_stops_everybody_and_says_until_when_by_whom_and_why(link, ana, production):
    ends = datetime(2099, 11, 24, 18, tzinfo=UTC)
    freeze(production, ends_at=ends, by=make_person("lena"))
    ana.is_superuser = True
    ana.save()
    decision = decided(ana, link)
    assert (decision.allowed, decision.rule) == (False, "freeze")
    assert decision.reason == (
        "Production is frozen until 24 Nov 2099, 18:00 UTC: Year-end close (set by Lena). "
        "Ask again after that."
    )


@pytest.mark.parametrize(
    ("starts", "ends", "stops"),
    [(-1, 1, True), (0, 1, True), (1, 2, False), (-2, 0, False)],
)
def test_it_stops_from_its_beginning_until_before_its_end(production, starts, ends, stops):
    now = timezone.now()
    one = freeze(production, starts_at=now + starts * HOUR, ends_at=now + ends * HOUR)
    target = Target("shop", environment="production")
    assert (freezes.in_force([one], target, now) is not None) == stops


SCOPES = frozenset(
    {
        ("everything", ""),
        ("team", "group:default/payments"),
        ("tag", "pci"),
        ("label", "tier=1"),
        ("server", "ci"),
        ("pipeline", "ci:acme/shop"),
    }
)


@pytest.mark.parametrize(
    ("kind", "ref", "stops"),
    [
        ("everything", "", True),
        ("team", "group:default/payments", True),
        ("team", "group:default/other", False),
        ("tag", "pci", True),
        ("label", "tier=1", True),
        ("label", "tier=2", False),
        ("server", "ci", True),
        ("pipeline", "ci:acme/*", True),
        ("pipeline", "ci:globex/*", False),
        ("system", "system:default/payments", False),
    ],
)
def test_its_scope_is_that_of_a_role_mapping(kind, ref, stops):
    one = freeze(scope_kind=kind, scope_ref=ref)
    target = Target("shop", SCOPES, "production")
    assert freezes.concerns(one, target) == stops


def test_one_of_another_environment_does_not_count(link, ana, production):
    freeze(Environment.objects.get(slug="staging"))
    assert decided(ana, link).allowed
    freeze()
    assert decided(ana, link).reason.startswith("Every environment is frozen until ")


def test_of_several_the_one_that_lasts_longest_is_named(production):
    soon, late = freeze(production), freeze(ends_at=timezone.now() + 5 * HOUR)
    target = Target("shop", environment="production")
    assert freezes.in_force([late, soon], target, timezone.now()) == late


def test_a_running_build_can_be_cancelled_and_not_retried(link, ana, production):
    freeze(production)
    running = make_build(link.pipeline, 1, "running")
    assert decided(ana, link, "cancel", running).allowed
    assert decided(ana, link, "retry", make_build(link.pipeline, 2)).rule == "freeze"


def test_who_may_break_the_glass_is_named_and_nobody_else(link, ana, production):
    make_person("dora", "deployer")
    freeze(production)
    assert decided(ana, link).helpers == ("anas (Admin)",)


# --- When it is asked and when it is sent ---------------------------------
def test_a_request_is_denied_and_audited(link, ana, production):
    freeze(production)
    outcome = ask(ana, link)
    assert outcome.trigger is None
    assert outcome.decision.rule == AuditEvent.objects.get(action="build.start").rule == "freeze"


def test_what_was_queued_before_is_denied_when_it_would_be_sent(link, ana, production):
    trigger = ask(ana, link).trigger
    freeze(production)
    dispatch.dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.state == "denied"
    assert trigger.message.startswith("Production is frozen until ")
    assert trigger.message.endswith("Ask again after that.")
    assert AuditEvent.objects.get(action="trigger.refused").rule == "freeze"


def test_a_freeze_set_between_claim_and_send_is_met(link, ana, production, monkeypatch):
    trigger = ask(ana, link).trigger

    def reached(point, key):
        if point == "after_claim":
            freeze(production)

    monkeypatch.setattr(dispatch, "reached", reached)
    dispatch.dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.state == "denied"
    assert not Build.objects.exists()


# --- Protected branches ---------------------------------
@pytest.mark.parametrize(
    ("globs", "branch", "problem"),
    [
        ("", "", ""),
        ("main, release/*", "main", ""),
        ("main\nrelease/*", "release/7", ""),
        ("main", "Main", "Production takes main only, not Main."),
        ("main, release/*", "x", "Production takes main and release/* only, not x."),
        ("*", "", "Production takes * only, and this run's branch is not known."),
    ],
)
def test_only_protected_branches_run_there(globs, branch, problem):
    environment = Environment(name="Production", protected_branches=globs)
    assert branch_problem(environment, branch) == problem


@pytest.mark.parametrize("action", ["retry", "promote"])
def test_what_acts_on_a_build_is_judged_by_its_branch(link, ana, production, action):
    production.protected_branches = "main"
    production.save()
    # Jenkins, say, can't promote: the branch is what is looked at here.
    link.pipeline.server.provider = "drone"
    good, bad = make_build(link.pipeline, 1), make_build(link.pipeline, 2, branch="x")
    unknown = make_build(link.pipeline, 3, branch="")
    assert decided(ana, link, action, good).allowed
    assert decided(ana, link, action, bad).reason == "Production takes main only, not x."
    assert "branch is not known" in decided(ana, link, action, unknown).reason
    running = make_build(link.pipeline, 4, "running", branch="x")
    assert decided(ana, link, "cancel", running).allowed


def test_a_branch_that_became_protected_is_met_when_it_is_sent(link, ana, production):
    trigger = ask(ana, link, branch="hotfix").trigger
    Environment.objects.filter(pk=production.pk).update(protected_branches="main")
    dispatch.dispatch(trigger.pk)
    assert Trigger.objects.get().message == "Production takes main only, not hotfix."
