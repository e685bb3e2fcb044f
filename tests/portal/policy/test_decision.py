"""decide(): default deny, and the nearest miss in words."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from portal.policy import (
    ANONYMOUS,
    PEOPLE_ONLY,
    Actor,
    Conditions,
    Effect,
    Grant,
    Target,
    decide,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SERVICE = "component:default/payments-api"
TARGET = Target(
    label="payments-api",
    scopes=frozenset(
        {
            ("service", SERVICE),
            ("system", "system:default/payments"),
            ("team", "group:default/payments"),
        }
    ),
    environment="production",
    helpers=("Payments team",),
)


def grant(
    *permissions: str,
    kind: str = "everything",
    ref: str = "",
    environment: str = "",
    role: str = "Deployer",
) -> Grant:
    return Grant(role, frozenset(permissions), kind, ref, environment)


def actor(*grants: Grant) -> Actor:
    return Actor(user_id=1, name="Ana", grants=grants)


def test_nobody_may_do_anything_without_a_grant():
    decision = decide(actor(), "build.start", TARGET, now=NOW)
    assert (decision.effect, decision.rule) == (Effect.DENY, "no-role")
    assert decision.helpers == ("Payments team",)


@pytest.mark.parametrize("who", [ANONYMOUS, replace(actor(grant("build.start")), active=False)])
def test_only_an_active_person_may_act(who):
    assert decide(who, "build.start", TARGET, now=NOW).rule == "signed-out"


@pytest.mark.parametrize(
    ("kind", "ref"),
    [
        ("everything", ""),
        ("service", SERVICE),
        ("system", "system:default/payments"),
        ("team", "group:default/payments"),
    ],
)
def test_a_grant_allows_in_its_scope(kind, ref):
    decision = decide(
        actor(grant("build.start", kind=kind, ref=ref)), "build.start", TARGET, now=NOW
    )
    assert decision.allowed
    assert decision.grant is not None


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (grant("build.start", environment="staging"), "environment"),
        (grant("build.start", kind="team", ref="group:default/search"), "scope"),
        (grant("log.view", role="Viewer"), "permission"),
        (grant("log.view", kind="team", ref="group:default/search"), "no-role"),
    ],
)
def test_a_denial_names_the_nearest_miss(given, rule):
    decision = decide(actor(given), "build.start", TARGET, now=NOW)
    assert (decision.effect, decision.rule) == (Effect.DENY, rule)


def test_a_role_in_an_environment_is_said_not_to_hold_where_there_is_none():
    given = actor(grant("entity.refresh", role="Deployer", environment="staging"))
    in_production = decide(given, "entity.refresh", TARGET, now=NOW)
    assert in_production.reason == (
        "You may have an entity read again here in staging; this takes effect in production."
    )
    nowhere = decide(given, "entity.refresh", replace(TARGET, environment=""), now=NOW)
    assert nowhere.reason == (
        "Your role here is Deployer, in staging only, and this is about no environment."
    )


def test_an_unknown_action_is_denied():
    assert decide(actor(grant("build.start")), "build.explode", TARGET, now=NOW).rule == (
        "unknown-action"
    )


def test_a_blocked_target_refuses_whoever_holds_a_grant():
    target = replace(TARGET, blocked="Two entities claim this pipeline.")
    decision = decide(actor(grant("build.start")), "build.start", target, now=NOW)
    assert (decision.rule, decision.reason) == ("blocked", "Two entities claim this pipeline.")


def test_ones_own_approval_never_counts():
    target = replace(TARGET, approvals_needed=1)
    asked = actor(grant("build.start"))
    assert decide(asked, "build.start", target, now=NOW, approvals=[1]).effect is (
        Effect.NEEDS_APPROVAL
    )
    assert decide(asked, "build.start", target, now=NOW, approvals=[1, 2]).allowed


def test_where_one_role_is_named_no_other_counts():
    target = replace(TARGET, role="Lead")
    other, lead = grant("trigger.approve"), grant("trigger.approve", role="Lead")
    assert decide(actor(other), "trigger.approve", target, now=NOW).rule == "role"
    assert decide(actor(other, lead), "trigger.approve", target, now=NOW).grant == lead
    elsewhere = replace(lead, environment="staging")
    assert decide(actor(other, elsewhere), "trigger.approve", target, now=NOW).rule == "environment"


def test_a_condition_that_fails_is_the_reason():
    on_main = replace(grant("build.start"), conditions=Conditions(branches="main"))
    decision = decide(actor(on_main), "build.start", replace(TARGET, branch="fix"), now=NOW)
    assert (decision.effect, decision.rule) == (Effect.DENY, "condition")
    assert decision.reason == "Your role holds on the branches main only; this is fix."
    assert decide(actor(on_main), "build.start", replace(TARGET, branch="main"), now=NOW).allowed


def test_a_condition_on_what_is_still_to_be_chosen_refuses_nothing():
    on_main = replace(grant("build.start"), conditions=Conditions(branches="main"))
    assert not decide(actor(on_main), "build.start", TARGET, now=NOW).allowed
    assert decide(actor(on_main), "build.start", replace(TARGET, unchosen=True), now=NOW).allowed


def test_a_grant_without_conditions_stands_beside_one_with():
    on_main = replace(grant("build.start"), conditions=Conditions(branches="main"))
    both = actor(on_main, grant("build.start"))
    assert decide(both, "build.start", TARGET, now=NOW).allowed


def test_what_a_build_carries_on_has_to_meet_the_condition_too():
    """A gate or a promotion that is given TARGET=staging may not hide that it was production."""
    rule = Conditions(parameters="TARGET: one of staging")
    given = replace(TARGET, parameters={"TARGET": "staging"})
    person = actor(replace(grant("build.unblock"), conditions=rule))
    assert decide(person, "build.unblock", given, now=NOW).allowed
    carried = replace(given, carried={"TARGET": "production"})
    assert decide(person, "build.unblock", carried, now=NOW).rule == "condition"


def test_a_token_may_only_what_it_was_made_for():
    token = replace(actor(grant("build.start")), ceiling=frozenset({"log.view"}))
    decision = decide(token, "build.start", replace(TARGET, helpers=("Payments",)), now=NOW)
    assert (decision.rule, decision.sentence) == (
        "token",
        "This token was not made to start builds. Make a token that may start builds.",
    )


@pytest.mark.parametrize("action", sorted(PEOPLE_ONLY))
def test_no_token_does_what_is_for_people_even_one_that_was_made_to(action):
    token = replace(actor(grant(action)), ceiling=frozenset({action}))
    decision = decide(token, action, TARGET, now=NOW)
    assert decision.rule == "token"
    assert decision.sentence.endswith(": a person has to.")


def test_whoever_may_do_it_does_not_help_somebody_whose_groups_are_not_all_known():
    someone = replace(actor(grant("build.start")), incomplete="Too many groups. Sign in again.")
    decision = decide(someone, "build.start", TARGET, now=NOW)
    assert decision.rule == "groups-incomplete"
    assert decision.sentence == "Too many groups. Sign in again."
