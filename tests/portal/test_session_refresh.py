"""Company sessions are renewed at the provider; a stale one neither reads nor posts."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from portal.models import AuditEvent
from tests.portal.oidc.provider import Provider, finish, remember, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def stale(client: Client, provider: Provider) -> Client:
    """Signed in through the provider, longer ago than a session lasts without renewal."""
    provider.userinfo = {"groups": ["a"]}
    sign_in(client, provider)
    make_stale(client)
    return client


def make_stale(client: Client) -> None:
    session = client.session
    session["oidc_id_token_expiration"] = 1
    session.save()


def names() -> list[str]:
    return list(User.objects.get().groups.values_list("name", flat=True))


def test_a_page_renews_silently_and_comes_back_with_todays_groups(stale, provider):
    sent = remember(stale.get("/account/?x=1"), provider)
    assert sent["prompt"] == "none"
    assert sent["code_challenge_method"] == "S256"
    provider.userinfo = {"groups": ["b"]}
    assert finish(stale, sent)["Location"] == "/account/?x=1"
    assert names() == ["idp:b"]
    assert stale.get("/account/").status_code == 200
    assert AuditEvent.objects.filter(action="signin").count() == 1


def test_htmx_reloads_the_page_instead_of_following_a_redirect(stale, provider):
    response = stale.get("/account/", headers={"HX-Request": "true"})
    assert (response.status_code, response["HX-Refresh"]) == (204, "true")
    assert "Location" not in response


def test_a_script_gets_401(stale):
    response = stale.get("/account/", headers={"Sec-Fetch-Mode": "cors"})
    assert response.status_code == 401


def test_a_form_is_refused_renews_and_says_that_it_was_not_done(stale, provider):
    stale.handler.enforce_csrf_checks = False
    response = stale.post("/account/?page=2", headers={"Referer": "http://testserver/account/?x=1"})
    assert response["Location"] == "/signin/renew/?next=%2Faccount%2F%3Fx%3D1"
    page = stale.get(response["Location"])
    assert page["Refresh"] == "0; url=/account/?x=1"
    sent = remember(stale.get("/account/?x=1"), provider)
    assert finish(stale, sent)["Location"] == "/account/?x=1"
    assert "what you just sent was not done" in stale.get("/account/").content.decode()


@pytest.mark.parametrize("referer", ["https://evil.example/x", "", "javascript:x"])
def test_a_refused_form_leads_nowhere_else(stale, referer):
    response = stale.post("/account/", headers={"Referer": referer})
    assert response["Location"] == "/signin/renew/?next=%2F"


def test_an_htmx_form_is_refused_and_the_page_says_so_after_the_reload(stale, provider):
    response = stale.post("/account/", headers={"HX-Request": "true"})
    assert (response.status_code, response["HX-Refresh"]) == (204, "true")
    finish(stale, remember(stale.get("/account/"), provider))
    assert "what you just sent was not done" in stale.get("/account/").content.decode()


def test_signout_needs_no_renewal(stale):
    assert stale.post("/signout/")["Location"] == "/signed-out/"
    assert "_auth_user_id" not in stale.session


def test_a_person_whom_the_provider_no_longer_knows_is_signed_out(stale, provider):
    sent = remember(stale.get("/account/"), provider)
    answer = {"error": "login_required", "state": sent["state"]}
    response = stale.get("/oidc/callback/", answer)
    assert response["Location"] == "/signin/?next=%2Faccount%2F"
    assert "_auth_user_id" not in stale.session
    page = stale.get(response["Location"]).content.decode()
    assert "has ended. Sign in again" in page
    assert AuditEvent.objects.filter(action="signout").count() == 1


def test_another_person_at_the_provider_takes_the_session_over_whole(stale, provider):
    session = stale.session
    session["of the first"] = "person"
    session.save()
    sent = remember(stale.get("/account/"), provider)
    provider.subject = "subject-2"
    finish(stale, sent)
    assert (
        User.objects.get(pk=stale.session["_auth_user_id"]).identities.get().subject == "subject-2"
    )
    assert "of the first" not in stale.session
    assert stale.session["oidc_id_token"]


def test_tabs_that_renew_at_once_each_come_back(stale, provider):
    first = remember(stale.get("/account/?tab=1"), provider)
    nonce, challenge = provider.nonce, provider.challenge
    second = remember(stale.get("/account/?tab=2"), provider)
    assert finish(stale, second)["Location"] == "/account/?tab=2"
    provider.nonce, provider.challenge = nonce, challenge
    assert finish(stale, first)["Location"] == "/account/?tab=1"


def test_without_any_description_of_the_provider_a_page_says_so(stale, provider, settings):
    settings.OIDC_OP_ISSUER = "http://127.0.0.1:9"
    assert stale.get("/account/")["Location"] == "/signin/failed/"
    assert "does not answer" in stale.get("/signin/failed/").content.decode()


def test_a_local_account_is_not_concerned(client):
    user = User.objects.create_superuser("root", "root@example.com", "p")
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    assert client.get("/account/").status_code == 200


def test_htmx_without_a_session_goes_to_sign_in_instead_of_drawing_it_into_a_fragment(client):
    page = "http://testserver/builds/7/?step=2"
    response = client.get("/builds/7/status/", headers={"HX-Request": "true", "Referer": page})
    assert (response.status_code, response.content) == (204, b"")
    url = response["HX-Redirect"]
    assert url == "/signin/?next=%2Fbuilds%2F7%2F%3Fstep%3D2&ended=seen"
    answer = client.get(url).content.decode()
    assert "Your session has ended" in answer
    assert "?next=%2Fbuilds%2F7%2F%3Fstep%3D2" in answer
    assert "has ended" not in client.get("/signin/").content.decode()


def test_a_form_without_a_session_leads_back_to_its_page_by_way_of_sign_in(client):
    page = "http://testserver/builds/7/"
    for referer, leads in ((page, "%2Fbuilds%2F7%2F"), ("http://evil.example/x", "%2F")):
        response = client.post("/builds/7/cancel/", headers={"Referer": referer})
        assert response["Location"] == f"/signin/?next={leads}&ended=sent"
        assert "was not done" in client.get(response["Location"]).content.decode()
    assert client.get("/account/")["Location"] == "/signin/?next=/account/"
