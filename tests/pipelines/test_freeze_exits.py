"""What a freeze has covered stays covered, whatever a descriptor says since."""

import pytest
from django.db import transaction
from django.utils import timezone

from catalog.apply import remove
from catalog.models import Entity, Tag
from pipelines import freezes
from pipelines.linking import link_entities
from pipelines.models import Freeze, PipelineLink
from pipelines.policy_targets import policy_places
from pipelines.scopes import name_of
from pipelines.tasks import tick
from tests.pipelines.four_eyes import decided, freeze
from tests.pipelines.world import BUILDKITE_KEY, make_person, make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana():
    return make_person("ana", "admin")


SHOP = {BUILDKITE_KEY: "acme/shop"}


@pytest.fixture
def claimed(link):
    """The service's link as its annotation and the server's claims make it."""
    link.pipeline.server.claims = [{"source": "payments", "pipelines": "acme/*"}]
    link.pipeline.server.save()
    shop = Entity.objects.filter(pk=link.entity_id)
    document = {"metadata": {"name": "shop", "annotations": SHOP, "tags": ["pci"]}, "spec": {}}
    shop.update(document=document, system_ref="system:default/checkout")
    Tag.objects.create(entity=shop.get(), value="pci")
    link_entities()
    return PipelineLink.objects.select_related("entity", "pipeline__server").get()


def moved(link, kind):
    """What the descriptor's author can do at once: the service out of the scope."""
    shop = Entity.objects.get(pk=link.entity_id)
    if kind == "service":
        with transaction.atomic():
            remove([shop.pk])
        shop = make_service("shop2", SHOP)
    shop.system_ref, shop.document["metadata"]["tags"] = "", []
    shop.save()
    Tag.objects.all().delete()
    link_entities()
    return PipelineLink.objects.select_related("entity", "pipeline__server").get()


@pytest.mark.usefixtures("production")
def test_the_tick_notes_it_too(claimed):
    frozen = freeze(scope_kind="tag", scope_ref="pci")
    tick()
    frozen.refresh_from_db()
    assert frozen.covered_names == {name_of(claimed.pipeline)}


@pytest.mark.parametrize(
    ("kind", "ref"),
    [
        ("system", "system:default/checkout"),
        ("tag", "pci"),
        ("service", "component:default/shop"),
    ],
)
@pytest.mark.usefixtures("production")
def test_a_descriptor_moves_no_pipeline_out_of_a_freeze(claimed, ana, kind, ref):
    freeze(scope_kind=kind, scope_ref=ref)
    freezes.cover()
    assert "It covered" not in decided(ana, claimed).reason
    after = decided(ana, moved(claimed, kind))
    assert after.rule == "freeze"
    assert f"{freezes.KEPT} Ask again" in after.reason
    shown = [place.frozen for place in policy_places() if place.key[0] == "run"]
    assert shown
    assert all(shown)
    Freeze.objects.update(ends_at=timezone.now())
    assert decided(ana, PipelineLink.objects.get()).allowed


@pytest.mark.usefixtures("production")
def test_what_comes_into_a_freeze_stays_until_its_end_under_any_name(claimed, ana):
    frozen = freeze(scope_kind="system", scope_ref="system:default/late")
    freezes.cover()
    Entity.objects.filter(pk=claimed.entity_id).update(system_ref=frozen.scope_ref)
    link_entities({claimed.entity_id})
    link = moved(claimed, "system")
    link.pipeline.external_id = "acme/renamed"
    link.pipeline.save()
    freezes.cover()
    assert decided(ana, link).rule == "freeze"


@pytest.mark.usefixtures("production")
def test_who_only_names_a_pipeline_freezes_it_for_nobody(claimed, ana):
    make_service("mine", SHOP, source="intruder", system_ref="system:default/mine")
    frozen = freeze(scope_kind="system", scope_ref="system:default/mine")
    link_entities()
    frozen.refresh_from_db()
    assert (frozen.covered, decided(ana, claimed).allowed) == ({}, True)
