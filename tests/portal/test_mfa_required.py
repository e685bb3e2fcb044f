"""A local account reaches nothing but the pages of its second factor until it has one."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "right-password-1"


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


def test_with_a_second_factor_everything_is_open(client, root):
    Authenticator.objects.create(user=root, type=Authenticator.Type.TOTP, data={})
    assert client.get("/admin/").status_code == 200


def test_recovery_codes_are_no_second_factor(client, root):
    Authenticator.objects.create(user=root, type=Authenticator.Type.RECOVERY_CODES, data={})
    assert client.get("/admin/").status_code == 302


def test_sessions_of_the_company_are_not_asked(client):
    client.force_login(User.objects.create_user("ana"))
    assert client.get("/account/").status_code == 200
