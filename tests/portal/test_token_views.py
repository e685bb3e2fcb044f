"""The account's pages about API tokens."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client, RequestFactory
from django.utils import timezone

from portal.api_tokens import MAX_LIVE, caller_by, create
from portal.models import ApiToken, AuditEvent, Role, RoleMapping

pytestmark = pytest.mark.django_db
FORM = {"name": "nightly report", "days": "7", "permissions": ["catalog.view"]}


@pytest.fixture
def ana():
    return User.objects.create_user("ana")


@pytest.fixture
def signed_in(ana):
    client = Client()
    client.force_login(ana)
    return client


def made(user, name="a script"):
    end = timezone.now() + timedelta(days=1)
    return create(user, name, ["catalog.view"], end, RequestFactory().get("/"))


def test_token_list_shows_scope_use_and_end_of_mine_only(signed_in, ana):
    made(ana, "mine")
    made(User.objects.create_user("ben"), "theirs")
    page = signed_in.get("/account/tokens/").content.decode()
    assert "mine" in page
    assert "see the catalog" in page
    assert "theirs" not in page
    assert "You have no token" not in page
    assert "/account/tokens/" in signed_in.get("/account/").content.decode()


def test_token_create_offers_what_the_person_may_and_chooses_to_read(signed_in):
    page = signed_in.get("/account/tokens/new/").content.decode()
    offered = re.findall(r'name="permissions" value="([^"]+)"( checked)?', page)
    assert ("catalog.view", " checked") in offered
    assert "source.register" not in dict(offered)


def test_token_create_leads_to_a_page_that_shows_the_token_once(signed_in):
    response = signed_in.post("/account/tokens/new/", FORM)
    row = ApiToken.objects.get()
    assert response.status_code == 302
    assert response["Location"] == f"/account/tokens/{row.pk}/"
    cookie = response.cookies["stagedoor_new_token"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (
        True,
        "Strict",
        response["Location"],
    )
    page = signed_in.get(response["Location"])
    token = re.search(r'value="(sd_[^"]+)"', page.content.decode())[1]
    assert caller_by(f"Bearer {token}").token_id == row.pk
    assert "no-store" in page["Cache-Control"]
    assert token not in str(dict(signed_in.session))
    again = signed_in.get(response["Location"]).content.decode()
    assert "sd_" not in again
    assert "shown once" in again
    assert timedelta(days=6) < row.expires_at - timezone.now() < timedelta(days=8)


def test_token_create_keeps_what_was_typed_and_says_what_is_wrong(signed_in):
    response = signed_in.post("/account/tokens/new/", {**FORM, "permissions": ["source.register"]})
    page = response.content.decode()
    assert response.status_code == 422
    assert "You may not do this yourself" in page
    assert "nightly report" in page
    assert "Say what the token is for" in signed_in.post("/account/tokens/new/").content.decode()
    response = signed_in.post("/account/tokens/new/", {**FORM, "days": "3650"})
    assert response.status_code == 422
    assert not ApiToken.objects.exists()


def test_token_create_ends_at_a_number_of_them(signed_in, ana):
    for _ in range(MAX_LIVE):
        made(ana)
    response = signed_in.post("/account/tokens/new/", FORM)
    assert response.status_code == 422
    assert "Revoke one" in response.content.decode()


def test_token_created_is_for_its_owner(signed_in):
    row, token = made(User.objects.create_user("ben"))
    signed_in.cookies["stagedoor_new_token"] = token
    assert signed_in.get(f"/account/tokens/{row.pk}/").status_code == 404


def test_token_created_shows_no_other_token(signed_in, ana):
    row, _ = made(ana)
    _, other = made(ana)
    signed_in.cookies["stagedoor_new_token"] = other
    assert other not in signed_in.get(f"/account/tokens/{row.pk}/").content.decode()


def test_token_revoke_ends_mine_and_no_other(signed_in, ana):
    row, token = made(ana)
    theirs, _ = made(User.objects.create_user("ben"))
    assert signed_in.post(f"/account/tokens/{theirs.pk}/revoke/").status_code == 404
    page = signed_in.post(f"/account/tokens/{row.pk}/revoke/", follow=True).content.decode()
    assert "is revoked" in page
    assert "Ended" in page
    assert token not in page
    assert ApiToken.objects.filter(revoked_at=None).get() == theirs
    assert AuditEvent.objects.filter(action="token.revoke", actor_id=ana.pk).count() == 1


def test_the_administration_lists_and_revokes_and_never_shows(client, ana):
    row, _ = made(ana)
    client.force_login(User.objects.create_superuser("lena"))
    for address in ("/admin/portal/apitoken/", f"/admin/portal/apitoken/{row.pk}/change/"):
        page = client.get(address).content.decode()
        assert "a script" in page
        assert row.digest not in page
    assert client.get("/admin/portal/apitoken/add/").status_code == 403
    data = {"action": "revoke_tokens", "_selected_action": [row.pk]}
    client.post("/admin/portal/apitoken/", data)
    row.refresh_from_db()
    assert row.revoked_at
    assert AuditEvent.objects.get(action="token.revoke").actor == "lena"


def test_token_create_makes_one_for_an_agent(signed_in, ana):
    signed_in.post("/account/tokens/new/", {**FORM, "agent": "Claude"})
    assert ApiToken.objects.get().agent == "Claude"
    assert "agent Claude" in signed_in.get("/account/tokens/").content.decode()


@pytest.mark.parametrize("field", ["agent", "name"])
@pytest.mark.parametrize(
    "name", ["Claude\u202eedualC", "Cla\u200bude", "Claude\x1b[2J", "a\u2028b"]
)
def test_token_create_takes_no_name_that_looks_like_another(signed_in, field, name):
    answer = signed_in.post("/account/tokens/new/", {**FORM, field: name})
    assert answer.status_code == 422
    assert "characters in it that can&#x27;t be seen" in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_token_create_neither_offers_nor_gives_what_only_people_do(signed_in, ana):
    deployers = Group.objects.create(name="idp:deployers")
    ana.groups.add(deployers)
    RoleMapping.objects.create(group=deployers.name, role=Role.objects.get(slug="deployer"))
    form = {**FORM, "permissions": ["catalog.view", "trigger.approve"]}
    page = signed_in.get("/account/tokens/new/").content.decode()
    assert "start builds" in page
    assert "approve other people" not in page
    for name in ("", "Claude"):
        answer = signed_in.post("/account/tokens/new/", {**form, "agent": name})
        assert answer.status_code == 422
        assert "only a person may" in answer.content.decode()
    assert not ApiToken.objects.exists()
