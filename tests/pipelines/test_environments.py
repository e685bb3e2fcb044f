"""The environment is computed by ordered rules; what is unknown counts as the strictest."""

import pytest

from pipelines.environments import read_rules
from pipelines.models import Environment, EnvironmentRule
from tests.pipelines.world import make_pipeline, make_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def pipeline():
    return make_pipeline(make_server("bk"), "acme/shop")


@pytest.fixture
def environments():
    for rank, slug in ((10, "development"), (50, "staging"), (90, "production")):
        Environment.objects.create(slug=slug, name=slug, rank=rank)


def rule(order, environment, **globs):
    return EnvironmentRule.objects.create(
        order=order, environment=Environment.objects.get(slug=environment), **globs
    )


def slug_of(pipeline, branch="main", parameters=None):
    return slugs_of(pipeline, branch, parameters or {})[0]


def slugs_of(pipeline, branch="main", parameters=None):
    found = read_rules().environments(pipeline, branch, parameters)
    return [environment.slug for environment in found]


def test_without_environments_there_is_none(pipeline):
    assert read_rules().environments(pipeline, "main", {}) == ()


@pytest.mark.usefixtures("environments")
def test_no_rule_that_matches_is_the_strictest(pipeline):
    rule(1, "development", server="other")
    rule(2, "development", pipeline="globex/*")
    rule(3, "development", branch="feature/*")
    assert slug_of(pipeline) == "production"


@pytest.mark.usefixtures("environments")
def test_the_first_rule_that_matches_decides(pipeline):
    rule(20, "development")
    rule(10, "staging", server="b*", pipeline="acme/*", branch="release/*")
    assert slug_of(pipeline, "release/7") == "staging"
    assert slug_of(pipeline, "main") == "development"


@pytest.mark.usefixtures("environments")
def test_a_parameter_decides_in_any_case_and_with_any_space_around_it(pipeline):
    rule(1, "production", parameter="TARGET=prod*")
    rule(2, "development")
    assert slug_of(pipeline, parameters={"TARGET": "PROD-eu"}) == "production"
    assert slug_of(pipeline, parameters={"TARGET": "\nprod\n"}) == "production"
    assert slug_of(pipeline, parameters={"TARGET": "test"}) == "development"
    assert slug_of(pipeline) == "development"


@pytest.mark.usefixtures("environments")
@pytest.mark.parametrize("globs", [{"pipeline": "acme/shop"}, {}])
@pytest.mark.parametrize(
    "given", [{"target": "staging"}, {"TARGET": "Staging"}, {"TARGET": "staging\n"}]
)
def test_another_spelling_never_makes_a_run_laxer(pipeline, globs, given):
    """A script that compares letter by letter takes it for its default, which is production."""
    pipeline.parameters = [{"name": name} for name in given]
    rule(1, "staging", parameter="TARGET=staging", **globs)
    rule(2, "production")
    assert slug_of(pipeline, parameters=given) == "production"
    pipeline.parameters = [{"name": "TARGET"}]
    assert slug_of(pipeline, parameters={"TARGET": "staging"}) == "staging"


@pytest.mark.usefixtures("environments")
def test_an_unknown_branch_is_the_strictest_that_it_could_be(pipeline):
    rule(1, "staging", branch="main")
    rule(2, "development")
    assert slug_of(pipeline, "") == "staging"


@pytest.mark.usefixtures("environments")
def test_unknown_parameters_are_the_strictest_that_they_could_be(pipeline):
    rule(1, "staging", parameter="TARGET=staging")
    assert slugs_of(pipeline) == ["production", "staging"]
    rule(2, "development")
    assert slugs_of(pipeline) == ["staging", "development"]


@pytest.mark.usefixtures("environments")
def test_a_branch_is_matched_with_its_case(pipeline):
    rule(1, "development", branch="Main")
    assert slug_of(pipeline, "main") == "production"
