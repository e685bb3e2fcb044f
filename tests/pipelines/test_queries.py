"""What pages read: the state that matters, and as many queries for many rows as for few."""

import pytest

from pipelines import queries
from tests.pipelines.world import (
    BUILDKITE_KEY,
    JENKINS_KEY,
    confirmed_link,
    make_build,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def link():
    return confirmed_link(make_service("shop"), make_pipeline(make_server(), "acme/shop"))


def worst(entity):
    """As a service page computes it."""
    pipelines = [link.pipeline for link in queries.links_of(entity)]
    newest = queries.newest_builds([pipeline.pk for pipeline in pipelines], 5)
    last = [queries.newest_of_default_branch(one, newest[one.pk]) for one in pipelines]
    return queries.worst(build for build in last if build)


def another(link, name="acme/deploy"):
    return make_pipeline(link.pipeline.server, name)


def test_a_service_is_in_the_worst_state_of_its_pipelines_newest_builds(link):
    deploy = confirmed_link(link.entity, another(link)).pipeline
    make_build(link.pipeline, 1, "failed", minutes_ago=9)
    make_build(link.pipeline, 2, "passed", minutes_ago=1)
    broken = make_build(deploy, 1, "failed", minutes_ago=30)
    assert worst(link.entity) == broken
    assert queries.states_of([link.entity]) == {link.entity.pk: broken}


def test_other_branches_say_nothing_about_a_services_state(link):
    main = make_build(link.pipeline, 1, "passed", minutes_ago=9)
    make_build(link.pipeline, 2, "failed", branch="try-it")
    assert worst(link.entity) == main
    assert queries.states_of([link.entity]) == {link.entity.pk: main}


def test_of_several_in_one_state_the_newest_is_shown(link):
    deploy = confirmed_link(link.entity, another(link)).pipeline
    make_build(link.pipeline, 1, "passed", minutes_ago=90)
    newest = make_build(deploy, 1, "passed", minutes_ago=2)
    assert worst(link.entity) == newest
    assert queries.states_of([link.entity]) == {link.entity.pk: newest}


def test_pipelines_stand_in_the_order_of_the_descriptor():
    written = {JENKINS_KEY: "acme/shop,acme/shop-deploy", BUILDKITE_KEY: "acme/a-smoke"}
    entity = make_service("ordered", written)
    smoke = make_pipeline(make_server("a-first-by-name"), "acme/a-smoke")
    jenkins = make_server("jenkins", "jenkins")
    for pipeline, key in [
        (smoke, BUILDKITE_KEY),
        (make_pipeline(jenkins, "acme/shop-deploy", name="a deploy"), JENKINS_KEY),
        (make_pipeline(jenkins, "acme/shop", name="shop"), JENKINS_KEY),
    ]:
        link = confirmed_link(entity, pipeline)
        link.annotation = key
        link.save()
    ids = [link.pipeline.external_id for link in queries.links_of(entity)]
    assert ids == ["acme/shop", "acme/shop-deploy", "acme/a-smoke"]


def test_unknown_is_worse_than_passed(link):
    deploy = confirmed_link(link.entity, another(link)).pipeline
    make_build(link.pipeline, 1, "passed")
    odd = make_build(deploy, 1, "unknown")
    assert worst(link.entity) == odd


def test_the_states_of_a_page_are_two_queries(link, django_assert_num_queries):
    entities = []
    for number in range(20):
        entity, pipeline = make_service(f"service-{number}"), another(link, f"acme/{number}")
        confirmed_link(entity, pipeline)
        make_build(pipeline, 1, "passed", minutes_ago=5)
        make_build(pipeline, 2, "failed")
        entities.append(entity)
    with django_assert_num_queries(2):
        states = queries.states_of(entities)
    assert {build.state for build in states.values()} == {"failed"}


def test_the_newest_builds_of_many_pipelines_are_one_query(link, django_assert_num_queries):
    other = another(link)
    for number in range(4):
        make_build(link.pipeline, number, minutes_ago=10 - number)
        make_build(other, number, minutes_ago=10 - number)
    with django_assert_num_queries(1):
        newest = queries.newest_builds([link.pipeline_id, other.pk], 2)
    assert [build.number for build in newest[other.pk]] == [3, 2]


def test_broken_since_the_first_failure_after_the_last_good_build(link):
    make_build(link.pipeline, 1, "failed", minutes_ago=50)
    good = make_build(link.pipeline, 2, "passed", minutes_ago=40)
    first = make_build(link.pipeline, 3, "failed", minutes_ago=30)
    make_build(link.pipeline, 4, "cancelled", minutes_ago=20)
    last = make_build(link.pipeline, 5, "failed", minutes_ago=10)
    assert queries.broken_since(last) == first
    assert queries.last_good(last) == good


def test_branches_offered_are_the_default_and_the_recent_ones(link):
    for number, branch in enumerate(["old", "feature/x", "feature/x", ""]):
        make_build(link.pipeline, number, branch=branch, minutes_ago=10 - number)
    assert queries.recent_branches(link.pipeline) == ["main", "feature/x", "old"]


def test_a_build_that_two_services_may_act_on_is_always_the_olders(link):
    other = confirmed_link(make_service("other"), link.pipeline)
    build = make_build(link.pipeline, 1)
    for links in ([other, link], [link, other]):
        assert queries.acting_link(build, links) == link
