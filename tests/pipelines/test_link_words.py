"""An administrator's word on a link: who may give it, what it outlives, and what becomes of it."""

import pytest
from django.db import transaction

from catalog.apply import remove
from pipelines.facts import facts_of
from pipelines.linking import confirm, link_entities, unconfirm
from pipelines.models import Pipeline, PipelineLink
from portal.models import AuditEvent, Role, RoleMapping
from tests.pipelines.world import (
    BUILDKITE_KEY,
    make_person,
    make_pipeline,
    make_server,
    make_service,
    make_source,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shop")]


@pytest.fixture
def shop():
    return make_pipeline(make_server("bk"), "acme/shop")


@pytest.fixture
def admin():
    return make_person("root", "admin")


def only_link():
    return PipelineLink.objects.get()


def states():
    links = PipelineLink.objects.order_by("entity__ref")
    return dict(links.values_list("entity__name", "status"))


def test_a_newcomer_takes_nothing_from_what_an_admin_confirmed(admin):
    make_service("a", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    assert confirm(admin, only_link().pk).allowed
    make_service("b", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    assert states() == {"a": "confirmed", "b": "read"}
    assert PipelineLink.objects.get(entity__name="a").confirmed_by == admin


def test_an_admin_decides_a_conflict_and_may_take_it_back(admin):
    for name in ("a", "b"):
        make_service(name, {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    link = PipelineLink.objects.get(entity__name="a")
    for _ in range(2):
        assert confirm(admin, link.pk).allowed
    assert states() == {"a": "confirmed", "b": "read"}
    for _ in range(2):
        assert unconfirm(admin, link.pk).allowed
    assert states() == {"a": "conflict", "b": "conflict"}
    actions = list(AuditEvent.objects.order_by("pk").values_list("action", "actor", "reason"))
    given, taken = "Your role Admin covers everything.", "Also claimed by component:default/b."
    assert actions == [
        ("link.confirm", "Root", given),
        ("link.change", "Stagedoor", "Confirmed by Root."),
        ("link.unconfirm", "Root", given),
        ("link.change", "Stagedoor", taken),
    ]


def test_who_may_not_confirm_is_denied_and_audited():
    make_service("a", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    user = make_person("ana", "deployer")
    user.is_superuser = True
    user.save()
    assert not confirm(user, only_link().pk).allowed
    assert states() == {"a": "read"}
    event = AuditEvent.objects.get()
    assert (event.action, event.outcome, event.actor) == ("link.confirm", "denied", "Ana")


def test_who_administers_a_service_alone_lends_it_no_pipeline_of_others():
    make_service("mine", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    mallory = make_person("mal", "admin", scope_kind="service", scope_ref="component:default/mine")
    decision = confirm(mallory, only_link().pk)
    assert (decision.allowed, states()) == (False, {"mine": "read"})
    server = only_link().pipeline.server
    both = make_person("both", "admin", scope_kind="service", scope_ref="component:default/mine")
    group = both.groups.create(name="idp:servers")
    role = Role.objects.get(slug="admin")
    RoleMapping.objects.create(
        group=group.name, role=role, scope_kind="server", scope_ref=server.slug
    )
    assert confirm(both, only_link().pk).allowed


def test_an_admins_word_outlives_the_account_but_not_the_source(admin):
    entity = make_service("a", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    confirm(admin, only_link().pk)
    admin.delete()
    link_entities()
    assert states() == {"a": "confirmed"}
    entity.source = make_source("intruder")
    entity.save()
    link_entities()
    assert states() == {"a": "read"}
    assert AuditEvent.objects.filter(
        action="link.unconfirm", reason="It comes from another source now."
    ).exists()


def test_an_entity_missing_from_its_source_claims_nothing(admin):
    gone = make_service("a", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    confirm(admin, only_link().pk)
    gone.state = "missing"
    gone.save()
    make_service("b", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    assert states() == {"a": "read", "b": "read"}


def test_losing_a_confirmed_link_is_audited(admin):
    entity = make_service("a", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    confirm(admin, only_link().pk)
    entity.document["metadata"]["annotations"] = {}
    entity.save()
    link_entities({entity.pk})
    event = AuditEvent.objects.get(reason="The annotation was removed.")
    assert (event.action, event.target) == ("link.change", "component:default/a to acme/shop")


def test_a_confirmed_link_that_goes_with_its_entity_is_audited(admin):
    services = [make_service(name, {BUILDKITE_KEY: "acme/shop"}) for name in ("a", "b")]
    link_entities()
    confirm(admin, PipelineLink.objects.get(entity=services[0]).pk)
    before = AuditEvent.objects.filter(action="link.change").count()
    with transaction.atomic():
        remove([service.pk for service in services])
    events = AuditEvent.objects.filter(action="link.change").order_by("pk")[before:]
    assert [(event.reason, event.data) for event in events] == [
        ("The entity was removed from the catalog.", {"from": "confirmed", "to": ""})
    ]
    assert not PipelineLink.objects.exists()


def test_who_can_help_holds_both_by_one_role_or_by_two(admin):
    pipeline, service = Pipeline.objects.get(), make_service("mine", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    make_person("mal", "admin", scope_kind="service", scope_ref=service.ref)
    facts = facts_of(service, [pipeline])
    assert facts.helpers("link.confirm", "production", pipeline) == ("roots (Admin)",)
    RoleMapping.objects.create(
        group="idp:mals", role=Role.objects.get(slug="admin"), scope_kind="server", scope_ref="bk"
    )
    RoleMapping.objects.filter(group="idp:roots").update(environment="production")
    facts = facts_of(service, [pipeline])
    assert facts.helpers("link.confirm", "production", pipeline) == ("mals (Admin)",)
