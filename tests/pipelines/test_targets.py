"""Conditions are judged on what would really run: branch and parameters, chosen or carried on."""

import pytest

from pipelines.effects import effect_of
from pipelines.facts import facts_of
from pipelines.models import Trigger
from pipelines.targets import decide_effect
from portal.access import actor_for
from portal.models import RoleMapping
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
TARGET = {"name": "TARGET", "choices": ["staging", "production"], "default": "staging"}


@pytest.fixture
def ana():
    make_environments()
    user = make_person("ana", "deployer")
    RoleMapping.objects.update(parameters="TARGET: one of staging", branches="main")
    return user


@pytest.fixture
def deploy():
    pipeline = make_pipeline(make_server("jenkins", "jenkins"), "deploy", parameters=[TARGET])
    confirmed_link(make_service("pay"), pipeline)
    return pipeline


def rule(user, pipeline, action, parameters, *, build=None, branch="main", commit=""):
    entity = pipeline.links.get().entity
    facts = facts_of(entity, [pipeline])
    given = {"commit": commit, "build": build, "rules": facts.rules}
    effect = effect_of(action, pipeline, branch, parameters, **given)
    return decide_effect(actor_for(user), action, pipeline, effect, facts, build=build).rule


@pytest.mark.parametrize(
    ("branch", "target", "expected"),
    [
        ("main", "staging", "grant"),
        ("main", "production", "condition"),
        ("fix", "staging", "condition"),
    ],
)
def test_a_start_is_judged_by_what_was_chosen(ana, deploy, branch, target, expected):
    pipeline = deploy
    assert rule(ana, pipeline, "start", {"TARGET": target}, branch=branch) == expected


def test_a_commit_that_somebody_names_is_on_no_branch_that_a_role_holds_on(ana, deploy):
    assert rule(ana, deploy, "start", {"TARGET": "staging"}, commit="a" * 40) == "condition"
    build = built(deploy, "staging")
    Trigger.objects.update(commit="a" * 40)
    build.trigger.refresh_from_db()
    assert rule(ana, deploy, "retry", {}, build=build) == "condition"
    build.state = "running"
    assert rule(ana, deploy, "cancel", {}, build=build) == "grant"


@pytest.mark.parametrize(
    ("started_with", "expected"),
    [("staging", "grant"), ("production", "condition"), (None, "condition")],
)
def test_a_retry_is_judged_by_what_its_build_was_started_with(ana, deploy, started_with, expected):
    build = built(deploy, started_with)
    assert rule(ana, deploy, "retry", {}, build=build) == expected


@pytest.mark.parametrize(
    ("started_with", "expected"), [("staging", "grant"), ("production", "condition")]
)
def test_a_gate_hides_nothing_of_what_its_build_was_started_with(
    ana, deploy, started_with, expected
):
    build = built(deploy, started_with, state="waiting")
    assert rule(ana, deploy, "unblock", {"TARGET": "staging"}, build=build) == expected


def built(pipeline, started_with, **fields):
    """A build of ours with that TARGET; None: one that was started elsewhere."""
    build = make_build(pipeline, 1, **{"state": "failed", "branch": "main", **fields})
    if started_with:
        build.trigger = Trigger.objects.create(
            action="start", pipeline=pipeline, parameters={"TARGET": started_with}, branch="main"
        )
        build.save()
    return build
