"""What pages offer: no button is dead that some choice of branch and parameters would satisfy."""

import pytest

from pipelines.models import Environment, EnvironmentRule
from pipelines.offers import Offers
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
CHOICES = [{"name": "TARGET", "choices": ["staging", "production"], "default": "staging"}]


@pytest.fixture
def deploy():
    """What TARGET says decides where it takes effect."""
    staging, production = make_environments()
    EnvironmentRule.objects.all().delete()
    EnvironmentRule.objects.create(order=1, parameter="TARGET=staging", environment=staging)
    EnvironmentRule.objects.create(order=2, environment=production)
    return make_pipeline(make_server("jenkins", "jenkins"), "deploy", parameters=CHOICES)


def run(pipeline, **mapping):
    entity = make_service("pay")
    confirmed_link(entity, pipeline)
    ana = make_person("ana", "deployer")
    RoleMapping.objects.update(**mapping)
    return Offers(actor_for(ana), entity, [pipeline]).run(pipeline)


@pytest.mark.parametrize(
    ("mapping", "limits"),
    [
        ({}, ""),
        ({"branches": "main"}, ""),
        ({"branches": "release/*"}, "in staging, on the branches release/*"),
        ({"environment": "production"}, "in production"),
        (
            {"parameters": "TARGET: one of production", "environment": "production"},
            "in production, with TARGET: one of production",
        ),
    ],
)
def test_what_may_be_run_with_some_choice_is_offered_and_says_with_which(deploy, mapping, limits):
    decision = run(deploy, **mapping)
    assert decision.askable
    assert decision.limits == limits


@pytest.mark.parametrize(
    ("mapping", "rule"),
    [
        ({"hours": "08:00-08:00 UTC"}, "condition"),
        ({"parameters": "nonsense"}, "condition"),
        ({"environment": "elsewhere"}, "environment"),
        ({"scope_kind": "tag", "scope_ref": "java"}, "scope"),
    ],
)
def test_what_no_choice_would_satisfy_is_not_offered(deploy, mapping, rule):
    assert run(deploy, **mapping).rule == rule


def test_an_environment_that_no_rule_leads_to_is_not_offered(deploy):
    EnvironmentRule.objects.filter(order=1).delete()
    assert run(deploy, environment="staging").rule == "environment"


def test_why_nothing_is_promoted_is_said_of_the_strictest_environment(deploy):
    deploy.server.provider = "drone"
    for rank in range(30, 90, 5):
        middle = Environment.objects.create(slug=f"e{rank}", name=f"E{rank}", rank=rank)
        EnvironmentRule.objects.create(order=rank, branch=f"b{rank}", environment=middle)
    Environment.objects.update(protected_branches="main")
    entity = make_service("pay")
    confirmed_link(entity, deploy)
    offers = Offers(actor_for(make_person("ana", "admin")), entity, [deploy])
    build = make_build(deploy, 1, branch="x", cause="push")
    assert offers.decisions(build)["promote"].reason == "Production takes main only, not x."
