"""Home shows the services of a person's teams, or where to begin."""

import pytest
from django.contrib.auth.models import Group, User

from catalog.models import SyncIssue
from portal.models import Role, RoleMapping, UserLink
from tests.catalog.trees import component, group, read, user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(client):
    person = User.objects.create_user("ana")
    UserLink.objects.create(user=person, user_ref="user:default/ana", how="admin")
    client.force_login(person)
    return client


def home(client):
    return client.get("/").content.decode()


def test_home_lists_the_services_of_my_teams(ana, tree):
    tree.write(
        "all.yaml",
        group("payments"),
        group("web"),
        user("ana", "payments"),
        component("pay"),
        component("front", owner="web"),
    )
    read(tree.source("all.yaml", trusted_for_org=True))
    text = home(ana)
    assert 'href="/catalog/default/component/pay/"' in text
    assert "front" not in text
    assert 'You are in <a href="/catalog/default/group/payments/"' in text


def test_home_shows_no_service_that_i_may_not_see(ana, tree, settings):
    settings.DEFAULT_ROLE = ""
    tree.write("all.yaml", group("payments"), user("ana", "payments"), component("pay"))
    read(tree.source("all.yaml", trusted_for_org=True))
    assert "/component/pay/" not in home(ana)
    Group.objects.create(name="idp:pay").user_set.add(User.objects.get(username="ana"))
    RoleMapping.objects.create(
        group="idp:pay",
        role=Role.objects.get(slug="viewer"),
        scope_kind="team",
        scope_ref="group:default/payments",
    )
    assert "/component/pay/" in home(ana)


def test_home_says_which_of_my_descriptors_have_problems(ana, tree):
    tree.write(
        "all.yaml", group("payments"), user("ana", "payments"), component("pay"), component("ok")
    )
    source = tree.source("all.yaml", trusted_for_org=True)
    read(source)
    assert "of your descriptors" not in home(ana)
    SyncIssue.objects.create(
        source=source, entity_ref="component:default/pay", stage="parse", location="a", message="x"
    )
    text = home(ana)
    assert "1 of your descriptors has problems:" in text
    assert '<a href="/catalog/default/component/pay/#problems">pay</a>' in text


def test_home_says_when_my_team_owns_nothing(ana, tree):
    tree.write("all.yaml", group("web"), user("ana", "web"), component("pay"))
    read(tree.source("all.yaml", trusted_for_org=True))
    assert "Your teams own no services yet" in home(ana)


def test_home_says_when_i_am_in_no_team(client, tree):
    client.force_login(User.objects.create_user("nils"))
    tree.write("all.yaml", component("pay"))
    read(tree.source("all.yaml"))
    assert "You are in no team that the catalog knows" in home(client)


def test_home_of_an_empty_catalog_shows_where_to_begin(client, admin_client):
    client.force_login(User.objects.create_user("nils"))
    assert "Ask the people who administer Stagedoor" in home(client)
    assert "/admin/catalog/source/add/" in home(admin_client)
