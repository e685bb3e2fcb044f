"""Attacks on the sign-in that need more than one false claim; those are in test_signin.py."""

import time
from collections.abc import Iterator

import jwt
import pytest
from django.contrib.auth.models import User
from django.test import Client

from portal.id_token import LEEWAY_SECONDS
from portal.models import AuditEvent, Identity
from portal.process_cache import notes
from tests.portal.oidc.provider import (
    CLIENT_ID,
    Key,
    Provider,
    begin,
    finish,
    running_provider,
    sign_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def evil() -> Iterator[Provider]:
    """A second provider, over real HTTP, at which the attacker may say anything."""
    with running_provider() as running:
        running.key = Key(kid="first")  # the honest provider's key id
        running.published = [running.key.public]
        yield running


def assert_refused(client: Client, response, code: str = "token_refused") -> None:
    assert response["Location"] == "/signin/failed/"
    assert "_auth_user_id" not in client.session
    assert not User.objects.exists()
    assert AuditEvent.objects.get(action="signin.failed").data["code"] == code


# --- Two providers ---------------------------------------------------------------------------
def test_a_token_of_another_provider_is_refused_where_ours_passes_it_on(client, provider, evil):
    """A mix-up: the code was another provider's, and its token comes back."""
    sent = begin(client, provider)
    evil.nonce, evil.subject = provider.nonce, provider.subject
    provider.id_token = evil.token()
    assert_refused(client, finish(client, sent))


def test_a_token_that_another_provider_signs_in_our_providers_name_is_refused(
    client, provider, evil
):
    sent = begin(client, provider)
    evil.nonce = provider.nonce
    provider.id_token = evil.token(iss=provider.issuer)
    assert_refused(client, finish(client, sent))


def test_an_answer_of_another_provider_takes_no_code_to_ours(client, provider, evil):
    """RFC 9207: the answer names its issuer, so the code goes to nobody."""
    sent = begin(client, provider)
    answer = {"code": "stolen", "state": sent["state"], "iss": evil.issuer}
    assert_refused(client, client.get("/oidc/callback/", answer))
    assert "/token" not in provider.paths() + evil.paths()


def test_a_description_that_claims_to_be_ours_leads_nobody_there(client, provider, evil, settings):
    """The issuer is compared to the letter with the one that is configured."""
    evil.discovery = {"issuer": provider.issuer}
    settings.OIDC_OP_ISSUER = evil.issuer
    response = client.get("/oidc/authenticate/")
    assert_refused(client, response, "provider_misconfigured")


def test_keys_of_another_provider_are_never_asked_for(client, provider, evil):
    """A token's own header may name keys (jku, jwk, x5u); none of them counts."""
    sent = begin(client, provider)
    now = int(time.time())
    claims = {
        "iss": provider.issuer, "sub": "victim", "aud": CLIENT_ID, "nonce": provider.nonce,
        "iat": now, "exp": now + 300,
    }  # fmt: skip
    headers = {"kid": "first", "jku": f"{evil.issuer}/jwks", "jwk": evil.key.public}
    provider.id_token = jwt.encode(claims, evil.key.private, algorithm="RS256", headers=headers)
    assert_refused(client, finish(client, sent))
    assert evil.paths() == []


def test_one_person_at_two_providers_is_two_people_here(client, provider, evil, settings):
    provider.userinfo = evil.userinfo = {"email": "mara@example.com", "email_verified": True}
    sign_in(client, provider)
    settings.OIDC_OP_ISSUER = evil.issuer
    notes.clear()
    sign_in(Client(), evil)
    assert User.objects.count() == 2
    assert set(Identity.objects.values_list("issuer", flat=True)) == {provider.issuer, evil.issuer}


# --- Clocks ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "claims",
    [{"exp": -LEEWAY_SECONDS + 10}, {"iat": LEEWAY_SECONDS - 10}, {"nbf": LEEWAY_SECONDS - 10}],
    ids=["ended a moment ago", "issued in a moment", "valid in a moment"],
)
def test_clocks_may_differ_by_some_seconds(client, provider, claims):
    now = int(time.time())
    provider.claims = {name: now + seconds for name, seconds in claims.items()}
    assert sign_in(client, provider)["Location"] == "/"


