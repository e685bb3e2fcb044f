"""What a role on tags or labels sees by call is what it covers by policy."""

import pytest
from django.contrib.auth.models import Group

from catalog.models import Entity
from catalog.scopes import scopes_of
from tests.catalog.api.conftest import Api, person
from tests.catalog.trees import component, group, read

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("kind", "ref", "expected"),
    [
        ("tag", "java", {"pay"}),
        ("tag", "ja", set()),
        ("label", "tier=gold", {"pay", "web"}),
        ("label", "acme.example/zone=eu", {"web"}),
        ("label", "tier=Gold", set()),
    ],
)
def test_a_role_on_tags_or_labels_sees_by_call_what_it_covers(tree, settings, kind, ref, expected):
    settings.DEFAULT_ROLE = ""
    labels = {"tier": "gold", "acme.example/zone": "eu"}
    tree.write(
        "catalog-info.yaml",
        component("pay", {"tags": ["java", "api"], "labels": {"tier": "gold"}}),
        component("web", {"labels": labels}),
        component("bare"),
        group("payments"),
    )
    read(tree.source())
    caller = Api(person("tom", "idp:some", "viewer", scope_kind=kind, scope_ref=ref))
    covered = {entity.name for entity in Entity.objects.all() if (kind, ref) in scopes_of(entity)}
    assert covered == expected
    assert set(caller.names("/entities")) == expected


def test_a_denial_says_its_rule_and_what_would_change_it(settings):
    settings.DEFAULT_ROLE = ""
    nia = person("nia")
    nia.groups.add(Group.objects.create(name="idp:devs"))
    error = Api(nia).get("/entities", 403)["error"]
    assert error["rule"] == "no-role"
    assert error["reason"] == "No role lets you see the catalog for the catalog."
    assert error["suggestion"] == "Smallest change: give idp:devs the role Viewer for everything."
    error = Api(nia, ["build.view"]).get("/entities", 403)["error"]
    assert (error["rule"], error["suggestion"]) == ("token", "No change of roles helps here.")
