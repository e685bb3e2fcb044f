"""A person's teams come from trusted sources and the provider's groups only."""

import pytest
from django.contrib.auth.models import Group, User

from catalog.models import Entity, Membership, Source
from catalog.people import IDP_GROUP_ANNOTATION, teams_of
from portal.models import UserLink

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana():
    user = User.objects.create_user("ana")
    UserLink.objects.create(user=user, user_ref="user:default/ana", how="admin")
    return user


def source(slug, *, trusted):
    return Source.objects.create(
        slug=slug, name=slug, kind="path", target="/x", trusted_for_org=trusted
    )


def team(name, origin, annotations=None):
    document = {"kind": "Group", "metadata": {"name": name, "annotations": annotations or {}}}
    return Entity.objects.create(
        ref=f"group:default/{name}",
        kind="Group",
        name=name,
        document=document,
        digest="",
        source=origin,
        location="x",
    )


def names(user):
    return [found.name for found in teams_of(user)]


def test_a_trusted_source_puts_a_linked_person_into_a_team(ana):
    org = source("org", trusted=True)
    Membership.objects.create(team=team("pay", org), user_ref="user:default/ana", origin=org)
    assert names(ana) == ["pay"]


def test_an_untrusted_source_puts_nobody_into_a_team(ana):
    org, anyone = source("org", trusted=True), source("anyone", trusted=False)
    Membership.objects.create(team=team("pay", org), user_ref="user:default/ana", origin=anyone)
    team("own", anyone, {IDP_GROUP_ANNOTATION: "pay"})
    ana.groups.add(Group.objects.create(name="idp:pay"))
    assert names(ana) == []


@pytest.mark.parametrize("value", ["pay-devs", "idp:pay-devs"])
def test_the_providers_group_puts_a_person_into_the_team_that_names_it(value):
    user = User.objects.create_user("ben")
    user.groups.add(Group.objects.create(name="idp:pay-devs"))
    team("pay", source("org", trusted=True), {IDP_GROUP_ANNOTATION: value})
    assert names(user) == ["pay"]