@pytest.mark.parametrize(
    "claims",
    [{"exp": -LEEWAY_SECONDS - 60}, {"iat": LEEWAY_SECONDS + 60}, {"nbf": LEEWAY_SECONDS + 60}],
    ids=["ended a minute ago", "issued in a minute", "valid in a minute"],
)
def test_clocks_may_not_differ_by_more(client, provider, claims):
    now = int(time.time())
    provider.claims = {name: now + seconds for name, seconds in claims.items()}
    assert_refused(client, sign_in(client, provider))


def test_a_token_is_good_for_the_sign_in_that_it_was_made_for(client, provider):
    """A token of an earlier sign-in, played back into a later one, has the nonce of the earlier."""
    begin(client, provider)
    earlier = provider.token()
    sent = begin(client, provider)
    provider.id_token = earlier
    assert_refused(client, finish(client, sent))


# --- Sessions --------------------------------------------------------------------------------
def test_a_session_that_somebody_else_planted_is_worth_nothing_after_the_sign_in(client, provider):
    """Fixation: the attacker's session id, in the victim's browser, gets another at the sign-in."""
    attacker = Client()
    attacker.get("/oidc/authenticate/")
    planted = attacker.cookies["stagedoor_session"].value
    client.cookies["stagedoor_session"] = planted
    sign_in(client, provider)
    assert client.get("/account/").status_code == 200
    assert client.cookies["stagedoor_session"].value != planted
    assert attacker.get("/account/")["Location"].startswith("/signin/")


def test_a_session_id_that_was_made_up_is_not_taken_over(client, provider):
    client.cookies["stagedoor_session"] = "a" * 32
    sign_in(client, provider)
    assert client.cookies["stagedoor_session"].value != "a" * 32


def test_another_person_in_the_same_browser_starts_from_nothing(client, provider):
    sign_in(client, provider)
    session = client.session
    session["left_by_the_first"] = "x"
    session.save()
    first = client.session.session_key
    provider.subject = "subject-2"
    sign_in(client, provider)
    assert client.session.session_key != first
    assert "left_by_the_first" not in client.session
    assert client.session["_auth_user_id"] == str(Identity.objects.get(subject="subject-2").user.pk)


def test_nobody_is_signed_in_by_a_link_that_somebody_else_prepared(client, provider):
    """Login CSRF: the attacker's own code and state, sent to the victim, are of no session here."""
    attacker = Client()
    sent = begin(attacker, provider)
    finish(client, sent)
    assert "_auth_user_id" not in client.session


# --- Where one is led ------------------------------------------------------------------------
@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example",
        "\\\\evil.example", "http:evil.example", "https:///evil.example", "javascript:alert(1)",
        "data:text/html,x", "//testserver@evil.example", "http://testserver.evil.example/",
        "/\t/evil.example", "\x00//evil.example", " //evil.example", "ftp://testserver/",
    ],
)  # fmt: skip
@pytest.mark.parametrize("door", ["/signin/", "/oidc/authenticate/", "/accounts/login/"])
def test_no_address_of_elsewhere_survives_any_way_in(client, provider, target, door):
    answer = client.get(door, {"next": target})
    assert "evil.example" not in answer.get("Location", "").replace(provider.issuer, "")
    signed_in = Client()
    onward = sign_in(signed_in, provider, target)["Location"]
    assert onward.startswith("/")
    assert "evil" not in onward
    assert "alert" not in onward


@pytest.mark.parametrize(
    "header", [{"host": "evil.example"}, {"x-forwarded-host": "evil.example"}], ids=str
)
def test_a_false_host_never_reaches_the_provider(client, provider, settings, header):
    settings.ALLOWED_HOSTS = ["testserver"]
    answer = client.get("/oidc/authenticate/", headers=header)
    assert "evil.example" not in answer.get("Location", "")
