"""A server's client, its list of pipelines, and what its answers teach."""

import pytest
from django.db import connection
from django.utils import timezone

from pipelines import discovery
from pipelines.models import LinkProblem, Pipeline, PipelineLink, Server
from pipelines.providers.errors import Misconfigured, ProviderError, Unavailable
from pipelines.servers import client_for, note_failure, note_success, pause_after, refresh_pipelines
from portal.http import HttpClient
from tests.pipelines.world import BUILDKITE_KEY, make_pipeline, make_server, make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(sandbox, server_at):
    sandbox.buildkite.pipeline("acme/shop", repository="https://git.example/shop.git")
    sandbox.buildkite.pipeline("acme/cart")
    return server_at(sandbox.buildkite, options={"organizations": ["acme"]})


def forget(sandbox, name):
    """As if somebody had deleted it on the server."""
    instance = sandbox.buildkite.instance
    del instance.pipelines[name]
    del instance.folders[name.partition("/")[0]].children[name]


def listed():
    return set(Pipeline.objects.filter(gone_at=None).values_list("external_id", flat=True))


# --- client_for -------------------------------------------------------------------------------
def test_a_client_asks_its_server(server):
    assert client_for(server).check().who == "Stagedoor"


def test_an_unknown_provider_names_the_known_ones():
    with pytest.raises(Misconfigured, match=r"'cobol' is not known. Known are: .*jenkins"):
        client_for(make_server(provider="cobol"))


def test_a_credential_that_can_not_be_resolved_is_a_provider_error():
    with pytest.raises(Misconfigured, match="this environment variable is not set"):
        client_for(make_server())


@pytest.mark.parametrize("options", [None, [], "x"])
def test_options_that_are_no_object_count_as_none(server, options):
    server.options = options
    assert client_for(server).check().who == "Stagedoor"


def test_options_of_the_wrong_kind_are_a_provider_error(server):
    server.options = {"organizations": 7}
    with pytest.raises(Misconfigured, match="organizations"):
        client_for(server)


def test_a_private_address_that_is_not_allowed_is_refused(server, settings, sandbox):
    settings.OUTGOING_ALLOW = []
    with pytest.raises(ProviderError):
        client_for(server).check()
    assert sandbox.requests() == []


# --- refresh_pipelines ------------------------------------------------------------------------
def test_the_list_of_pipelines_is_kept(server):
    assert refresh_pipelines(server) == 2
    assert listed() == {"acme/shop", "acme/cart"}
    shop = Pipeline.objects.get(external_id="acme/shop")
    assert shop.repository == "https://git.example/shop.git"
    assert (shop.default_branch, shop.runnable) == ("main", True)


def test_reading_again_updates_and_keeps_the_rows(server, sandbox):
    refresh_pipelines(server)
    before = dict(Pipeline.objects.values_list("external_id", "pk"))
    sandbox.buildkite.pipeline("acme/shop", default_branch="trunk")
    refresh_pipelines(server)
    assert dict(Pipeline.objects.values_list("external_id", "pk")) == before
    assert Pipeline.objects.get(external_id="acme/shop").default_branch == "trunk"


def test_what_vanished_is_marked_and_may_come_back(server, sandbox):
    refresh_pipelines(server)
    forget(sandbox, "acme/cart")
    refresh_pipelines(server)
    assert listed() == {"acme/shop"}
    assert Pipeline.objects.count() == 2
    sandbox.buildkite.pipeline("acme/cart")
    refresh_pipelines(server)
    assert listed() == {"acme/shop", "acme/cart"}


@pytest.mark.parametrize("fault", ["fail", "html200", "garbage", "truncate", "redirect"])
def test_a_failed_list_changes_nothing(server, sandbox, fault):
    refresh_pipelines(server)
    sandbox.buildkite.fault(fault)
    with pytest.raises(ProviderError):
        refresh_pipelines(server)
    assert listed() == {"acme/shop", "acme/cart"}


