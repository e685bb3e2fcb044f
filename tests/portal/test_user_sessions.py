"""Whose each session is: noted at every sign-in, moved and gone with its session."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from portal import tasks, user_sessions
from portal.models import UserSession
from tests.portal.oidc.provider import begin, finish, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def lena():
    return User.objects.create_superuser("lena", "lena@example.com", "correct horse battery")


def sign_in_locally(client: Client) -> None:
    client.post("/accounts/login/", {"login": "lena", "password": "correct horse battery"})


def test_a_sign_in_at_the_provider_is_noted_with_its_name_of_the_session(client, provider):
    provider.claims["sid"] = "there-1"
    sign_in(client, provider)
    row = UserSession.objects.get()
    assert (row.issuer, row.subject, row.sid) == (provider.issuer, "subject-1", "there-1")
    assert row.session_key == client.session.session_key
    assert user_sessions.how(row) == "Limelight"


def test_a_renewal_notes_the_new_name(client, provider):
    provider.claims["sid"] = "there-1"
    sign_in(client, provider)
    provider.claims["sid"] = "there-2"
    finish(client, begin(client, provider))
    assert UserSession.objects.get().sid == "there-2"


@pytest.mark.parametrize("sid", [None, 7, "x" * 300, "a\x00b", ["there-1"]])
def test_a_name_that_can_not_be_kept_is_left_out(client, provider, sid):
    provider.claims["sid"] = sid
    sign_in(client, provider)
    assert UserSession.objects.get().sid == ""


def test_another_person_in_the_same_browser_takes_the_row_over(client, provider):
    sign_in(client, provider)
    provider.subject = "subject-2"
    sign_in(client, provider)
    assert UserSession.objects.get().subject == "subject-2"
    assert UserSession.objects.get().session_key == client.session.session_key


def test_a_local_sign_in_is_noted_and_goes_at_sign_out(client, lena):
    sign_in_locally(client)
    row = UserSession.objects.get()
    assert (row.user, row.issuer, user_sessions.how(row)) == (lena, "", user_sessions.LOCAL)
    client.post("/signout/")
    assert not UserSession.objects.exists()


def test_a_new_password_gives_the_session_a_new_key_and_the_row_follows(client, lena):
    sign_in_locally(client)
    before = UserSession.objects.get()
    new = {"password1": "another horse 77", "password2": "another horse 77"}
    client.post("/accounts/password/change/", {"oldpassword": "correct horse battery", **new})
    after = UserSession.objects.get()
    assert after.pk == before.pk
    assert after.session_key == client.session.session_key != before.session_key


def test_an_ended_session_is_anonymous_at_its_next_request(client, lena):
    sign_in_locally(client)
    assert user_sessions.end(UserSession.objects.filter(user=lena)) == 1
    assert client.get("/account/").status_code == 302
    assert not Session.objects.exists()
    assert user_sessions.end(UserSession.objects.filter(user=lena)) == 0


def test_rows_of_forgotten_sessions_are_forgotten(client, lena):
    sign_in_locally(client)
    UserSession.objects.create(session_key="long-gone", user=lena)
    tasks.forget_sessions()
    assert UserSession.objects.get().session_key == client.session.session_key


def test_a_provider_that_ends_the_session_ends_only_that_one(client, provider):
    other = Client()
    sign_in(other, provider)
    sign_in(client, provider)
    sent = begin(client, provider)
    client.get("/oidc/callback/", {"error": "login_required", "state": sent["state"]})
    assert UserSession.objects.get().session_key == other.session.session_key


def test_a_failure_makes_no_session(client, provider):
    answer = client.get("/oidc/callback/?state=x")
    assert answer.status_code == 400
    assert "Reference for your administrator" in answer.content.decode()
    client.cookies["stagedoor_session"] = "of-somebody-elses-making"
    assert client.get("/oidc/callback/?state=x").status_code == 400
    assert not Session.objects.exists()


def test_a_session_is_short_until_somebody_has_signed_in(client, provider):
    sent = begin(client, provider)
    assert lasts() <= user_sessions.BEFORE_SIGN_IN_SECONDS
    assert client.cookies["stagedoor_session"]["max-age"] == user_sessions.BEFORE_SIGN_IN_SECONDS
    finish(client, sent)
    assert lasts() > 11 * 3600
    assert client.cookies["stagedoor_session"]["max-age"] == 12 * 3600


def lasts() -> float:
    return (Session.objects.get().expire_date - timezone.now()).total_seconds()
