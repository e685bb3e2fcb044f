"""A person's teams come from trusted sources and the provider's groups only."""

import pytest
from django.contrib.auth.models import Group, User

from catalog.models import Entity, Membership, Source, TeamClosure
from catalog.people import IDP_GROUP_ANNOTATION, subjects_of, teams_of
from portal.access import actor_for
from portal.models import Role, RoleMapping, UserLink

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


@pytest.fixture
def nested(ana):
    """Ana is in pay, which is below tech; both by a trusted source."""
    org = source("org", trusted=True)
    pay, tech = team("pay", org), team("tech", org)
    Membership.objects.create(team=pay, user_ref="user:default/ana", origin=org)
    for above, below, depth in ((pay, pay, 0), (tech, tech, 0), (tech, pay, 1)):
        TeamClosure.objects.create(ancestor=above, descendant=below, depth=depth)
    return org


def test_a_role_goes_to_a_team_and_those_below(ana, nested):
    mapping = RoleMapping.objects.create(
        group="team:group:default/tech", role=Role.objects.get(slug="deployer")
    )
    actor = actor_for(ana)
    assert mapping.pk in {grant.mapping_id for grant in actor.grants}
    assert {"team:group:default/pay", "team:group:default/tech"} <= actor.groups


@pytest.mark.parametrize("taken", ["trust", "membership", "team", "link"])
def test_whoever_is_in_no_team_any_more_has_no_role_of_it(ana, nested, taken):
    assert len(subjects_of("user:default/ana")) == 2
    RoleMapping.objects.create(
        group="team:group:default/pay", role=Role.objects.get(slug="deployer")
    )
    if taken == "trust":
        Source.objects.update(trusted_for_org=False)
    elif taken == "membership":
        Membership.objects.all().delete()
    elif taken == "team":
        Entity.objects.filter(name="pay").update(state="missing")
    else:
        UserLink.objects.all().delete()
    assert [grant.role for grant in actor_for(ana).grants] == ["Viewer"]


def test_an_untrusted_membership_gives_no_role(ana, nested):
    Membership.objects.update(origin=source("anyone", trusted=False))
    assert subjects_of("user:default/ana") == []