def test_an_empty_list_is_no_proof_that_all_is_gone(server, sandbox):
    refresh_pipelines(server)
    for name in ("acme/shop", "acme/cart"):
        forget(sandbox, name)
    with pytest.raises(ProviderError, match="no pipelines at all, though 2 are known"):
        refresh_pipelines(server)
    assert listed() == {"acme/shop", "acme/cart"}


def test_a_new_server_may_be_empty(sandbox, server_at):
    assert refresh_pipelines(server_at(sandbox.jenkins)) == 0


def test_parameters_are_kept_as_declared(sandbox, server_at):
    target = {"name": "TARGET", "type": "choice", "choices": ["test", "prod"]}
    sandbox.jenkins.pipeline("deploy/shop", parameters=["BRANCH", target], labels=True)
    refresh_pipelines(server_at(sandbox.jenkins))
    folder, job = Pipeline.objects.order_by("external_id")
    assert (folder.external_id, folder.runnable) == ("deploy", False)
    assert [(p["name"], p["type"], p["choices"]) for p in job.parameters] == [
        ("TARGET", "choice", ["test", "prod"])
    ]


# --- discover ---------------------------------------------------------------------------------
def test_discovery_links_the_catalog_anew(server):
    make_service("shop", {BUILDKITE_KEY: "acme/shop"})
    make_service("stale", {BUILDKITE_KEY: "acme/shpo"})
    assert discovery.discover(server.pk)
    assert PipelineLink.objects.get().pipeline.external_id == "acme/shop"
    assert LinkProblem.objects.get().nearest == "acme/shop"
    server.refresh_from_db()
    assert server.pipelines_claimed_until is None
    assert server.pipelines_due_at > timezone.now()
    assert discovery.due(timezone.now()) == []


def test_a_failed_discovery_is_noted_and_repeated_soon(server, sandbox):
    sandbox.stop()
    assert not discovery.discover(server.pk)
    server.refresh_from_db()
    assert server.unreachable_since
    assert "not reached" in server.last_error
    assert server.pipelines_due_at < timezone.now() + discovery.EVERY
    sandbox.start()
    assert discovery.discover(server.pk)
    server.refresh_from_db()
    assert (server.unreachable_since, server.last_error) == (None, "")


def test_two_workers_do_not_list_one_server_at_once(server, sandbox):
    Server.objects.update(pipelines_claimed_until=timezone.now() + discovery.LEASE)
    assert not discovery.discover(server.pk)
    assert discovery.due(timezone.now()) == []
    assert sandbox.requests() == []


def test_a_server_that_is_switched_off_is_not_listed(server):
    assert discovery.due(timezone.now()) == [server.pk]
    Server.objects.update(enabled=False)
    assert discovery.due(timezone.now()) == []


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_pipelines_are_listed(server, monkeypatch):
    seen = []
    ask_vendor = HttpClient.request

    def spy(self, *args, **kwargs):
        seen.append(connection.in_atomic_block)
        return ask_vendor(self, *args, **kwargs)

    monkeypatch.setattr(HttpClient, "request", spy)
    discovery.discover(server.pk)
    assert seen
    assert not any(seen)


# --- What answers teach -----------------------------------------------------------------------
def test_success_is_written_only_when_it_is_news(django_assert_num_queries):
    server = make_server()
    note_failure(server, Unavailable("down"))
    note_success(server)
    server.refresh_from_db()
    assert (server.failures, server.last_error, server.not_before) == (0, "", None)
    with django_assert_num_queries(1):
        note_success(server)


def test_pauses_grow_to_a_limit():
    assert pause_after(0) < 7
    assert pause_after(3) > 30
    assert pause_after(99) <= 360


def test_many_pipelines_cost_few_queries(server, sandbox, django_assert_max_num_queries):
    for number in range(60):
        sandbox.buildkite.pipeline(f"acme/service-{number}")
    make_pipeline(server, "acme/old")
    with django_assert_max_num_queries(10):
        refresh_pipelines(server)
    assert "acme/old" not in listed()
