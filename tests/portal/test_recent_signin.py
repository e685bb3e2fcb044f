"""Linking accounts needs a sign-in of the last minutes, which the provider is asked for."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from portal.models import Identity
from portal.recent_signin import ASKED_KEY, AT_KEY
from portal.session_refresh import DOOR_KEY
from portal.social.links import LINK_KEY
from tests.portal.oidc.provider import DROP, Provider, begin, finish, remember, sign_in
from tests.portal.social.conftest import forge, github  # noqa: F401  fixtures

pytestmark = pytest.mark.django_db
LINK = "/account/link/github/"


@pytest.fixture
def ana(client: Client, provider: Provider, github: Any, settings: Any) -> User:  # noqa: F811
    """Signed in through the company's provider an hour ago."""
    settings.SOCIAL_SIGNIN = False
    provider.claims["auth_time"] = int(time.time()) - 3600
    sign_in(client, provider)
    return User.objects.get()


def link(client: Client) -> str:
    """Where the button leads: to GitHub, or to a sign-in before."""
    answer = client.post(LINK)
    return str(answer.headers.get("Refresh") or answer.headers["Location"])


def again(client: Client, provider: Provider) -> dict[str, str]:
    """Signs in as the page says; what the provider was asked for."""
    page = client.get("/signin/again/").content.decode()
    assert "/oidc/authenticate/?next=%2Faccount%2F" in page
    sent = begin(client, provider, "/account/")
    assert finish(client, sent)["Location"] == "/account/"
    return sent


def test_who_signed_in_long_ago_signs_in_again_first(client, provider, ana):
    assert link(client) == "/signin/again/"
    assert LINK_KEY not in client.session
    provider.claims["auth_time"] = int(time.time())
    sent = again(client, provider)
    assert (sent["prompt"], sent["max_age"]) == ("login", "600")
    assert "You have signed in again." in client.get("/account/").content.decode()
    assert "process=connect" in link(client)


def test_a_provider_that_asked_nothing_again_is_not_enough(client, provider, ana):
    link(client)
    again(client, provider)
    assert "You were not asked to sign in again" in client.get("/account/").content.decode()
    assert link(client) == "/signin/again/"


def test_where_the_provider_tells_no_time_the_way_through_it_counts(client, provider, ana):
    provider.claims["auth_time"] = DROP
    assert link(client) == "/signin/again/"
    again(client, provider)
    assert "process=connect" in link(client)


def test_a_renewal_of_the_session_is_no_new_sign_in(client, provider, ana):
    provider.claims["auth_time"] = DROP
    session = client.session
    session["oidc_id_token_expiration"] = 1
    session.save()
    finish(client, remember(client.get("/account/"), provider))
    assert link(client) == "/signin/again/"


def test_a_renewal_after_the_question_does_not_answer_it(client, provider, ana):
    provider.claims["auth_time"] = DROP
    link(client)
    session = client.session
    session["oidc_id_token_expiration"] = 1
    session.save()
    sent = remember(client.get("/account/"), provider)
    assert sent["prompt"] == "none"
    finish(client, sent)
    assert ASKED_KEY in client.session
    assert link(client) == "/signin/again/"


def test_a_sign_in_that_asked_nothing_is_not_enough(provider, ana):
    """Whoever finds an open browser deletes the cookie, and the provider lets them in."""
    provider.claims["auth_time"] = DROP
    browser = Client()
    assert "prompt" not in begin(browser, provider)
    sign_in(browser, provider)
    assert browser.session["_auth_user_id"] == str(ana.pk)
    assert link(browser) == "/signin/again/"


def test_an_answer_to_another_tabs_silent_question_is_not_enough(client, provider, ana):
    provider.claims["auth_time"] = DROP
    sent = begin(client, provider)
    link(client)
    finish(client, sent)
    assert link(client) == "/signin/again/"


def test_a_time_to_come_counts_as_now(client, provider, ana):
    provider.claims["auth_time"] = int(time.time()) + 9_000_000
    sign_in(client, provider)
    assert client.session[AT_KEY] <= time.time()


def test_account_unlink_needs_it_too(client, provider, ana):
    row = Identity.objects.create(issuer=_github(client), subject="4711", user=ana)
    assert client.post(f"/account/unlink/{row.pk}/")["Location"] == "/signin/again/"
    assert Identity.objects.filter(pk=row.pk).exists()


def test_an_unfinished_link_does_not_wait_for_somebody_else(client, provider, ana):
    provider.claims["auth_time"] = int(time.time())
    sign_in(client, provider)
    link(client)
    session = client.session
    session[LINK_KEY]["until"] = time.time() - 1
    session.save()
    sent = client.get("/accounts/github/login/?process=connect")
    state = parse_qs(urlsplit(sent["Location"]).query)["state"][0]
    client.get("/accounts/github/login/callback/", {"code": "c0de", "state": state})
    assert ana.identities.count() == 1


def test_signin_again_without_a_reason_leads_back(client, provider, ana):
    assert client.get("/signin/again/")["Location"] == "/account/"


def test_through_github_nobody_is_asked_and_nothing_linked(client, provider, ana, settings):
    settings.SOCIAL_SIGNIN = True
    browser = Client()
    sent = parse_qs(urlsplit(browser.get("/accounts/github/login/")["Location"]).query)
    callback = {"code": "c0de", "state": sent["state"][0]}
    browser.get("/accounts/github/login/callback/", callback)
    assert browser.session[DOOR_KEY]["provider"] == "github"
    assert link(browser) == "/account/"
    assert "GitHub can&#x27;t be told to ask" in browser.get("/account/").content.decode()
    assert LINK_KEY not in browser.session


def _github(client: Client) -> str:
    page = client.get("/account/")
    return str(page.context["doors"][0].issuer)
