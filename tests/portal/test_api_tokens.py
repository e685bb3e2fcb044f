"""Who calls by a token, and what they may do: what the person may now, cut down to the token's."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group, User
from django.test import RequestFactory
from django.utils import timezone

from portal import hooks
from portal.access import actor_for
from portal.api_tokens import BadToken, actor_by, caller_by, create, note_use, revoke
from portal.models import ApiToken, AuditEvent, Identity, Role, RoleMapping, UserLink
from portal.policy import PERMISSIONS

pytestmark = pytest.mark.django_db
REQUEST = RequestFactory().get("/")


@pytest.fixture
def person():
    """In two groups, one of which gives two roles, and linked to the catalog."""
    user = User.objects.create_user("ana", first_name="Ana", last_name="Ruiz")
    for name in ("idp:devs", "idp:choir"):
        user.groups.add(Group.objects.create(name=name))
    developer, admin = (Role.objects.get(slug=slug) for slug in ("developer", "admin"))
    for role, system in ((developer, "system:default/pay"), (admin, "system:default/web")):
        RoleMapping.objects.create(
            group="idp:devs", role=role, scope_kind="system", scope_ref=system
        )
    UserLink.objects.create(user=user, user_ref="user:default/ana", how="admin")
    return user


def token_of(user, permissions=tuple(PERMISSIONS), days=30):
    return create(user, "a script", permissions, timezone.now() + timedelta(days=days), REQUEST)


def caller(token):
    return caller_by(f"Bearer {token}")


def refusal(token):
    with pytest.raises(BadToken) as caught:
        caller(token)
    return str(caught.value)


def test_a_token_that_may_all_is_the_person(person):
    _, token = token_of(person)
    actor, expected = caller(token).actor, actor_for(person)
    assert set(actor.grants) == set(expected.grants)
    assert len(actor.grants) == 3
    assert (actor.user_id, actor.name, actor.user_ref, actor.groups, actor.active) == (
        expected.user_id,
        expected.name,
        expected.user_ref,
        expected.groups,
        expected.active,
    )


@pytest.mark.parametrize("change", ["conditions", "incomplete", "team", "failing hook", "nothing"])
def test_a_token_that_may_all_is_the_person_whatever_holds(person, change, team_hook):
    """Both ways to ask who somebody is have to agree on every fact of policy."""
    if change == "conditions":
        RoleMapping.objects.update(
            branches="main", parameters="N: integer", hours="00:00-24:00 UTC"
        )
    elif change == "incomplete":
        Identity.objects.create(issuer="a", subject="1", user=person)
        Identity.objects.create(issuer="b", subject="1", user=person, incomplete="Too many groups.")
    elif change in {"team", "failing hook"}:
        RoleMapping.objects.create(group="team:x", role=Role.objects.get(slug="owner"))
        person.groups.add(Group.objects.create(name="team:y"))
        RoleMapping.objects.create(group="team:y", role=Role.objects.get(slug="admin"))
        team_hook.fails = change == "failing hook"
    _, token = token_of(person)
    actor, expected = caller(token).actor, actor_for(person)
    assert set(actor.grants) == set(expected.grants)
    assert len(actor.grants) == 3 + (change == "team")
    assert replace(actor, grants=(), ceiling=None) == replace(expected, grants=())
    told = "Too many groups. An administrator can help."
    assert actor.incomplete == (told if change == "incomplete" else "")


@pytest.fixture
def team_hook(monkeypatch):
    """A room above that has the person in team x, and gives what no room may give."""

    state = SimpleNamespace(fails=False)

    def answer(user_ref):
        if state.fails:
            raise LookupError
        return ["team:x", "idp:admins"] if user_ref == "user:default/ana" else []

    monkeypatch.setattr(hooks.subjects_of, "_functions", [answer])
    return state


def test_a_token_carries_its_agent_and_its_ceiling(person):
    row, token = token_of(person, ["log.view"])
    ApiToken.objects.filter(pk=row.pk).update(agent="bot")
    actor = caller(token).actor
    assert (actor.agent, actor.ceiling) == ("bot", {"log.view"})


def test_who_calls_is_asked_in_one_query(person, django_assert_num_queries):
    _, token = token_of(person)
    with django_assert_num_queries(1):
        caller(token)


def test_a_token_may_no_more_than_was_chosen_and_than_the_person_may_now(person):
    _, token = token_of(person, ["catalog.view", "build.start"])
    assert {p for grant in caller(token).actor.grants for p in grant.permissions} == {
        "catalog.view",
        "build.start",
    }
    person.groups.clear()
    grants = caller(token).actor.grants
    assert [(grant.scope_kind, grant.permissions) for grant in grants] == [
        ("everything", {"catalog.view"})
    ]


def test_without_a_default_role_and_groups_nothing_is_allowed(person, settings):
    settings.DEFAULT_ROLE = ""
    person.groups.clear()
    _, token = token_of(person)
    assert caller(token).actor.grants == ()


def test_the_token_itself_is_kept_nowhere(person):
    row, token = token_of(person)
    assert token.startswith("sd_")
    assert len(token) > 43
    assert token not in str(ApiToken.objects.values().get())
    event = AuditEvent.objects.get(action="token.create")
    assert (event.actor, event.target) == ("Ana Ruiz", "API token: a script")
    assert token not in str(event.data)
    assert row.digest not in str(event.data)


def test_revoked_expired_and_of_nobody_are_told_apart_to_who_holds_them(person):
    row, token = token_of(person)
    assert revoke(row, person, REQUEST)
    assert not revoke(row, person, REQUEST)
    assert AuditEvent.objects.filter(action="token.revoke").count() == 1
    assert refusal(token) == "This token was revoked."
    _, old = token_of(person, days=-1)
    assert "expired on" in refusal(old)
    _, token = token_of(person)
    User.objects.update(is_active=False)
    assert "switched off" in refusal(token)
    assert "Nothing is known" in refusal("sd_" + "x" * 43)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic c2Q6", "Bearer eyJhbGciOi"])
def test_other_credentials_open_nothing(header):
    with pytest.raises(BadToken):
        caller_by(header)


def test_its_use_is_noted_once_a_minute(person):
    row, token = token_of(person)
    assert caller(token).unnoted
    note_use(row.pk)
    first = ApiToken.objects.get().last_used_at
    assert not caller(token).unnoted
    note_use(row.pk)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    assert caller(token).unnoted


# --- After the call ----------------------------------------------------------------------------
def test_a_token_acts_later_as_it_does_then(person):
    row, token = token_of(person, ["log.view"])
    assert actor_by(row.pk) == caller(token).actor
    ApiToken.objects.filter(pk=row.pk).update(permissions=["build.view"])
    assert actor_by(row.pk).ceiling == {"build.view"}


@pytest.mark.parametrize("pk", [None, 0])
def test_a_token_that_is_gone_acts_as_nobody(person, pk):
    with pytest.raises(BadToken, match="Nothing is known"):
        actor_by(pk)


def test_a_revoked_token_acts_as_nobody_and_who_has_to_know_is_told(person, monkeypatch):
    told = []
    monkeypatch.setattr(hooks.token_ended, "_functions", [told.append])
    row, _ = token_of(person)
    revoke(row, person, REQUEST)
    assert not revoke(row, person, REQUEST)
    assert told == [row.pk]
    with pytest.raises(BadToken, match="was revoked"):
        actor_by(row.pk)
