"""Suggestions are true: applied they flip the decision, and nothing smaller would have."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.policy import NONE, Actor, Conditions, Grant, Question, Target
from portal.policy.suggestion import Kind, smallest_change, suggest
from tests.portal.policy.policies import NOW, ROLES, policy_of, wrong_with


@settings(max_examples=3000, deadline=None, database=None)
@given(st.integers(0, 2**48))
def test_a_suggestion_flips_the_decision_and_nothing_smaller_does(seed):
    """tests/bench/policy.py --property tries as many as one likes."""
    assert wrong_with(policy_of(seed)) == ""


@pytest.mark.parametrize("seed", [137, 5039774])
def test_what_is_mapped_already_is_not_suggested_again(seed):
    """A mapping of the very same stands there, with conditions that don't hold or can't be read."""
    assert wrong_with(policy_of(seed)) == ""


def test_the_policies_lead_to_every_kind_of_suggestion_and_to_none():
    found: Counter[str] = Counter()
    for seed in range(2000):
        policy = policy_of(seed)
        said = suggest(Question(policy.actor, policy.action, policy.target, NOW), policy.roles)
        assert said.sentence.endswith(".")
        found[said.change.kind if said.change else "none"] += 1
    assert min(found[kind] for kind in [*Kind, "none"]) >= 10


SERVICE = ("service", "component:default/pay")
TARGET = Target("pay", frozenset({SERVICE, ("team", "group:default/money")}), "production")


def grant(
    role: str, kind: str = "everything", ref: str = "", environment: str = "", **more
) -> Grant:
    return Grant(role, ROLES[role], kind, ref, environment, 7, "idp:a", **more)


def sentence(*grants: Grant, target: Target = TARGET, **actor) -> str:
    groups = actor.pop("groups", frozenset({"idp:a", "idp:b"}))
    person = Actor(1, "Ana", groups=groups, grants=grants, **actor)
    return suggest(Question(person, "build.start", target, NOW), ROLES).sentence


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        (grant("Developer"), "give idp:a the role Deployer instead of Developer for everything"),
        (grant("Approver"), "give idp:a the role Deployer instead of Approver for everything"),
        (
            grant("Deployer", "tag", "java"),
            "let the role Deployer of idp:a cover service component:default/pay besides tag java",
        ),
        (
            grant("Deployer", environment="staging"),
            "let the role Deployer of idp:a for everything hold in production, too",
        ),
        (
            grant("Deployer", conditions=Conditions(branches="main")),
            "let the role Deployer of idp:a for everything hold on the branches main, fix",
        ),
        (
            grant("Deployer", conditions=Conditions(hours="Sun 10:00-11:00 UTC")),
            "let the role Deployer of idp:a for everything hold under no conditions",
        ),
        (
            grant("Viewer", "tag", "java"),
            "give idp:a the role Deployer for service component:default/pay in production",
        ),
    ],
)
def test_the_smallest_change_in_words(given_, words):
    target = replace(TARGET, branch="fix")
    assert sentence(given_, target=target) == f"Smallest change: {words}."


def test_where_no_environment_is_asked_about_the_smallest_role_is_to_hold_in_any():
    nowhere = replace(TARGET, environment="")
    owner = grant("Owner", environment="staging")
    assert sentence(owner, target=nowhere) == (
        "Smallest change: give idp:a the role Deployer for everything in any environment, "
        "besides Owner in staging."
    )
    deployer = grant("Deployer", environment="staging")
    assert sentence(deployer, target=nowhere) == (
        "Smallest change: let the role Deployer of idp:a for everything hold in any environment, "
        "with all that it allows in each of them."
    )


@pytest.mark.parametrize(
    ("target", "actor", "words"),
    [
        (replace(TARGET, blocked="Two claim it."), {}, "No change of roles helps here."),
        (replace(TARGET, requester=1), {}, "No change of roles helps here."),
        (TARGET, {"ceiling": frozenset()}, "No change of roles helps here."),
        (TARGET, {"incomplete": "Too many."}, "No change of roles helps here."),
        (replace(TARGET, frozen="Frozen."), {}, "No change of roles helps here: Frozen."),
        (TARGET, {"groups": frozenset()}, "Ana is in no group that a role could be given to; join "
         "one first."),
    ],
)  # fmt: skip
def test_where_no_change_helps_the_sentence_says_so(target, actor, words):
    assert sentence(target=target, **actor) == words


def test_a_role_that_would_take_something_away_stands_beside_the_old_one():
    roles = {"Reader": frozenset({"log.view"}), "Starter": frozenset({"build.start"})}
    reader = Grant("Reader", roles["Reader"], "everything", "", "", 7, "idp:a")
    person = Actor(1, "Ana", groups=frozenset({"idp:a"}), grants=(reader,))
    change = smallest_change(person, "build.start", TARGET, roles, NOW)
    assert change is not None
    assert change.words() == "give idp:a the role Starter besides Reader for everything"
    assert change.apply(person.grants)[0] == reader


def test_nothing_is_suggested_where_no_role_allows_it():
    person = Actor(1, "Ana", groups=frozenset({"idp:a"}))
    said = suggest(Question(person, "link.confirm", TARGET, NOW), ROLES)
    assert said.sentence == "No role may confirm a pipeline link here; make one first."


def test_a_pipelines_name_is_no_pattern():
    target = Target("pay", frozenset({("pipeline", "jenkins:pay[1]*")}))
    person = Actor(1, "Ana", groups=frozenset({"idp:a"}))
    change = smallest_change(person, "build.start", target, ROLES, NOW)
    assert change is not None
    assert change.grant.scope_ref == "jenkins:pay[[]1][*]"
    assert change.grant.covers(target)
    assert change.grant.conditions == NONE
