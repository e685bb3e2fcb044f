"""Owners of a team give roles on its services: below the ceiling, and never to themselves."""

import threading
import time

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.urls import reverse

from catalog import ownership
from catalog.models import Entity
from portal.models import AuditEvent, Role, RoleMapping, UserLink
from tests.catalog.pages import page
from tests.catalog.people import give
from tests.steps import save

pytestmark = pytest.mark.django_db
PAYMENTS = "group:default/payments"


@pytest.fixture
def olga(client, shop):
    """An owner of the team Payments, signed in; administrators let owners give Deployer."""
    Role.objects.filter(slug__in=["deployer", "admin"]).update(delegable=True)
    user = give(User.objects.create_user("olga", first_name="Olga"), "owner", "team", PAYMENTS)
    client.force_login(user)
    return user


URL = "/catalog/default/group/payments/roles/"


def form(group="idp:helpers", role="deployer", ref=PAYMENTS, **values):
    pk = Role.objects.get(slug=role).pk
    return {"group": group, "role": pk, "scope_ref": ref, "note": "They help us.", **values}


def given():
    return RoleMapping.objects.filter(group="idp:helpers").first()


def test_team_roles_page_gives_a_role_on_the_team_or_a_service(client, olga):
    assert "Give a role" in page(client, URL)
    assert client.post(URL, form()).status_code == 302
    assert (given().scope_kind, given().scope_ref, given().by) == ("team", PAYMENTS, olga)
    ref = Entity.objects.get(name="pay").ref
    assert client.post(URL, form("idp:others", ref=ref)).status_code == 302
    assert RoleMapping.objects.get(group="idp:others").scope_kind == "service"
    event = AuditEvent.objects.filter(action="role.give").last()
    assert (event.actor, event.outcome, event.reason) == ("Olga", "ok", "They help us.")
    text = page(client, URL)
    assert "helpers" in text
    assert "They help us." in text
    assert client.get("/catalog/default/group/payments/").content.decode().count(URL) == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"role": "admin"}, "Nobody gives more than they hold"),
        ({"role": "viewer"}, "Select a valid choice"),
        ({"ref": "component:default/front"}, "Select a valid choice"),
        ({"ref": "group:default/web"}, "Select a valid choice"),
        ({"group": "helpers"}, "write &quot;idp:helpers&quot;"),
        (
            {"group": f"idp:olga-owner-{PAYMENTS}"},
            "Nobody gives a role to a group that they are in",
        ),
        ({"note": ""}, "required"),
    ],
)
def test_team_roles_page_refuses_what_is_above_the_ceiling(client, olga, values, words):
    answer = client.post(URL, form(**values))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert given() is None


def test_team_roles_page_gives_no_first_role_to_the_owners_own_team(client, olga):
    UserLink.objects.create(user=olga, user_ref="user:default/ana", how="admin")
    assert not RoleMapping.objects.filter(group__startswith="team:").exists()
    answer = client.post(URL, form(f"team:{PAYMENTS}"))
    assert answer.status_code == 422
    assert "Nobody gives a role to a group that they are in" in answer.content.decode()
    assert not RoleMapping.objects.filter(group__startswith="team:").exists()


@pytest.mark.parametrize("limit", [{"branches": "main"}, {"environment": "staging"}])
def test_team_roles_page_gives_nothing_wider_than_the_owners_own_role(client, olga, limit):
    Role.objects.filter(slug="owner").update(permissions=["role.grant"])
    give(olga, "deployer", "team", PAYMENTS)
    RoleMapping.objects.filter(group__startswith="idp:olga-deployer").update(**limit)
    assert client.post(URL, form()).status_code == 422
    denied = AuditEvent.objects.get(action="role.give", outcome="denied")
    assert "Nobody gives more than they hold" in denied.reason
    assert given() is None


