"""Nobody gets past a freeze: who is stopped by which, when, and what they read."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from pipelines import awaiting, dispatch, freezes
from pipelines.environments import branch_problem
from pipelines.models import Build, Environment, EnvironmentRule, Trigger
from portal.access import fresh_actor
from portal.models import AuditEvent, Role, RoleMapping
from portal.policy import Target
from tests.pipelines import four_eyes
from tests.pipelines.four_eyes import decided, freeze
from tests.pipelines.world import make_build, make_person

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def ana():
    return make_person("ana", "admin")


def ask(person, link, **fields):
    return four_eyes.ask(person, link, **{"commit": "", **fields})


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


def test_without_any_environment_one_of_every_environment_stops_all_the_same(link, ana):
    Environment.objects.all().delete()
    freeze(scope_kind="pipeline", scope_ref="*:globex/*")
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


def test_what_is_refused_stands_on_the_builds_page_with_the_reason(link, ana, production, client):
    client.force_login(ana)
    build = make_build(link.pipeline, 2, "failed")
    url = reverse("pipelines:build_detail", args=[build.pk])
    assert "disabled" not in client.get(url).content.decode()
    freeze(production)
    page = client.get(url).content.decode()
    assert 'disabled aria-describedby="why-retry">Retry</button>' in page
    assert "Retry: Production is frozen until" in page
    assert "Break the glass" in page


def test_a_retry_that_a_freeze_denies_says_so_to_who_asked(link, ana, production, client):
    """Set after the page was drawn; or after it was asked for, and before it was sent."""
    client.force_login(ana)
    build = make_build(link.pipeline, 2, "failed")
    trigger = four_eyes.asked(ana, link, action="retry", build=build)
    freeze(production)
    url = reverse("pipelines:build_retry", args=[build.pk])
    answer = client.post(url, {"request_id": str(uuid.uuid4())}, follow=True)
    assert "retry this build: Production is frozen until" in answer.content.decode()
    dispatch.dispatch(trigger.pk)
    url = reverse("pipelines:trigger_detail", args=[trigger.request_id])
    assert "about to be sent: Production is frozen until" in client.get(url).content.decode()
    assert "Production is frozen until" in client.get("/").content.decode()
    trail = AuditEvent.objects.get(action="trigger.refused")
    assert (trail.on_behalf_of, trail.rule) == ("Ana", "freeze")


# --- What is not known ---------------------------------
def elsewhere(link, state="failed", number=1, **fields):
    """A build that was started elsewhere: by a parameter that nobody knows it may be in staging."""
    staging = Environment.objects.get(slug="staging")
    EnvironmentRule.objects.get_or_create(order=1, parameter="TARGET=test", environment=staging)
    return make_build(link.pipeline, number, state, **fields)


def test_one_of_a_laxer_environment_stops_what_may_take_effect_there(link, ana, production):
    build = elsewhere(link)
    assert decided(ana, link, "retry", build).allowed
    freeze(Environment.objects.get(slug="staging"))
    decision = decided(ana, link, "retry", build)
    assert decision.rule == "freeze"
    assert decision.reason.startswith("Staging is frozen until ")
    assert decision.reason.endswith("Whether this takes effect in Staging is not known.")


def test_approvals_of_a_laxer_environment_count_for_what_may_take_effect_there(link, ana):
    build = elsewhere(link, commit="a" * 40)
    Environment.objects.filter(slug="staging").update(approvals=2, approval_minutes=7)
    assert decided(ana, link, "retry", build).effect == "needs_approval"
    trigger = four_eyes.asked(ana, link, action="retry", build=build)
    assert (trigger.approvals_needed, trigger.environment.slug) == (2, "production")


def test_of_several_environments_that_which_asks_names_who_approves(link, ana, production):
    """Production asks nobody; that the run is in staging as well is possible and no more."""
    stager = Role.objects.create(slug="st", name="Stager", permissions=["trigger.approve"], rank=35)
    staging = Environment.objects.get(slug="staging")
    EnvironmentRule.objects.create(order=1, parameter="DEPLOY=qa", environment=staging)
    Environment.objects.update(approvals=0)
    Environment.objects.filter(pk=staging.pk).update(approvals=1, approver_role=stager)
    ben, lena = make_person("ben", "deployer"), make_person("lena", "admin")
    trigger = four_eyes.asked(ana, link, parameters={"DEPLOY": "QA"})
    assert (trigger.state, trigger.environment.slug) == ("awaiting", "production")
    for person in (ben, lena):
        assert "Only people with the role Stager" in four_eyes.approve(person, trigger)
    RoleMapping.objects.create(group="idp:bens", role=stager, environment="staging")
    assert awaiting.one(fresh_actor(lena.pk), trigger).who == ("bens (Stager)",)
    assert four_eyes.approve(ben, trigger) == ""


def test_protected_branches_of_a_laxer_environment_count_too(link, ana):
    build = elsewhere(link, branch="x")
    Environment.objects.filter(slug="staging").update(protected_branches="main")
    assert decided(ana, link, "retry", build).reason == "Staging takes main only, not x."


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
    good = make_build(link.pipeline, 1, cause="push")
    bad = make_build(link.pipeline, 2, branch="x")
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


def named(link, person, **fields):
    """A build of main in staging, of a commit that somebody typed."""
    staging = Environment.objects.get(slug="staging")
    EnvironmentRule.objects.all().delete()
    EnvironmentRule.objects.create(order=1, branch="main", environment=staging)
    trigger = four_eyes.asked(person, link, branch="main", **fields)
    return make_build(link.pipeline, trigger.pk, trigger=trigger, commit="c" * 40)


@pytest.mark.parametrize(("typed", "stops"), [("c" * 40, True), ("", False)])
def test_a_typed_commit_is_on_no_protected_branch_wherever_it_is_promoted(
    link, ana, production, typed, stops
):
    """Else it would get there by way of an environment that asks for nothing."""
    Environment.objects.filter(pk=production.pk).update(protected_branches="main")
    link.pipeline.server.provider = "drone"
    build = named(link, ana, commit=typed)
    decision = decided(ana, link, "promote", build)
    assert (decision.rule == "commit") == stops
    again = four_eyes.asked(ana, link, action="retry", build=build)
    assert again.on_branch != stops
    retried = make_build(link.pipeline, 90, trigger=again, commit="c" * 40)
    assert decided(ana, link, "promote", retried).rule == decision.rule
    promoted = Trigger.objects.create(
        action="promote", pipeline=link.pipeline, build=build, subject="qa",
        on_branch=again.on_branch,
    )  # fmt: skip
    further = make_build(link.pipeline, 91, trigger=promoted, commit="c" * 40)
    assert decided(ana, link, "promote", further).rule == decision.rule


def test_a_typed_commit_is_on_no_protected_branch_when_it_is_retried_or_unblocked(
    link, ana, production
):
    build = named(link, ana)
    Environment.objects.update(protected_branches="main")
    assert decided(ana, link, "retry", build).rule == "commit"
    waiting = make_build(link.pipeline, 92, "waiting", trigger=None, cause="api")
    assert decided(ana, link, "unblock", waiting).rule == "commit"


def test_a_typed_commit_is_met_when_it_is_sent(link, ana, production):
    trigger = four_eyes.asked(ana, link, branch="main")
    Environment.objects.update(protected_branches="main")
    dispatch.dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.state == "denied"
    assert "named by hand" in trigger.message


@pytest.mark.parametrize(
    ("cause", "allowed"),
    [("push", True), ("schedule", True), ("api", False), ("pull_request", False), ("", False)],
)
def test_of_other_builds_the_branch_counts_that_the_vendor_began_them_for(
    link, ana, production, cause, allowed
):
    Environment.objects.filter(pk=production.pk).update(protected_branches="main")
    build = make_build(link.pipeline, 1, cause=cause)
    decision = decided(ana, link, "retry", build)
    assert decision.allowed == allowed
    cannot_tell = "Stagedoor can't tell that this build's commit is on main: start main anew."
    assert allowed or decision.reason.endswith(cannot_tell)


def test_where_nobody_can_name_a_commit_the_branch_is_that_of_the_server(link, ana, production):
    Environment.objects.filter(pk=production.pk).update(protected_branches="main")
    link.pipeline.server.provider = "jenkins"
    assert decided(ana, link, "retry", make_build(link.pipeline, 1)).allowed


def test_others_may_approve_a_typed_commit_of_a_protected_branch(link, ana, production):
    Environment.objects.filter(pk=production.pk).update(protected_branches="main", approvals=1)
    assert four_eyes.ask(ana, link, branch="main").trigger.state == "awaiting"
