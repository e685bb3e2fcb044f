"""A descriptor that changes whose grants cover an entity leaves a trace."""

import pytest
from django.db import transaction

from catalog import ownership
from catalog.apply import remove
from portal.models import AuditEvent, Role, RoleMapping
from tests.catalog.trees import component, group, read

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"


def grant(kind, ref):
    role = Role.objects.get(slug="deployer")
    RoleMapping.objects.create(group="idp:x", role=role, scope_kind=kind, scope_ref=ref)


def events():
    return list(AuditEvent.objects.filter(action="catalog.owner").order_by("pk"))


def reread(tree, source, *documents):
    tree.write(FILE, *documents)
    read(source)


@pytest.mark.parametrize(
    ("kind", "ref"),
    [
        ("team", "group:default/payments"),
        ("team", "group:default/shipping"),
        ("team", "group:default/top"),  # above shipping
        ("service", "component:default/pay"),
        ("system", "system:default/shop"),
    ],
)
def test_a_change_under_a_grant_is_audited(tree, kind, ref):
    grant(kind, ref)
    teams = [group("top", children=["shipping"]), group("shipping"), group("payments")]
    tree.write(FILE, *teams, component("pay"))
    source = tree.source(trusted_for_org=True)
    read(source)
    assert events() == []
    reread(tree, source, *teams, component("pay", owner="shipping", system="shop"))
    [event] = events()
    assert (event.actor, event.target) == ("Stagedoor", "component:default/pay")
    assert event.data["owner"] == {
        "before": "group:default/payments",
        "after": "group:default/shipping",
    }
    assert event.data["system"] == {"before": "", "after": "system:default/shop"}
    assert event.data["source"] == "org"
    assert event.data["place"].startswith(f"{FILE}:")


def test_a_change_that_concerns_no_grant_is_not(tree):
    grant("team", "group:default/other")
    tree.write(FILE, component("pay"))
    source = tree.source()
    read(source)
    reread(tree, source, component("pay", owner="shipping"))
    assert events() == []


def test_a_change_of_something_else_is_not(tree):
    grant("service", "component:default/pay")
    tree.write(FILE, component("pay"))
    source = tree.source()
    read(source)
    reread(tree, source, component("pay", {"title": "New"}))
    assert events() == []


def test_a_reorganisation_is_counted_beyond_a_hundred(tree):
    grant("team", "group:default/payments")
    names = [f"c{number}" for number in range(ownership.MAX_EVENTS + 5)]
    tree.write(FILE, *[component(name) for name in names])
    source = tree.source()
    read(source)
    reread(tree, source, *[component(name, owner="shipping") for name in names])
    assert len(events()) == ownership.MAX_EVENTS + 1
    assert events()[-1].data == {"source": "org", "more": 5}


# --- Roles that a team gave -------------------------------------------------------------------
PAY, PAYMENTS = "component:default/pay", "group:default/payments"


def given_by_payments(ref=PAY, kind="service"):
    role = Role.objects.get(slug="deployer")
    return RoleMapping.objects.create(
        group="idp:helpers", role=role, scope_kind=kind, scope_ref=ref, team=PAYMENTS
    )


def owned(tree):
    tree.write(FILE, group("payments"), group("shipping"), component("pay"))
    source = tree.source(trusted_for_org=True)
    read(source)
    return source


def test_a_role_that_a_team_gave_ends_with_its_ownership(tree):
    source = owned(tree)
    given_by_payments()
    given_by_payments(PAYMENTS, "team")
    grant("service", PAY)  # an administrator's
    teams = [group("payments"), group("shipping")]
    reread(tree, source, *teams, component("pay", {"title": "New"}))
    assert RoleMapping.objects.count() == 3
    reread(tree, source, *teams, component("pay", owner="shipping"))
    kept = RoleMapping.objects.values_list("group", "scope_kind")
    assert set(kept) == {("idp:helpers", "team"), ("idp:x", "service")}
    event = AuditEvent.objects.get(action="role.end")
    assert (event.actor, event.target) == ("Stagedoor", f"idp:helpers: Deployer in {PAY}")
    assert event.reason == f"{PAY} no longer belongs to {PAYMENTS}, which gave it."


@pytest.mark.parametrize(("ref", "kind"), [(PAY, "service"), (PAYMENTS, "team")])
def test_it_ends_with_the_service_or_the_team(tree, ref, kind):
    source = owned(tree)
    given_by_payments(ref, kind)
    with transaction.atomic():
        remove(list(source.entities.values_list("pk", flat=True)))
    assert not RoleMapping.objects.exists()
    assert AuditEvent.objects.filter(action="role.end").exists()