def test_team_roles_page_takes_no_tag_of_the_team_for_ownership(client, olga):
    """Whoever edits the team's descriptor decides about its tags."""
    RoleMapping.objects.filter(group__startswith="idp:olga").delete()
    team = Entity.objects.get(ref=PAYMENTS)
    team.document["metadata"]["tags"] = ["mine"]
    team.save()
    give(olga, "owner", "tag", "mine")
    assert client.post(URL, form()).status_code == 403
    assert given() is None


def test_team_roles_page_shows_others_who_has_what_and_refuses_them(client, olga):
    client.post(URL, form())
    client.force_login(User.objects.create_user("vic"))
    assert "helpers" in page(client, URL)
    assert "Take back" not in page(client, URL)
    assert client.post(URL, form("idp:others")).status_code == 403
    assert AuditEvent.objects.get(outcome="denied").action == "page.deny"
    url = reverse("catalog:team_role_take_back", args=["default", "payments", given().pk])
    client.post(url)
    assert given() is not None


def test_team_roles_page_says_where_an_administrator_lets_owners_give_a_role(client, olga):
    Role.objects.update(delegable=False)
    words, link = "ticks “Team owners may give it” on a role", 'href="/admin/portal/role/"'
    text = page(client, URL)
    assert words in text
    assert link not in text
    client.force_login(User.objects.create_superuser("root"))
    text = page(client, URL)
    assert words in text
    assert link in text


def test_team_role_take_back_takes_what_was_given_here_and_nothing_else(client, olga):
    client.post(URL, form())
    url = reverse("catalog:team_role_take_back", args=["default", "payments", given().pk])
    assert client.get(url).status_code == 405
    client.post(url)
    assert given() is None
    own = RoleMapping.objects.get(group__startswith="idp:olga")
    url = reverse("catalog:team_role_take_back", args=["default", "payments", own.pk])
    assert "An administrator gave this" in client.post(url, follow=True).content.decode()
    assert RoleMapping.objects.filter(pk=own.pk).exists()
    outcomes = AuditEvent.objects.filter(action="role.take_back").order_by("pk")
    assert list(outcomes.values_list("outcome", flat=True)) == ["ok", "denied"]


def test_team_role_take_back_leaves_another_teams_alone(client, olga):
    role = Role.objects.get(slug="deployer")
    other = RoleMapping.objects.create(
        group="idp:x", role=role, scope_kind="team", scope_ref="group:default/web", by=olga
    )
    url = reverse("catalog:team_role_take_back", args=["default", "payments", other.pk])
    client.post(url)
    assert RoleMapping.objects.filter(pk=other.pk).exists()
    assert Group.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_team_roles_page_gives_nothing_on_a_service_that_is_just_being_moved(client, olga):
    """The reading comes first, and the owner's form while it has not committed."""
    pay, moving = Entity.objects.get(name="pay"), threading.Event()

    def move():
        with transaction.atomic():
            Entity.objects.filter(pk=pay.pk).update(owner_ref="group:default/web")
            ownership.end_roles()
            moving.set()
            time.sleep(0.5)
        connection.close()

    reading = threading.Thread(target=move)
    reading.start()
    moving.wait()
    answer = client.post(URL, form(ref=pay.ref))
    reading.join()
    assert (answer.status_code, given()) == (422, None)


def test_a_role_that_an_administrator_edits_is_theirs_and_outlives_the_next_reading(client, olga):
    client.post(URL, form(ref=Entity.objects.get(name="pay").ref))
    client.force_login(User.objects.create_superuser("root"))
    url = reverse("admin:portal_rolemapping_change", args=[given().pk])
    new = {"scope_kind": "system", "scope_ref": "system:default/checkout", "note": "All of it."}
    save(client, url, {"group": "idp:helpers", "role": given().role_id, **new})
    ownership.end_roles()
    assert (given().scope_kind, given().team, given().by) == ("system", "", None)
    trail = AuditEvent.objects.get(action="admin.change").data
    assert (trail["before"]["team"], trail["after"]["team"]) == (PAYMENTS, "")
