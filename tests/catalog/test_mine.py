"""What is a person's: their teams' things, those of the teams below, and their stars."""

import pytest
from django.contrib.auth.models import Group, User

from catalog import version
from catalog.forms import Filters
from catalog.models import Source
from portal.models import UserLink
from tests.catalog.pages import names, page
from tests.catalog.trees import component, group, read, user

pytestmark = pytest.mark.django_db
OWNED = "/catalog/?show=owned"


@pytest.fixture
def org(tree):
    tree.write(
        "org.yaml",
        group("shop", children=["payments"]),
        group("payments"),
        group("web"),
        user("ana", "shop"),
        user("ben", "web"),
        component("pay"),
        component("front", owner="web"),
        component("till", owner="shop"),
        component("notes", owner="user:default/ana"),
    )
    source = tree.source("org.yaml", trusted_for_org=True)
    read(source)
    return source


@pytest.fixture
def ana(client):
    person = User.objects.create_user("ana")
    UserLink.objects.create(user=person, user_ref="user:default/ana", how="admin")
    client.force_login(person)
    return client


def test_owned_is_what_their_teams_and_those_below_own(ana, org):
    assert names(page(ana, OWNED)) == ["notes", "pay", "till"]


def test_owned_and_owner_stand_beside_each_other(ana, org):
    text = page(ana, f"{OWNED}&owner=group:default/payments&owner=group:default/web")
    assert names(text) == ["pay"]
    assert "show=owned" in text
    assert 'name="show" value="owned"' in text


def test_another_person_with_the_same_filters_sees_their_own(ana, org, client):
    page(ana, OWNED)
    person = User.objects.create_user("ben")
    UserLink.objects.create(user=person, user_ref="user:default/ben", how="admin")
    client.force_login(person)
    text = page(client, OWNED)
    assert names(text) == ["front"]
    assert "1 component" in text


def test_a_new_group_counts_at_once(client, org, tree):
    person = User.objects.create_user("cleo")
    client.force_login(person)
    assert "You are in no team that the catalog knows" in page(client, OWNED)
    tree.write("more.yaml", group("ops"))
    annotated = group("ops")
    annotated["metadata"]["annotations"] = {"stagedoor.io/idp-group": "ops"}
    tree.write("more.yaml", annotated, component("pager", owner="ops"))
    read(tree.source("more.yaml", slug="more", trusted_for_org=True))
    person.groups.add(Group.objects.create(name="idp:ops"))
    assert names(page(client, OWNED)) == ["pager"]


def test_nobody_owns_by_a_source_that_is_not_trusted(ana, org):
    Source.objects.update(trusted_for_org=False)
    version.bump()
    assert names(page(ana, OWNED)) == ["notes"]


def test_owned_of_nobody_is_nothing():
    assert Filters(show="owned").query() == "?show=owned"
