"""Every action's environment is computed from what would run; nothing that is given hides it."""

import pytest

from pipelines.effects import effect_of
from pipelines.models import Environment, EnvironmentRule, Trigger
from tests.pipelines.world import make_build, make_pipeline, make_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def pipeline():
    return make_pipeline(make_server("drone", "drone"), "acme/shop")


@pytest.fixture
def environments():
    for rank, slug in ((10, "development"), (50, "staging"), (90, "production")):
        Environment.objects.create(slug=slug, name=slug.capitalize(), rank=rank)


def rule(order, environment, **globs):
    return EnvironmentRule.objects.create(
        order=order, environment=Environment.objects.get(slug=environment), **globs
    )


def where(action, pipeline, **fields):
    parameters = fields.pop("parameters", {})
    return effect_of(action, pipeline, "", parameters, **fields).environment.slug


def started(pipeline, number=1, action="start", **fields):
    """A build that Stagedoor started so."""
    trigger = Trigger.objects.create(action=action, pipeline=pipeline, branch="main", **fields)
    return make_build(pipeline, number, trigger=trigger)


# --- Promotion --------------------------------------------------------------------------------
@pytest.mark.usefixtures("environments")
def test_a_promotion_takes_effect_where_a_rule_says_of_its_target(pipeline):
    rule(1, "staging", parameter="PROMOTE_TO=staging")
    rule(2, "production", parameter="promote_to=prod*")
    build = started(pipeline)
    assert where("promote", pipeline, build=build, subject="staging") == "staging"
    assert where("promote", pipeline, build=build, subject="prod-eu") == "production"


@pytest.mark.usefixtures("environments")
def test_a_promotion_that_no_rule_names_is_the_strictest(pipeline):
    """Builds of main run in development; that says nothing of where they are promoted to."""
    rule(1, "development", branch="main")
    build = started(pipeline)
    assert where("retry", pipeline, build=build) == "development"
    assert where("promote", pipeline, build=build, subject="live") == "production"


@pytest.mark.usefixtures("environments")
def test_a_promotions_variables_do_not_move_it(pipeline):
    rule(1, "development", parameter="PROMOTE_TO=development")
    rule(2, "development", parameter="TARGET=development")
    effect = effect_of(
        "promote",
        pipeline,
        "",
        {"TARGET": "development", "promote_to": "development"},
        subject="live",
        build=started(pipeline),
    )
    assert effect.environment.slug == "production"
    assert "Stagedoor's own" in effect.errors["parameter:promote_to"]


@pytest.mark.usefixtures("environments")
def test_a_promotions_variables_make_it_stricter(pipeline):
    """A script may read TARGET in place of where the promotion goes."""
    rule(1, "production", parameter="target=prod*")
    rule(2, "production", branch="main")
    rule(3, "staging", parameter="PROMOTE_TO=staging")
    promotion = {"build": started(pipeline), "subject": "staging"}
    given = {"TARGET": "production"}
    assert where("promote", pipeline, parameters=given, **promotion) == "production"
    assert where("promote", pipeline, parameters={"SPEED": "fast"}, **promotion) == "staging"
    promoted = started(pipeline, 2, "promote", subject="staging", parameters=given)
    assert where("retry", pipeline, build=promoted) == "production"


@pytest.mark.usefixtures("environments")
def test_a_promotion_carries_the_variables_of_its_build(pipeline):
    rule(1, "production", parameter="TARGET=prod*")
    rule(2, "staging", parameter="PROMOTE_TO=staging")
    build = started(pipeline, parameters={"TARGET": "production"})
    assert where("promote", pipeline, build=build, subject="staging") == "production"
    promoted = started(pipeline, 2, "promote", subject="staging", build=build)
    assert where("retry", pipeline, build=promoted) == "production"


@pytest.mark.usefixtures("environments")
def test_what_was_promoted_is_retried_and_cancelled_where_it_went(pipeline):
    rule(1, "staging", parameter="PROMOTE_TO=staging")
    rule(2, "development")
    promoted = started(pipeline, 2, "promote", subject="production")
    assert where("retry", pipeline, build=promoted) == "production"
    again = started(pipeline, 3, "retry", build=promoted)
    assert where("cancel", pipeline, build=again) == "production"
    rule(0, "development", parameter="PROMOTE_TO=production")
    assert where("cancel", pipeline, build=again) == "development"


