"""A session of a local account reaches nothing but a second factor's pages until it shows one."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.test import Client

from portal.models import AuditEvent, ScimUser, UserSession
from tests.portal.oidc.provider import sign_in
from tests.portal.test_mfa import PASSWORD, activate, log_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    user = User.objects.create_superuser("root", password=PASSWORD)
    client.post("/accounts/login/", {"login": "root", "password": PASSWORD})
    return user


@pytest.mark.parametrize("path", ["/", "/admin/", "/catalog/", "/account/", "/accounts/linked/"])
def test_a_password_alone_opens_no_page(client, root, path):
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/")
    assert "Add a second factor first" in client.get("/accounts/2fa/").content.decode()


def test_nothing_is_posted_either(client, root):
    assert client.post("/admin/portal/role/add/", {"name": "x"})["Location"] == "/accounts/2fa/"


def test_htmx_reloads_the_page(client, root):
    answer = client.get("/catalog/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Refresh"]) == (204, "true")


def test_the_way_to_a_second_factor_and_out_are_open(client, root):
    for path in ("/accounts/2fa/", "/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/"):
        assert client.get(path)["Content-Type"].startswith("text/html")
    assert client.post("/signout/")["Location"] == "/signed-out/"


def enrol(client):
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return activate(client)


@pytest.mark.django_db(transaction=True)  # it is noted on commit
def test_with_a_second_factor_everything_is_open(client, root):
    enrol(client)
    assert client.get("/admin/").status_code == 200


def test_what_the_account_has_opens_no_session_that_has_not_shown_it(client, root):
    Authenticator.objects.create(user=root, type=Authenticator.Type.TOTP, data={})
    assert client.get("/admin/")["Location"] == "/accounts/2fa/"
    page = client.get("/accounts/2fa/").content.decode()
    assert "Sign out, and sign in again with it." in page
    assert "Add a second factor first" not in page


@pytest.mark.django_db(transaction=True)  # it is noted on commit
def test_sessions_by_the_password_alone_end_when_a_second_factor_is_added(client, root):
    thief = Client()
    log_in(thief)
    thief.post("/accounts/reauthenticate/", {"password": PASSWORD})
    enrol(client)
    assert "_auth_user_id" not in thief.session
    assert thief.post("/accounts/2fa/totp/deactivate/").status_code == 302
    assert Authenticator.objects.filter(type="totp").exists()
    assert UserSession.objects.get().session_key == client.session.session_key
    assert AuditEvent.objects.get(action="session.end").reason == "A second factor was added."


def test_a_password_does_not_open_what_changes_a_second_factor(client, root):
    """As it stands after five minutes, when what was shown at the sign-in counts no more."""
    enrol(client)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": 0}]
    session.save()
    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert answer["Location"] == "/accounts/2fa/reauthenticate/"
    for path in ("recovery-codes/", "totp/deactivate/", "webauthn/add/"):
        asked = client.get(f"/accounts/2fa/{path}")["Location"]
        assert asked.startswith("/accounts/2fa/reauthenticate/"), path


@pytest.mark.parametrize("path", ["", "totp/activate/", "webauthn/add/", "reauthenticate/"])
def test_people_of_the_company_have_their_providers_second_factor(client, provider, path):
    sign_in(client, provider)
    assert client.get(f"/accounts/2fa/{path}")["Location"] == "/account/"
    assert "you sign in there" in client.get("/account/").content.decode()


def test_whom_a_directory_took_over_goes_through_the_companys_sign_in(client, root):
    ScimUser.objects.create(user=root, user_name="root")
    assert client.get("/accounts/2fa/")["Location"] == "/account/"
    assert client.get("/account/")["Location"] == "/signin/"
    assert "_auth_user_id" not in client.session


def test_recovery_codes_are_no_second_factor(client, root):
    Authenticator.objects.create(user=root, type=Authenticator.Type.RECOVERY_CODES, data={})
    assert client.get("/admin/").status_code == 302


def test_sessions_of_the_company_are_not_asked(client):
    client.force_login(User.objects.create_user("ana"))
    assert client.get("/account/").status_code == 200
