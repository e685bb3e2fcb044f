"""Signing in through the company's provider: the flow, and every answer that must be refused."""

import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from portal.models import AuditEvent, CacheEntry, Identity
from portal.process_cache import answers, notes
from portal.signin import MAX_FAILURES
from tests.httpd import closed_port, reply
from tests.portal.oidc.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    DROP,
    Key,
    Provider,
    begin,
    finish,
    sign_in,
)

pytestmark = pytest.mark.django_db


def assert_refused(client: Client, response: Any, code: str) -> AuditEvent:
    """Nobody is signed in; a page says so with a reference that the audit trail knows."""
    assert (response.status_code, response["Location"]) == (302, "/signin/failed/")
    assert "_auth_user_id" not in client.session
    page = client.get("/signin/failed/")
    event = AuditEvent.objects.get(action="signin.failed")
    assert (event.outcome, event.data["code"]) == ("failed", code)
    assert event.request_id in page.content.decode()
    return event


def test_a_person_signs_in_with_code_pkce_state_and_nonce(client: Client, provider: Provider):
    sent = begin(client, provider, "/account/")
    assert sent["response_type"] == "code"
    assert sent["code_challenge_method"] == "S256"
    assert sent["client_id"] == CLIENT_ID
    assert len(sent["state"]) >= 32
    assert len(sent["nonce"]) >= 32
    response = finish(client, sent)
    assert (response.status_code, response["Location"]) == (302, "/account/")
    identity = Identity.objects.get(issuer=provider.issuer, subject="subject-1")
    assert client.session["_auth_user_id"] == str(identity.user.pk)
    assert not identity.user.has_usable_password()
    event = AuditEvent.objects.get(action="signin")
    assert (event.outcome, event.actor_id) == ("ok", identity.user.pk)


NOW = int(time.time())
FORGERIES = {
    "another audience": {"aud": "another-client"},
    "another issuer": {"iss": "https://evil.example"},
    "issuer with a slash": {"iss": "SLASH"},
    "no end": {"exp": DROP},
    "no beginning": {"iat": DROP},
    "no subject": {"sub": DROP},
    "empty subject": {"sub": ""},
    "subject with NUL": {"sub": "a\0b"},
    "no issuer": {"iss": DROP},
    "no audience": {"aud": DROP},
    "expired": {"exp": NOW - 3600},
    "issued in the future": {"iat": NOW + 7200},
    "not valid yet": {"nbf": NOW + 7200},
    "another party authorised": {"azp": "another-client"},
    "two audiences and no party": {"aud": [CLIENT_ID, "another-client"]},
    "two audiences, another party": {"aud": [CLIENT_ID, "other"], "azp": "other"},
    "no nonce": {"nonce": DROP},
    "another nonce": {"nonce": "n" * 32},
    "nonce that is no text": {"nonce": ["a"]},
    "end that is a list": {"exp": [NOW + 3600]},
    "subject that is a number": {"sub": 7},
}