@pytest.mark.usefixtures("environments")
@pytest.mark.parametrize("target", ["", "a b", "x\ny", "-rf", "$(id)", "x" * 101, "Production"])
def test_a_target_that_is_none_is_refused(pipeline, target):
    effect = effect_of("promote", pipeline, "", {}, subject=target, build=started(pipeline))
    assert "target" in effect.errors


# --- Unblock ----------------------------------------------------------------------------------
@pytest.mark.usefixtures("environments")
def test_a_gate_opens_where_its_build_runs(pipeline):
    rule(1, "staging", branch="main")
    assert where("unblock", pipeline, build=started(pipeline)) == "staging"


@pytest.mark.usefixtures("environments")
def test_what_a_gate_is_given_makes_it_stricter_and_never_laxer(pipeline):
    rule(1, "production", parameter="TARGET=prod*")
    rule(2, "development", parameter="TARGET=dev")
    rule(3, "staging", branch="main")
    build = started(pipeline)
    asked = {"build": build, "parameters": {"TARGET": " PROD "}}
    assert where("unblock", pipeline, **asked) == "production"
    assert where("unblock", pipeline, build=build, parameters={"TARGET": "dev"}) == "staging"


@pytest.mark.usefixtures("environments")
def test_a_rule_may_name_a_gate(pipeline):
    rule(1, "production", parameter="UNBLOCK=*production*")
    rule(2, "staging", branch="main")
    asked = {"build": started(pipeline), "subject_name": "Deploy to Production?"}
    assert where("unblock", pipeline, **asked) == "production"


@pytest.mark.usefixtures("environments")
def test_a_build_that_was_started_elsewhere_is_the_strictest_that_it_could_be(pipeline):
    rule(1, "production", parameter="TARGET=production")
    rule(2, "development", branch="main")
    build = make_build(pipeline, 1)
    for action in ("unblock", "cancel", "retry"):
        assert where(action, pipeline, build=build) == "production"


# --- Variables --------------------------------------------------------------------------------
@pytest.mark.usefixtures("environments")
def test_a_variable_of_ones_own_moves_no_run_to_a_laxer_place(pipeline):
    """The pipeline may never read it. A rule that names the pipeline knows that it does."""
    rule(1, "development", parameter="TARGET=development")
    rule(2, "production", branch="main")
    given = {"TARGET": "development"}
    assert where("start", pipeline, parameters=given) == "production"
    rule(0, "development", pipeline="acme/shop", parameter="TARGET=development")
    assert where("start", pipeline, parameters=given) == "development"


@pytest.mark.usefixtures("environments")
@pytest.mark.parametrize("name", ["TARGET", "target", "Target"])
def test_a_variable_moves_a_run_to_a_stricter_place_however_it_is_written(pipeline, name):
    rule(1, "production", parameter="TARGET=production")
    rule(2, "development", branch="main")
    assert where("start", pipeline, parameters={name: " Production "}) == "production"


@pytest.mark.usefixtures("environments")
def test_two_names_that_differ_in_case_only_are_refused(pipeline):
    effect = effect_of("start", pipeline, "", {"TARGET": "dev", "target": "prod"})
    assert set(effect.errors) == {"parameter:TARGET", "parameter:target"}


# --- Activation -------------------------------------------------------------------------------
@pytest.mark.usefixtures("environments")
def test_an_activation_is_as_strict_as_any_build_of_the_pipeline_could_be(pipeline):
    rule(1, "staging", branch="main")
    rule(2, "development")
    assert where("activate", pipeline) == "staging"


# --- The commit -------------------------------------------------------------------------------
def test_a_retry_keeps_the_commit(pipeline):
    told = make_build(pipeline, 1, commit="a" * 40)
    assert effect_of("retry", pipeline, "", {}, build=told).commit == "a" * 40
    asked = started(pipeline, 2, commit="b" * 40)
    assert effect_of("retry", pipeline, "", {}, build=asked).commit == "b" * 40
