"""A descriptor that changes whose grants cover an entity leaves a trace."""

import pytest

from catalog import ownership
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
