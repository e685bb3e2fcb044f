"""The end of a person's access, in one place."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone

from portal import api_tokens, hooks, leaving, tasks
from portal.api_tokens import BadToken, caller_by
from portal.leaving import end_access
from portal.models import ApiToken, AuditEvent, Identity, PolicyChange, UserSession

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana():
    user = User.objects.create_user("ana", first_name="Ana", last_name="Ortiz")
    Identity.objects.create(issuer="https://id", subject="ana-1", user=user)
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def token_of(user: User) -> str:
    end = timezone.now() + timedelta(days=1)
    request = RequestFactory().get("/")
    return api_tokens.create(user, "script", ["catalog.view"], end, request)[1]


def test_everything_ends_at_once_and_the_name_stays(ana):
    browser, token = signed_in(ana), token_of(ana)
    change = PolicyChange.objects.create(model="portal.role", label="x", author=ana)
    ended = end_access(ana, why="She left.")
    assert ended == [
        "account deactivated",
        "1 session",
        "1 API token",
        "1 waiting change of policy",
    ]
    assert browser.get("/account/")["Location"].startswith("/signin/")
    with pytest.raises(BadToken):
        caller_by(f"Bearer {token}")
    change.refresh_from_db()
    assert change.state == PolicyChange.State.WITHDRAWN
    event = AuditEvent.objects.get(action="access.end")
    assert (event.target, event.reason) == ("user: ana", "She left.")
    assert event.data == {"person": ana.pk, "name": "Ana Ortiz", "ended": ended}
    assert Identity.objects.get().user == ana


def test_doing_it_again_ends_nothing_and_writes_nothing(ana):
    end_access(ana, why="She left.")
    assert end_access(ana, why="She left.") == []
    assert AuditEvent.objects.filter(action="access.end").count() == 1


def test_without_deactivation_the_person_may_come_back(ana):
    browser = signed_in(ana)
    assert end_access(ana, why="Signed out.", deactivate=False) == ["1 session"]
    assert browser.get("/account/").status_code == 302
    ana.refresh_from_db()
    assert ana.is_active


def test_nobody_else_loses_anything(ana):
    ben = User.objects.create_user("ben")
    browser, token = signed_in(ben), token_of(ben)
    end_access(ana, why="She left.")
    assert browser.get("/account/").status_code == 200
    assert caller_by(f"Bearer {token}").actor.user_id == ben.pk


def test_a_room_that_fails_does_not_keep_the_access_alive(ana, monkeypatch):
    def fails(user: User) -> None:
        raise RuntimeError

    monkeypatch.setattr(hooks.access_ended, "_functions", [fails])
    browser = signed_in(ana)
    assert "1 session" in end_access(ana, why="She left.")
    assert browser.get("/account/").status_code == 302


def test_a_deactivated_persons_session_is_refused_without_any_of_this(ana):
    """Nothing hangs on the ending: each request asks anew."""
    browser, token = signed_in(ana), token_of(ana)
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert browser.get("/account/").status_code == 302
    with pytest.raises(BadToken):
        caller_by(f"Bearer {token}")


def test_what_is_polled_is_refused_at_the_next_poll(ana):
    """Live parts of pages are polled, there are no open streams: htmx goes to the sign-in."""
    browser = signed_in(ana)
    end_access(ana, why="She left.")
    answer = browser.get("/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/signin/?next=%2F&ended=seen")


def test_the_sweep_ends_what_was_left(ana):
    signed_in(ana)
    token_of(ana)
    User.objects.filter(pk=ana.pk).update(is_active=False)
    tasks.tick()
    assert not UserSession.objects.exists()
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    assert leaving.sweep() == 0


def test_single_sessions_end_by_themselves(ana):
    browser, other = signed_in(ana), signed_in(ana)
    rows = UserSession.objects.filter(session_key=browser.session.session_key)
    assert leaving.end_sessions(rows, why="Signed out there.") == 1
    assert browser.get("/account/").status_code == 302
    assert other.get("/account/").status_code == 200
    assert AuditEvent.objects.get(action="session.end").data == {"ended": ["1 session"]}
