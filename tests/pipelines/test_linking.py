"""Annotations become links and problems; what a link grants follows claims and an admin's word."""

import pytest
from django.utils import timezone

from pipelines import linking
from pipelines.linking import link_entities
from pipelines.models import LinkProblem, PipelineLink
from tests.pipelines.world import (
    BUILDKITE_KEY,
    JENKINS_KEY,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def server():
    return make_server("bk")


@pytest.fixture
def shop(server):
    return make_pipeline(server, "acme/shop")


def only_link():
    return PipelineLink.objects.get()


def states():
    links = PipelineLink.objects.order_by("entity__ref")
    return dict(links.values_list("entity__name", "status"))


def problem():
    found = LinkProblem.objects.get()
    return found.message, found.nearest


def relink_all():
    """As a sync does, and once more: the second time changes nothing."""
    link_entities()
    before = list(PipelineLink.objects.values()), list(LinkProblem.objects.values())
    link_entities()
    assert (list(PipelineLink.objects.values()), list(LinkProblem.objects.values())) == before


# --- Finding pipelines ------------------------------------------------------------------------
def test_an_annotation_alone_gives_reading(shop):
    entity = make_service("shop", {BUILDKITE_KEY: "acme/shop"})
    link_entities({entity.pk})
    assert (only_link().pipeline, only_link().status) == (shop, "read")


def test_one_entity_may_have_several_pipelines_on_several_servers(shop):
    make_pipeline(make_server("ci", "jenkins"), "shop/build")
    make_service("shop", {BUILDKITE_KEY: "acme/shop", JENKINS_KEY: "shop/build"})
    relink_all()
    assert PipelineLink.objects.count() == 2
    assert not LinkProblem.objects.exists()


def test_a_prefix_chooses_the_server():
    for slug in ("east", "west"):
        make_pipeline(make_server(slug, "jenkins"), "shop")
    make_service("shop", {JENKINS_KEY: "west:shop"})
    relink_all()
    assert only_link().pipeline.server.slug == "west"


def test_without_a_prefix_the_one_server_that_has_it_is_meant():
    make_server("east", "jenkins")
    make_pipeline(make_server("west", "jenkins"), "shop")
    make_service("shop", {JENKINS_KEY: "shop"})
    relink_all()
    assert only_link().pipeline.server.slug == "west"


def test_without_a_prefix_two_servers_that_have_it_are_a_problem():
    for slug in ("east", "west"):
        make_pipeline(make_server(slug, "jenkins"), "shop")
    make_service("shop", {JENKINS_KEY: "shop"})
    relink_all()
    message, nearest = problem()
    assert "east and west" in message
    assert nearest == "east:shop"
    assert not PipelineLink.objects.exists()


def test_a_folder_links_what_can_run_inside():
    server = make_server("ci", "jenkins")
    make_pipeline(server, "shop", runnable=False)
    inside = make_pipeline(server, "shop/build")
    make_pipeline(server, "shopping")
    make_service("shop", {JENKINS_KEY: "shop"})
    relink_all()
    assert only_link().pipeline == inside


def test_a_disabled_job_is_linked_itself():
    disabled = make_pipeline(make_server("ci", "jenkins"), "shop", runnable=False)
    make_service("shop", {JENKINS_KEY: "shop"})
    relink_all()
    assert only_link().pipeline == disabled


# --- Problems ---------------------------------------------------------------------------------
@pytest.mark.usefixtures("shop")
def test_a_wrong_name_is_shown_with_file_line_and_the_nearest():
    make_service("cart", {"a/b": "c", BUILDKITE_KEY: "acme/shpo"})
    relink_all()
    found = LinkProblem.objects.get()
    assert (found.location, found.line) == ("payments/cart.yaml", 8)
    assert (found.annotation, found.value) == (BUILDKITE_KEY, "acme/shpo")
    assert found.nearest == "acme/shop"
    assert "Bk has no pipeline “acme/shpo”. Did you mean “acme/shop”?" in found.message


@pytest.mark.usefixtures("shop")
def test_a_name_near_nothing_says_so():
    make_service("cart", {BUILDKITE_KEY: "zzz/qqqqqq"})
    relink_all()
    message, nearest = problem()
    assert "nor one with a name near it" in message
    assert nearest == ""


@pytest.mark.usefixtures("shop")
def test_an_unknown_prefix_names_the_servers():
    make_service("cart", {BUILDKITE_KEY: "bkk:acme/shop"})
    relink_all()
    message, nearest = problem()
    assert "No Buildkite server has the slug “bkk”. There is bk." in message
    assert nearest == "bk:acme/shop"


def test_no_server_of_that_kind_is_a_problem():
    make_service("cart", {JENKINS_KEY: "shop"})
    relink_all()
    assert problem()[0].startswith("No Jenkins server is configured")


def test_a_server_that_was_never_read_is_not_called_stale():
    make_server("bk", pipelines_read_at=None)
    make_service("cart", {BUILDKITE_KEY: "acme/shop"})
    relink_all()
    assert "have not been read so far" in problem()[0]


def test_a_pipeline_that_is_gone_stays_readable_and_is_a_problem(server, shop):
    make_pipeline(server, "acme/shop-v2")
    shop.gone_at = shop.listed_at
    shop.save()
    make_service("shop", {BUILDKITE_KEY: "acme/shop"})
    relink_all()
    assert only_link().pipeline == shop
    message, nearest = problem()
    assert "Bk no longer has “acme/shop”" in message
    assert nearest == "acme/shop-v2"


@pytest.mark.usefixtures("shop")
def test_a_mended_annotation_takes_the_problem_away():
    entity = make_service("shop", {BUILDKITE_KEY: "acme/shpo"})
    link_entities({entity.pk})
    entity.document["metadata"]["annotations"][BUILDKITE_KEY] = "acme/shop"
    entity.save()
    link_entities({entity.pk})
    assert not LinkProblem.objects.exists()
    assert PipelineLink.objects.count() == 1


@pytest.mark.usefixtures("shop")
def test_a_removed_annotation_removes_the_link():
    entity = make_service("shop", {BUILDKITE_KEY: "acme/shop"})
    link_entities({entity.pk})
    entity.document["metadata"]["annotations"] = {}
    entity.save()
    link_entities({entity.pk})
    assert not PipelineLink.objects.exists()


# --- What a link grants -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("claim", "status"),
    [
        ({"source": "payments", "pipelines": "acme/*"}, "confirmed"),
        ({"namespace": "default", "pipelines": "acme/*"}, "read"),
        ({"source": "payments", "namespace": "default", "pipelines": "*"}, "confirmed"),
        ({"source": "payments", "namespace": "other", "pipelines": "*"}, "read"),
        ({"source": "other", "pipelines": "*"}, "read"),
        ({"source": "payments", "pipelines": "globex/*"}, "read"),
        ({"pipelines": "*"}, "read"),
        ("payments", "read"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_claims_confirm_what_they_cover(server, claim, status):
    server.claims = [claim]
    server.save()
    make_service("shop", {BUILDKITE_KEY: "acme/shop"})
    relink_all()
    assert states() == {"shop": status}


@pytest.mark.usefixtures("shop")
def test_two_entities_on_one_pipeline_are_in_conflict():
    for name in ("a", "b"):
        make_service(name, {BUILDKITE_KEY: "acme/shop"})
    relink_all()
    assert states() == {"a": "conflict", "b": "conflict"}


@pytest.mark.usefixtures("shop")
def test_claims_resolve_a_conflict_only_when_they_cover_one(server):
    server.claims = [{"source": "payments", "pipelines": "*"}]
    server.save()
    make_service("a", {BUILDKITE_KEY: "acme/shop"})
    make_service("b", {BUILDKITE_KEY: "acme/shop"}, source="intruder")
    relink_all()
    assert states() == {"a": "confirmed", "b": "read"}
    make_service("c", {BUILDKITE_KEY: "acme/shop"})
    relink_all()
    assert set(states().values()) == {"conflict"}


@pytest.mark.usefixtures("shop")
def test_a_removed_entity_frees_what_it_was_in_conflict_about(server):
    server.claims = [{"source": "payments", "pipelines": "*"}]
    server.save()
    entities = [make_service(name, {BUILDKITE_KEY: "acme/shop"}) for name in ("a", "b")]
    relink_all()
    gone = entities[1].pk
    entities[1].delete()
    link_entities({gone})
    assert states() == {"a": "confirmed"}


@pytest.mark.usefixtures("shop")
def test_changed_claims_take_effect_at_once(server):
    make_service("a", {BUILDKITE_KEY: "acme/shop"})
    relink_all()
    server.claims = [{"source": "payments", "pipelines": "*"}]
    server.save()
    linking.decide_server(server)
    assert states() == {"a": "confirmed"}


# --- Cost -------------------------------------------------------------------------------------
def test_queries_do_not_grow_with_entities(server, django_assert_max_num_queries):
    for number in range(40):
        make_pipeline(server, f"acme/service-{number}")
        make_service(f"service-{number}", {BUILDKITE_KEY: f"acme/service-{number}"})
        make_service(f"stale-{number}", {BUILDKITE_KEY: f"acme/gone-{number}"})
    link_entities()
    with django_assert_max_num_queries(20):
        link_entities()
    assert PipelineLink.objects.count() == 40
    assert LinkProblem.objects.count() == 40


def test_a_list_that_is_read_while_a_batch_waits_for_its_turn_counts(monkeypatch):
    server = make_server("bk", pipelines_read_at=None)
    make_service("a", {BUILDKITE_KEY: "acme/shop"})
    wait = linking._one_at_a_time

    def read_meanwhile():
        """What another worker does between this one's first look and its turn."""
        if server.pipelines_read_at is None:
            make_pipeline(server, "acme/shop")
            server.pipelines_read_at = timezone.now()
            server.save()
        wait()

    monkeypatch.setattr(linking, "_one_at_a_time", read_meanwhile)
    link_entities()
    assert states() == {"a": "read"}
    assert not LinkProblem.objects.exists()
