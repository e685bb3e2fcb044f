"""What is implied and not said: a source's address may name a repository that is built there."""

import pytest

from pipelines.linking import link_entities
from pipelines.models import LinkProblem, PipelineLink
from tests.pipelines.world import make_pipeline, make_server, make_service

pytestmark = pytest.mark.django_db
SOURCE = "backstage.io/source-location"
SLUG = "bitbucket.org/repo-slug"
ADDRESS = "url:https://bitbucket.org/acme/shop/src/main/"


@pytest.fixture
def bitbucket():
    return make_server("bb", "bitbucket")


def linked():
    return list(PipelineLink.objects.values_list("pipeline__external_id", "annotation"))


def test_a_source_location_links_a_repository_that_is_known(bitbucket):
    make_pipeline(bitbucket, "acme/shop")
    make_service("shop", {SOURCE: ADDRESS})
    link_entities()
    assert linked() == [("acme/shop", SOURCE)]
    assert not LinkProblem.objects.exists()


@pytest.mark.parametrize("servers", [0, 1])
def test_a_source_location_that_finds_nothing_is_no_problem(servers):
    for number in range(servers):
        make_pipeline(make_server(f"bb{number}", "bitbucket"), "acme/shops")
    make_service("shop", {SOURCE: ADDRESS})
    make_service("cart", {SOURCE: "url:https://github.com/acme/cart/"})
    link_entities()
    assert linked() == []
    assert not LinkProblem.objects.exists()


def test_what_is_said_is_believed_before_what_is_implied(bitbucket):
    make_pipeline(bitbucket, "acme/shop")
    make_pipeline(bitbucket, "acme/shop-ci")
    make_service("shop", {SLUG: "acme/shop-ci", SOURCE: ADDRESS})
    link_entities()
    assert linked() == [("acme/shop-ci", SLUG)]


def test_what_is_said_and_finds_nothing_is_a_problem(bitbucket):
    make_pipeline(bitbucket, "acme/shop")
    make_service("shop", {SLUG: "acme/shops"})
    link_entities()
    assert LinkProblem.objects.get().nearest == "acme/shop"
