"""Sessions of people who came through GitHub: noted and ended as any other."""

import pytest
from django.contrib.auth.models import User

from portal.leaving import end_access
from portal.models import Identity, UserSession
from portal.user_sessions import how
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
