"""Signing out in other browsers."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from portal.models import AuditEvent, UserSession

pytestmark = pytest.mark.django_db


@pytest.fixture
def clients():
    user = User.objects.create_user("ana")
    found = [Client(), Client(), Client()]
    for client in found:
        client.force_login(user)
    return found


def test_signout_elsewhere_ends_all_sessions_but_this_one(clients):
    here, *others = clients
    page = here.get("/account/").content.decode()
    assert (page.count("this browser"), page.count("another browser")) == (1, 2)
    answer = here.post("/account/sessions/end/", follow=True)
    page = answer.content.decode()
    assert "2 other sessions have ended." in page
    assert "Sign out elsewhere" not in page
    assert here.get("/account/").status_code == 200
    assert all(other.get("/account/").status_code == 302 for other in others)
    event = AuditEvent.objects.get(action="session.end")
    assert (event.actor, event.data) == ("ana", {"ended": ["2 sessions"]})


def test_signout_elsewhere_leaves_other_people_alone(clients):
    other = Client()
    other.force_login(User.objects.create_user("ben"))
    clients[0].post("/account/sessions/end/")
    assert other.get("/account/").status_code == 200
    assert UserSession.objects.count() == 2


def test_signout_elsewhere_says_when_there_is_nothing_to_end(clients):
    clients[0].post("/account/sessions/end/")
    answer = clients[0].post("/account/sessions/end/", follow=True)
    assert "You were signed in nowhere else." in answer.content.decode()
    assert clients[0].get("/account/sessions/end/").status_code == 405
