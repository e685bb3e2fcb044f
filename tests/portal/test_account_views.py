"""The pages around signing in and out, and the account page."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from portal.models import Role, RoleMapping, UserLink
from tests.portal.oidc.provider import Provider, sign_in

pytestmark = pytest.mark.django_db


def text(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_signin_offers_the_company_account_first_and_keeps_where_to_go(client, settings):
    settings.OIDC_ISSUER_NAME = "Limelight"
    page = text(client, "/signin/?next=/account/")
    assert 'href="/oidc/authenticate/?next=%2Faccount%2F"' in page
    assert "Continue with Limelight" in page
    assert 'href="/accounts/login/?next=%2Faccount%2F"' in page


def test_signin_never_leads_off_the_portal(client):
    assert "evil" not in text(client, "/signin/?next=https://evil.example/")


def test_signin_lists_no_password_of_the_demo(client, settings):
    settings.ENVIRONMENT = "demo"
    page = text(client, "/signin/")
    assert "The people you can sign in as" in page
    assert "-at-limelight" not in page


def test_signin_sends_on_who_is_signed_in(client):
    client.force_login(User.objects.create_user("u"))
    assert client.get("/signin/?next=/account/")["Location"] == "/account/"
    assert client.get("/signin/?next=//evil.example")["Location"] == "/"


def test_signin_failed_without_a_failure_leads_to_signin(client):
    assert client.get("/signin/failed/")["Location"] == "/signin/"


def test_signin_renew_leads_nowhere_else(client):
    client.force_login(User.objects.create_user("u"))
    assert client.get("/signin/renew/?next=//evil.example")["Refresh"] == "0; url=/"
    assert client.get("/signin/renew/?next=/account/")["Refresh"] == "0; url=/account/"


# What browsers strip from an address, or take for another character, and a line's end in a header.
ODD = [
    "/%09//evil.example",
    "/%0a/evil.example",
    "/a%0d%0ab",
    "/%5Cevil.example",
    "%09//x",
    "/%c2%85",
]


@pytest.mark.parametrize("odd", ODD)
def test_no_page_leads_to_what_browsers_read_otherwise(client, odd):
    assert "next" not in text(client, f"/signin/?next={odd}")
    password = "right-password-1"
    User.objects.create_user("u", password=password)
    form = {"login": "u", "password": password}
    assert client.post(f"/accounts/login/?next={odd}", form)["Location"] == "/"
    client.force_login(User.objects.create_user("v"))
    assert client.get(f"/signin/renew/?next={odd}")["Refresh"] == "0; url=/"
    assert client.get(f"/signin/?next={odd}")["Location"] == "/"


def test_signin_renew_leads_to_pages_of_any_language(client):
    client.force_login(User.objects.create_user("u"))
    answer = client.get("/signin/renew/", {"next": "/catalog/?q=Zahlungsmöglichkeit"})
    assert answer["Refresh"] == "0; url=/catalog/?q=Zahlungsm%C3%B6glichkeit"


def test_signed_out_offers_to_sign_in_again(client):
    assert "Sign in again" in text(client, "/signed-out/")


def test_signout_provider_without_a_pending_sign_out_stays_here(client):
    assert client.get("/signout/provider/")["Location"] == "/signed-out/"


def test_account_needs_a_session(client):
    assert client.get("/account/")["Location"] == "/signin/?next=/account/"


def test_account_shows_who_how_groups_and_roles(client, provider: Provider):
    role = Role.objects.update_or_create(
        slug="deployer",
        defaults={"name": "Deployer", "permissions": ["build.start", "entity.refresh"]},
    )[0]
    RoleMapping.objects.create(
        group="idp:payments-deployers", role=role, scope_kind="team",
        scope_ref="group:default/payments", environment="staging",
    )  # fmt: skip
    provider.userinfo = {
        "name": "Mara K", "email": "m@example.com", "groups": ["payments-deployers", "chess"],
    }  # fmt: skip
    sign_in(client, provider)
    page = text(client, "/account/")
    for words in ("Mara K", "m@example.com", "Deployer", "staging", "start builds", "chess"):
        assert words in page
    assert "have an entity read again" not in page  # that is about no environment
    assert "gives no role" in page
    assert "through Limelight" in page
    assert "Second factor" not in page


def test_account_of_a_local_administrator_offers_second_factors(client):
    user = User.objects.create_superuser("root", "root@example.com", "p")
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    page = text(client, "/account/")
    assert "a local account of this portal" in page
    assert 'href="/accounts/2fa/"' in page
    assert "no right to start anything" in page


def test_account_says_who_one_is_in_the_catalog(client):
    user = User.objects.create_user("u")
    UserLink.objects.create(user=user, user_ref="user:default/mara", how="admin")
    client.force_login(user)
    assert "an administrator&#x27;s word" in text(client, "/account/")


def test_account_takes_as_many_queries_with_many_groups(client, django_assert_max_num_queries):
    user = User.objects.create_user("u")
    user.groups.set([Group.objects.create(name=f"idp:g{number}") for number in range(60)])
    client.force_login(user)
    with django_assert_max_num_queries(11):
        client.get("/account/")


@pytest.mark.parametrize("path", ["/signin/", "/signed-out/", "/accounts/login/", "/account/"])
def test_pages_are_not_kept_by_caches_and_keep_the_content_security_policy(client, path):
    client.force_login(User.objects.create_user("u")) if path == "/account/" else None
    response = client.get(path)
    assert "no-store" in response["Cache-Control"]
    assert "form-action 'self'" in response["Content-Security-Policy"]
    assert "unsafe-inline" not in response["Content-Security-Policy"]
