"""Sessions of people who came through GitHub: noted and ended as any other."""

import pytest
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.contrib.auth.models import User
from django.test import Client

from portal.leaving import end_access
from portal.mfa import MFAAdapter
from portal.models import Identity, UserSession
from portal.social.configuration import DOOR_KEY
from portal.user_sessions import account_used, how
from tests.portal.social.test_adapter import come_in

pytestmark = pytest.mark.django_db


def test_a_session_says_which_account_it_came_by(client, github):
    come_in(client)
    row, identity = UserSession.objects.get(), Identity.objects.get()
    assert (row.issuer, row.session_key) == (identity.issuer, client.session.session_key)
    assert row.subject == identity.subject
    assert how(row) == "GitHub"
    assert "GitHub" in client.get("/account/").content.decode()


def test_who_left_does_not_come_back_through_another_door(client, github):
    come_in(client)
    end_access(User.objects.get(), why="She left.")
    assert client.get("/account/").status_code == 302
    assert come_in(client)["Location"] == "/signin/failed/"
    assert not UserSession.objects.exists()


def test_a_second_factor_of_before_does_not_stand_between_a_person_and_the_provider(client, github):
    come_in(client)
    secret = MFAAdapter().encrypt(generate_totp_secret())
    data = {"secret": secret}
    Authenticator.objects.create(user=User.objects.get(), type="totp", data=data)
    again = Client()
    assert come_in(again)["Location"] == "/teams/"
    assert again.session[DOOR_KEY]["provider"] == "github"


def test_the_door_is_known_after_a_second_factor_in_another_request(rf, client, github):
    come_in(client)
    request, user = rf.get("/"), User.objects.get()
    request.session = client.session
    record_authentication(request, user, "mfa", type="totp")
    door, subject = account_used(request, user)
    assert (door and door.provider, subject) == ("github", Identity.objects.get().subject)
