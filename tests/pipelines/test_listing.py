"""A list of pipelines becomes rows; renamed there, a row stays what it is here."""

from datetime import timedelta

import pytest
from django.utils import timezone

from pipelines import discovery
from pipelines.listing import refresh_pipelines, store
from pipelines.models import Freeze, Pipeline, PipelineLink, Trigger
from pipelines.providers.base import RemoteParameter, RemotePipeline
from pipelines.providers.errors import ProviderError
from portal.models import AuditEvent
from tests.pipelines.world import (
    BUILDKITE_KEY,
    confirmed_link,
    make_build,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db


def forget(sandbox, name):
    """As if somebody had deleted it on the server."""
    instance = sandbox.buildkite.instance
    del instance.pipelines[name]
    del instance.folders[name.partition("/")[0]].children[name]


def listed():
    return set(Pipeline.objects.filter(gone_at=None).values_list("external_id", flat=True))


# --- refresh_pipelines ------------------------------------------------------------------------
def test_the_list_of_pipelines_is_kept(acme):
    assert refresh_pipelines(acme) == 2
    assert listed() == {"acme/shop", "acme/cart"}
    shop = Pipeline.objects.get(external_id="acme/shop")
    assert shop.repository == "https://git.example/shop.git"
    assert (shop.default_branch, shop.runnable) == ("main", True)


def test_reading_again_updates_and_keeps_the_rows(acme, sandbox):
    refresh_pipelines(acme)
    before = dict(Pipeline.objects.values_list("external_id", "pk"))
    sandbox.buildkite.pipeline("acme/shop", default_branch="trunk")
    refresh_pipelines(acme)
    assert dict(Pipeline.objects.values_list("external_id", "pk")) == before
    assert Pipeline.objects.get(external_id="acme/shop").default_branch == "trunk"


def test_what_vanished_is_marked_and_may_come_back(acme, sandbox):
    refresh_pipelines(acme)
    forget(sandbox, "acme/cart")
    refresh_pipelines(acme)
    assert listed() == {"acme/shop"}
    assert Pipeline.objects.count() == 2
    sandbox.buildkite.pipeline("acme/cart")
    refresh_pipelines(acme)
    assert listed() == {"acme/shop", "acme/cart"}


@pytest.mark.parametrize("fault", ["fail", "html200", "garbage", "truncate", "redirect"])
def test_a_failed_list_changes_nothing(acme, sandbox, fault):
    refresh_pipelines(acme)
    sandbox.buildkite.fault(fault)
    with pytest.raises(ProviderError):
        refresh_pipelines(acme)
    assert listed() == {"acme/shop", "acme/cart"}


def test_an_empty_list_is_no_proof_that_all_is_gone(acme, sandbox):
    refresh_pipelines(acme)
    for name in ("acme/shop", "acme/cart"):
        forget(sandbox, name)
    with pytest.raises(ProviderError, match="no pipelines at all, though 2 are known"):
        refresh_pipelines(acme)
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


def test_many_pipelines_cost_few_queries(acme, sandbox, django_assert_max_num_queries):
    for number in range(60):
        sandbox.buildkite.pipeline(f"acme/service-{number}")
    make_pipeline(acme, "acme/old")
    with django_assert_max_num_queries(16):
        refresh_pipelines(acme)
    assert "acme/old" not in listed()


# --- Renames ----------------------------------------------------------------------------------
@pytest.fixture
def server():
    return make_server()


def listing(server, seconds=0, **names):
    """Stores a list of {name: stable id}."""
    remote = [RemotePipeline(name, name, stable_id=stable) for name, stable in names.items()]
    store(server, remote, timezone.now() + timedelta(seconds=seconds))


def names_by_pk():
    return dict(Pipeline.objects.values_list("pk", "external_id"))


def test_a_freeze_follows_a_renamed_pipeline_at_once(server):
    pipeline = make_pipeline(server, "old", stable_id="1")
    now = timezone.now()
    freeze = Freeze.objects.create(
        starts_at=now,
        ends_at=now + timedelta(hours=1),
        reason="Year-end.",
        scope_kind="tag",
        scope_ref="once",
        covered={str(pipeline.pk): f"{server.slug}:old"},
    )
    store(server, [RemotePipeline("new", "new", stable_id="1")], now)
    freeze.refresh_from_db()
    assert freeze.covered_names == {f"{server.slug}:new"}


def test_a_renamed_pipeline_keeps_its_row_with_all_that_belongs_to_it(server):
    listing(server, old="id-1")
    pipeline = Pipeline.objects.get()
    make_build(pipeline, 1)
    Trigger.objects.create(pipeline=pipeline, action="start", actor_name="Ana")
    listing(server, 1, new="id-1")
    renamed = Pipeline.objects.get()
    assert (renamed.pk, renamed.external_id, renamed.gone_at) == (pipeline.pk, "new", None)
    assert (renamed.builds.count(), renamed.triggers.count()) == (1, 1)
    event = AuditEvent.objects.get(action="pipeline.renamed")
    assert event.data == {"from": "old", "to": "new"}


def test_names_that_are_swapped_or_passed_on_are_followed(server):
    listing(server, a="id-1", b="id-2", c="id-3")
    one, two, three = Pipeline.objects.order_by("external_id").values_list("pk", flat=True)
    listing(server, 1, b="id-1", a="id-2", c="id-3")
    assert names_by_pk() == {one: "b", two: "a", three: "c"}
    listing(server, 2, c="id-1", b="id-2", d="id-3")
    assert names_by_pk() == {one: "c", two: "b", three: "d"}


def test_a_new_pipeline_under_the_old_name_inherits_nothing(server):
    listing(server, a="id-1")
    old = Pipeline.objects.get()
    make_build(old, 1)
    listing(server, 1, b="id-1", a="id-2")
    assert names_by_pk()[old.pk] == "b"
    assert not Pipeline.objects.get(external_id="a").builds.exists()


def test_another_pipeline_under_the_name_of_a_deleted_one_inherits_nothing(server):
    listing(server, a="id-1")
    old = Pipeline.objects.get()
    confirmed_link(make_service("shop"), old)
    listing(server, 1, a="id-2")
    old.refresh_from_db()
    assert old.gone_at
    assert old.external_id == f"a (replaced {old.pk})"
    assert not Pipeline.objects.get(external_id="a").links.exists()
    assert AuditEvent.objects.filter(action="pipeline.replaced").exists()


def test_a_name_is_kept_when_ids_become_known_or_are_told_twice(server):
    listing(server, a="", b="")
    before = names_by_pk()
    listing(server, 1, a="id-1", b="id-2")
    assert names_by_pk() == before
    listing(server, 2, b="id-1", c="id-1")
    assert names_by_pk().items() >= {(pk, name) for pk, name in before.items() if name == "a"}


def test_claims_hold_for_the_new_name_only(acme, sandbox):
    """Renaming a pipeline on the server into a claimed pattern, or out of one, is seen at once."""
    acme.claims = [{"source": "payments", "pipelines": "acme/pay-*"}]
    acme.save()
    pipeline = make_pipeline(acme, "acme/pay-shop", stable_id="id-1")
    make_service("shop", {BUILDKITE_KEY: "acme/pay-shop"})
    discovery.link_entities()
    assert PipelineLink.objects.get().status == "confirmed"
    listing(acme, 1, **{"acme/shop": "id-1"})
    discovery.link_entities()
    assert not PipelineLink.objects.filter(pipeline=pipeline).exists()


def test_no_password_of_an_address_is_kept(server):
    secret = "https://bot:s3cret@git.example/shop"
    store(server, [RemotePipeline("a", "a", secret, repository=secret)], timezone.now())
    row = Pipeline.objects.get()
    assert (row.repository, row.web_url) == ("https://git.example/shop", "")


def test_a_list_without_parameters_leaves_what_the_details_told(server):
    told = RemotePipeline("a", "a", parameters=(RemoteParameter("TARGET"),), active=False)
    untold = RemotePipeline("a", "a", parameters=None)
    store(server, [told], timezone.now())
    assert not Pipeline.objects.get().active
    store(server, [untold], timezone.now())
    pipeline = Pipeline.objects.get()
    assert [parameter["name"] for parameter in pipeline.parameters] == ["TARGET"]
    assert not pipeline.active
    store(server, [RemotePipeline("a", "a")], timezone.now())
    assert Pipeline.objects.get().active
