"""A user's grants come from mappings of the groups that the provider sent."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.test import override_settings

from portal.access import actor_for, fresh_actor
from portal.models import Role, RoleMapping
from portal.policy import ANONYMOUS
from portal.roles import seed_roles

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana():
    seed_roles()
    user = User.objects.create_user("ana")
    user.groups.add(Group.objects.create(name="idp:payments"))
    return user


def map_role(group, role="deployer", **kwargs):
    return RoleMapping.objects.create(group=group, role=Role.objects.get(slug=role), **kwargs)


def test_a_mapping_of_ones_group_becomes_a_grant(ana):
    mapping = map_role(
        "idp:payments", scope_kind="system", scope_ref="system:default/pay", environment="staging"
    )
    map_role("idp:others")
    granted = [grant for grant in actor_for(ana).grants if grant.mapping_id]
    assert [(g.mapping_id, g.scope_ref, g.environment) for g in granted] == [
        (mapping.pk, "system:default/pay", "staging")
    ]


def test_everybody_signed_in_is_a_viewer_unless_the_default_role_is_empty(ana):
    assert [grant.role for grant in actor_for(ana).grants] == ["Viewer"]
    with override_settings(DEFAULT_ROLE=""):
        assert actor_for(ana).grants == ()


def test_a_superuser_gets_no_grant_of_that(ana):
    ana.is_superuser = True
    ana.save()
    assert all("build.start" not in grant.permissions for grant in actor_for(ana).grants)


def test_facts_are_read_anew(ana):
    mapping = map_role("idp:payments")
    assert len(fresh_actor(ana.pk).grants) == 2
    mapping.delete()
    assert len(fresh_actor(ana.pk).grants) == 1


@pytest.mark.parametrize("user", [None, AnonymousUser()])
def test_nobody_is_anonymous(user):
    assert actor_for(user) is ANONYMOUS
    assert fresh_actor(None) is ANONYMOUS
