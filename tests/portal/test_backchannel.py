"""The provider's word that a session there has ended: believed, and every lie that is not."""

import time
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from portal.backchannel import EVENT, MAX_TOKEN
from portal.models import ApiToken, AuditEvent, Delivery, UserSession
from tests.portal.oidc.provider import CLIENT_ID, DROP, Key, Provider, sign_in, without_dropped
from tests.portal.test_leaving import token_of

pytestmark = pytest.mark.django_db
ADDRESS = "/oidc/backchannel-logout/"


def claims(provider: Provider, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return without_dropped(
        {
            "iss": provider.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": "once",
            "events": {EVENT: {}}, "sub": provider.subject, "sid": "there-1", **changes,
        }
    )  # fmt: skip


def signed(
    provider: Provider, key: Key | None = None, typ: Any = "logout+jwt", **changes: Any
) -> str:
    used = key or provider.key
    headers = {"kid": used.kid, "typ": typ}
    return jwt.encode(claims(provider, **changes), used.private, "RS256", headers)


def told(token: str) -> HttpResponse:
    return Client(enforce_csrf_checks=True).post(ADDRESS, {"logout_token": token})


@pytest.fixture
def visitor(provider):
    """Signed in with the provider's session "there-1"."""
    client = Client()
    provider.claims["sid"] = "there-1"
    sign_in(client, provider)
    return client


def signed_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def test_backchannel_logout_ends_the_session_that_it_names(visitor, provider):
    other = Client()
    provider.claims["sid"] = "there-2"
    sign_in(other, provider)
    answer = told(signed(provider))
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert not signed_in(visitor)
    assert signed_in(other)
    event = AuditEvent.objects.get(action="session.end")
    assert event.data == {"ended": ["1 session"]}
    assert User.objects.get().is_active


def test_a_token_that_names_only_the_person_ends_all_that_acts_for_them(visitor, provider):
    user = User.objects.get()
    token_of(user)
    assert told(signed(provider, sid=DROP)).status_code == 200
    assert not signed_in(visitor)
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    user.refresh_from_db()
    assert user.is_active
    sign_in(visitor, provider)
    assert signed_in(visitor)


def test_sessions_whose_name_was_not_told_end_with_the_persons(visitor, provider):
    nameless = Client()
    del provider.claims["sid"]
    sign_in(nameless, provider)
    assert told(signed(provider, sub="somebody-else", sid="there-9")).status_code == 200
    assert signed_in(nameless)
    assert told(signed(provider, jti="2", sid="there-9")).status_code == 200
    assert not signed_in(nameless)
    assert signed_in(visitor)


def test_a_session_without_the_persons_name_is_enough(visitor, provider):
    assert told(signed(provider, sub=DROP, typ="JWT")).status_code == 200
    assert not signed_in(visitor)


def test_what_is_not_known_here_has_ended_already(visitor, provider):
    assert told(signed(provider, sid="another")).status_code == 200
    assert told(signed(provider, jti="2", sid=DROP, sub="nobody")).status_code == 200
    assert told(signed(provider, jti="3", sub="somebody-else")).status_code == 200
    assert signed_in(visitor)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"}, {"iss": DROP}, {"aud": "another"}, {"aud": DROP},
        {"nonce": "n"}, {"exp": 1}, {"exp": DROP}, {"iat": DROP}, {"iat": 4_000_000_000},
        {"jti": DROP}, {"jti": ""}, {"events": DROP}, {"events": {}}, {"events": [EVENT]},
        {"events": {EVENT: "yes"}}, {"sid": DROP, "sub": DROP}, {"sid": 7, "sub": ""},
        {"typ": "at+jwt"}, {"typ": 7},
    ],
)  # fmt: skip
def test_a_signed_token_that_breaks_a_rule_ends_nothing(visitor, provider, changes):
    answer = told(signed(provider, **changes))
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"
    assert answer["Cache-Control"] == "no-store"
    assert signed_in(visitor)


def forged(provider: Provider, how: str) -> str:
    if how == "another key":
        return signed(provider, Key(provider.key.kid))
    if how == "unknown key":
        return signed(provider, Key("unknown"))
    if how == "none":
        return jwt.encode(claims(provider), None, "none", {"kid": provider.key.kid})
    if how == "shared secret":
        return jwt.encode(claims(provider), "x" * 64, "HS256", {"kid": provider.key.kid})
    return {"an ID token": provider.token(), "nothing": "", "noise": "a.b.c"}.get(
        how, "x" * MAX_TOKEN
    )


@pytest.mark.parametrize(
    "how",
    ["another key", "unknown key", "none", "shared secret", "an ID token", "nothing", "noise", "x"],
)
def test_a_forged_token_ends_nothing(visitor, provider, how):
    assert told(forged(provider, how)).status_code == 400
    assert signed_in(visitor)
    refused = Delivery.objects.get()
    assert (refused.receiver, refused.status) == ("portal:backchannel-logout", "refused")


def test_a_token_counts_once(visitor, provider):
    token = signed(provider)
    assert told(token).status_code == 200
    provider.claims["sid"] = "there-1"
    sign_in(visitor, provider)
    answer = told(token)
    assert (answer.status_code, answer.json()["error_description"]) == (
        400, "this token was sent before",
    )  # fmt: skip
    assert signed_in(visitor)


def test_unknown_keys_do_not_make_us_ask_the_provider_without_end(visitor, provider):
    for number in range(5):
        told(signed(provider, Key(f"unknown-{number}")))
    assert provider.paths().count("/jwks") <= 2  # at the sign-in, and once more


def test_a_session_is_the_providers_who_named_it(visitor, provider):
    """Another provider's session of the same name is none of its business."""
    UserSession.objects.update(issuer="https://other.example")
    assert told(signed(provider)).status_code == 200
    assert signed_in(visitor)


def test_backchannel_logout_is_posted():
    assert Client().get(ADDRESS).status_code == 405