@pytest.mark.parametrize("claims", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_signed_token_with_wrong_claims_is_refused(client, provider, claims):
    if claims.get("iss") == "SLASH":
        claims = {"iss": provider.issuer + "/"}
    provider.claims = claims
    event = assert_refused(client, sign_in(client, provider), "token_refused")
    assert event.data["detail"]
    assert not User.objects.exists()


def test_two_audiences_with_us_as_authorised_party_are_accepted(client, provider):
    provider.claims = {"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}
    assert sign_in(client, provider)["Location"] == "/"


def test_a_clock_that_differs_by_seconds_is_accepted(client, provider):
    provider.claims = {"iat": int(time.time()) + 15}
    assert sign_in(client, provider)["Location"] == "/"


def forged(provider: Provider, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": provider.issuer, "sub": "s", "aud": CLIENT_ID, "nonce": provider.nonce,
        "iat": now, "exp": now + 300, **changes,
    }  # fmt: skip


def test_a_token_signed_with_the_client_secret_is_refused(client, provider):
    sent = begin(client, provider)
    provider.id_token = jwt.encode(forged(provider), CLIENT_SECRET, algorithm="HS256")
    assert "HS256" in assert_refused(client, finish(client, sent), "token_refused").data["detail"]


def test_an_unsigned_token_is_refused(client, provider):
    sent = begin(client, provider)
    provider.id_token = jwt.encode(forged(provider), None, algorithm="none")
    assert_refused(client, finish(client, sent), "token_refused")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30"])
def test_a_token_that_is_none_is_refused(client, provider, token):
    sent = begin(client, provider)
    provider.id_token = token or "  "
    assert_refused(client, finish(client, sent), "token_refused")


def test_a_token_signed_by_a_stranger_under_a_known_key_id_is_refused(client, provider):
    sent = begin(client, provider)
    stranger = Key(kid=provider.key.kid)
    provider.id_token = jwt.encode(
        forged(provider), stranger.private, algorithm="RS256", headers={"kid": stranger.kid}
    )
    assert_refused(client, finish(client, sent), "token_refused")


def test_an_unknown_key_id_is_refused_after_one_new_look_at_the_keys(client, provider):
    provider.key = Key(kid="unpublished")
    assert_refused(client, sign_in(client, provider), "token_refused")
    assert provider.paths().count("/jwks") == 2


def test_keys_are_cached_and_a_rotated_key_is_found(client, provider):
    sign_in(client, provider)
    sign_in(Client(), provider)
    assert provider.paths().count("/jwks") == 1
    provider.key = Key(kid="second")
    provider.published = [provider.key.public]
    response = sign_in(Client(), provider)
    assert response["Location"] == "/"
    assert provider.paths().count("/jwks") == 2


def test_a_key_that_is_for_encryption_is_not_used(client, provider):
    provider.published = [{**provider.key.public, "use": "enc"}]
    assert_refused(client, sign_in(client, provider), "token_refused")


def test_userinfo_about_another_subject_is_refused(client, provider):
    provider.userinfo = {"sub": "somebody-else"}
    assert_refused(client, sign_in(client, provider), "token_refused")


def test_userinfo_cannot_change_the_issuer(client, provider):
    provider.userinfo = {"iss": "https://evil.example"}
    sign_in(client, provider)
    assert Identity.objects.get().issuer == provider.issuer


def test_a_code_that_the_provider_refuses_ends_on_the_page(client, provider):
    provider.token_status = 400
    assert_refused(client, sign_in(client, provider), "code_refused")


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_token_endpoint_out_of_order_ends_on_the_page(client, provider, status):
    provider.token_status = status
    assert_refused(client, sign_in(client, provider), "provider_down")


def test_a_provider_that_answers_html_ends_on_the_page(client, provider):
    sent = begin(client, provider)
    provider.httpd.behaviour = reply(200, "<html>", Content_Type="text/html")
    assert_refused(client, finish(client, sent), "provider_down")


def test_a_provider_that_is_down_at_the_start_ends_on_the_page(client, settings):
    notes.clear()
    settings.OIDC_OP_ISSUER = f"http://127.0.0.1:{closed_port()}"
    assert_refused(client, client.get("/oidc/authenticate/"), "provider_down")


def test_a_provider_that_is_down_at_the_callback_ends_on_the_page(client, provider):
    sent = begin(client, provider)
    provider.httpd.server.shutdown()
    provider.httpd.server.server_close()
    assert_refused(client, finish(client, sent), "provider_down")


def test_a_state_is_used_once(client, provider):
    sent = begin(client, provider)
    finish(client, sent)
    client.post("/signout/")
    assert finish(client, sent)["Location"] == "/signin/failed/"
    assert AuditEvent.objects.get(action="signin.failed").data["code"] == "unknown_state"


def test_a_state_of_another_browser_is_refused(client, provider):
    sent = begin(Client(), provider)
    begin(client, provider)
    assert_refused(client, finish(client, sent), "unknown_state")


def test_a_flood_of_false_answers_fills_no_trail(client, provider, caplog):
    for _ in range(MAX_FAILURES + 5):
        client.get("/oidc/callback/", {"state": "x", "code": "y"})
    assert AuditEvent.objects.filter(action="signin.failed").count() == MAX_FAILURES
    assert caplog.text.count("sign-in failed") == MAX_FAILURES + 5


def test_a_link_with_an_error_does_not_sign_anybody_out(client, provider):
    sign_in(client, provider)
    client.get("/oidc/callback/", {"error": "login_required", "state": "made-up"})
    assert "_auth_user_id" in client.session


def test_a_cancelled_sign_in_ends_on_the_page_without_the_providers_words(client, provider):
    sent = begin(client, provider)
    answer = {"error": "<b>evil</b>", "error_description": "call 555", "state": sent["state"]}
    response = client.get("/oidc/callback/", answer)
    event = assert_refused(client, response, "refused")
    assert "evil" not in str(event.data)
    assert "555" not in client.get("/signin/failed/").content.decode()


def test_an_answer_that_names_another_issuer_is_refused(client, provider):
    sent = begin(client, provider)
    answer = {"code": "code-1", "state": sent["state"], "iss": "https://evil.example"}
    assert_refused(client, client.get("/oidc/callback/", answer), "token_refused")
    assert "/token" not in provider.paths()


def test_neither_code_nor_error_ends_on_the_page(client, provider):
    sent = begin(client, provider)
    assert_refused(client, client.get("/oidc/callback/", {"state": sent["state"]}), "refused")


def test_local_sign_in_never_reaches_the_provider(client, provider):
    credentials = {"login": "a", "password": "b"}
    client.post("/accounts/login/?code=x&state=y", credentials)
    assert provider.paths() == []


def test_parallel_tabs_each_come_back_to_their_own_page(client, provider):
    first = begin(client, provider, "/account/")
    nonce, challenge = provider.nonce, provider.challenge
    second = begin(client, provider, "/healthz")
    assert finish(client, second)["Location"] == "/healthz"
    provider.nonce, provider.challenge = nonce, challenge
    assert finish(client, first)["Location"] == "/account/"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_next_never_leaves_the_portal(client, provider, target):
    assert sign_in(client, provider, target)["Location"] == "/"


def test_a_deactivated_person_is_refused_and_an_open_session_ends(client, provider):
    sign_in(client, provider)
    User.objects.update(is_active=False)
    assert client.get("/account/")["Location"].startswith("/signin/")
    other = Client()
    assert_refused(other, sign_in(other, provider), "inactive")


def test_no_token_reaches_the_trail_or_the_log(client, provider, caplog):
    provider.claims = {"aud": "another-client"}
    sent = begin(client, provider)
    provider.id_token = provider.token()
    finish(client, sent)
    seen = caplog.text + str(list(AuditEvent.objects.values()))
    for secret in (provider.id_token, CLIENT_SECRET, "code-1"):
        assert secret not in seen


def test_signout_ends_the_session_here_and_at_the_provider(client, provider):
    sign_in(client, provider)
    id_token = client.session["oidc_id_token"]
    response = client.post("/signout/")
    assert response["Location"] == "/signed-out/"
    assert "_auth_user_id" not in client.session
    page = client.get("/signed-out/")
    assert page["Refresh"] == "0; url=/signout/provider/"
    assert id_token not in page.content.decode()
    onward = client.get("/signout/provider/")["Location"]
    assert onward.startswith(provider.issuer + "/end?")
    assert id_token in onward
    assert "post_logout_redirect_uri=http%3A%2F%2Ftestserver%2Fsigned-out%2F" in onward
    assert "Refresh" not in client.get("/signed-out/")
    assert AuditEvent.objects.filter(action="signout").count() == 1


def test_signout_is_for_forms_only(client, provider):
    sign_in(client, provider)
    for path in ("/signout/", "/oidc/logout/", "/accounts/logout/"):
        assert client.get(path).status_code == 405
    assert "_auth_user_id" in client.session


def test_signout_stays_here_when_the_provider_offers_no_end(client, provider):
    provider.discovery = {"end_session_endpoint": DROP}
    sign_in(client, provider)
    client.post("/signout/")
    assert "Refresh" not in client.get("/signed-out/")


def test_signout_works_while_the_provider_is_down(client, provider):
    sign_in(client, provider)
    provider.httpd.behaviour = reply(503)
    notes.clear()
    assert client.post("/signout/")["Location"] == "/signed-out/"
    assert "_auth_user_id" not in client.session


def test_a_local_administrator_signs_in_and_the_trail_knows(client):
    User.objects.create_superuser("root", "root@example.com", "right-password-1")
    client.post("/accounts/login/", {"login": "root", "password": "wrong"})
    assert AuditEvent.objects.get(action="signin.failed").target == "root"
    response = client.post("/accounts/login/", {"login": "root", "password": "right-password-1"})
    assert response["Location"] == "/"
    assert AuditEvent.objects.get(action="signin").data == {"how": "local account"}


def test_no_reader_makes_room_for_more_guesses(client):
    """What many searches keep must not push out how often a password was tried."""
    User.objects.create_superuser("root", "root@example.com", "right-password-1")
    for _ in range(5):
        client.post("/accounts/login/", {"login": "root", "password": "wrong"})
    for number in range(400):
        answers.set(f"x{number}", number)
        notes.set(f"x{number}", number)
    page = Client().post("/accounts/login/", {"login": "root", "password": "right-password-1"})
    assert "Too many failed login attempts" in page.content.decode()
    assert CacheEntry.objects.exists()  # where every process sees it


def test_guessing_a_local_password_is_slowed_down(client):
    User.objects.create_superuser("root", "root@example.com", "right-password-1")
    for _ in range(5):
        client.post("/accounts/login/", {"login": "root", "password": "wrong"})
    page = client.post("/accounts/login/", {"login": "root", "password": "right-password-1"})
    assert "Too many failed login attempts" in page.content.decode()
    assert "_auth_user_id" not in client.session


def test_a_company_account_never_signs_in_with_a_password(client, provider):
    sign_in(client, provider)
    user = User.objects.get()
    user.set_password("a-password-set-by-hand")
    user.save()
    other = Client()
    credentials = {"login": user.username, "password": "a-password-set-by-hand"}
    assert_refused(other, other.post("/accounts/login/", credentials), "company_account")


def test_nobody_registers(client):
    page = client.get("/accounts/signup/")
    assert "Nobody registers here" in page.content.decode()
    form = {
        "username": "x",
        "email": "x@example.com",
        "password1": "p-w-1-x",
        "password2": "p-w-1-x",
    }
    client.post("/accounts/signup/", form)
    assert not User.objects.exists()


@pytest.mark.parametrize("path", ["password/reset/", "email/", "3rdparty/", "social/signup/"])
def test_pages_that_could_give_a_company_account_a_password_do_not_exist(client, path):
    client.force_login(User.objects.create_user("u"))
    assert client.get(f"/accounts/{path}").status_code == 404


def test_identities_seen_at_moves_with_each_sign_in(client, provider):
    sign_in(client, provider)
    Identity.objects.update(seen_at=timezone.now() - timedelta(days=3))
    sign_in(Client(), provider)
    assert Identity.objects.get().seen_at > timezone.now() - timedelta(minutes=1)
