"""Who looks after accounts in the administration, and what they can't make of it."""

import re
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from portal.models import AuditEvent, PolicyChange, UserLink, UserSession
from tests.steps import save

pytestmark = pytest.mark.django_db
PEOPLE = "/admin/auth/user/"


@pytest.fixture
def clerk(client: Client) -> User:
    """May change accounts, and is no superuser."""
    user = User.objects.create_user("clerk", is_staff=True)
    codenames = ["change_user", "view_user", "add_user", "change_userlink", "add_userlink"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return user


def change(client: Client, user: User, **values: str):
    form = {"username": user.username, "first_name": "", "last_name": "", "email": ""}
    url = reverse("admin:auth_user_change", args=[user.pk])
    return save(client, url, {**form, "is_active": "on", **values})


@pytest.mark.parametrize("field", ["is_staff", "is_superuser"])
@pytest.mark.parametrize("whom", ["clerk", "mara"])
def test_who_changes_accounts_makes_nobody_an_administrator(client, clerk, field, whom):
    User.objects.create_user("mara")
    user = User.objects.get(username=whom)
    change(client, user, first_name="Changed", **{field: "on"})
    user.refresh_from_db()
    assert (user.first_name, user.is_superuser) == ("Changed", False)
    assert user.is_staff == (whom == "clerk")


def test_who_changes_accounts_keeps_off_those_of_superusers(client, clerk):
    root = User.objects.create_superuser("root", "root@example.com", "p")
    assert change(client, root, email="mine@example.com").status_code == 403
    root.refresh_from_db()
    assert (root.email, root.is_active) == ("root@example.com", True)


@pytest.mark.parametrize("superuser", [False, True])
def test_nobody_sets_a_password_of_another_or_makes_an_account(client, clerk, superuser):
    User.objects.filter(pk=clerk.pk).update(is_superuser=superuser)
    mara = User.objects.create_user("mara", password="before-this-1")
    url = reverse("admin:auth_user_password_change", args=[mara.pk])
    form = {"usable_password": "true", "password1": "taken-over-77", "password2": "taken-over-77"}
    assert client.post(url, form).status_code == 403
    assert client.post(f"{PEOPLE}add/", {"username": "puppet", **form}).status_code == 403
    mara.refresh_from_db()
    assert mara.check_password("before-this-1")
    page = client.get(reverse("admin:auth_user_change", args=[mara.pk])).content.decode()
    assert mara.password not in page
    assert "md5$" not in page
    assert "manage.py changepassword NAME" in page


def test_nobody_removes_a_second_factor_of_another(client):
    client.force_login(User.objects.create_superuser("root"))
    second = User.objects.create_superuser("second")
    factor = Authenticator.objects.create(user=second, type="totp", data={"secret": "x"})
    url = reverse("admin:mfa_authenticator_delete", args=[factor.pk])
    assert client.post(url, {"post": "yes"}).status_code == 403
    call_command("remove_second_factor", "second", stdout=StringIO())
    assert not Authenticator.objects.exists()
    event = AuditEvent.objects.get(action="account.factor")
    assert (event.target, event.actor) == ("user: second", "Stagedoor")
    assert "on the server" in event.reason
    with pytest.raises(CommandError, match="no account of that name"):
        call_command("remove_second_factor", "nobody")


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_who_opens_the_administration_to_another_needs_a_second_person(client, flag):
    client.force_login(User.objects.create_superuser("root"))
    mara = User.objects.create_user("mara", password="her-own-one-1")
    url = reverse("admin:auth_user_change", args=[mara.pk])
    names = {"username": "mara", "first_name": "Mara", "last_name": "", "email": ""}
    step = client.post(url, {**names, "is_active": "on", flag: "on"}).content.decode()
    assert "so a second person has to confirm it" in step
    assert "Whoever may use the server's console can confirm it" in step
    change(client, mara, **{flag: "on"})
    mara.refresh_from_db()
    assert not getattr(mara, flag)
    waiting = PolicyChange.objects.get()
    assert "password" not in waiting.before
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    there = reverse("admin:portal_policychange_change", args=[waiting.pk])
    shown = boss.get(there).context["shown"]
    boss.post(there, {"verdict": "confirm", "shown": shown})
    mara.refresh_from_db()
    assert getattr(mara, flag)
    assert mara.check_password("her-own-one-1")


def test_who_activates_an_administrator_again_needs_a_second_person(client):
    client.force_login(User.objects.create_superuser("root"))
    boss = User.objects.create_superuser("boss", is_active=False)
    change(client, boss, is_active="on", is_staff="on", is_superuser="on")
    boss.refresh_from_db()
    assert not boss.is_active
    assert PolicyChange.objects.get().label == "Change user: boss"
    mara = User.objects.create_user("mara", is_active=False)
    change(client, mara, is_active="on")
    mara.refresh_from_db()
    assert mara.is_active


def test_what_opens_nothing_is_saved_at_once(client):
    client.force_login(User.objects.create_superuser("root"))
    mara = User.objects.create_superuser("mara")
    change(client, mara, first_name="Mara", is_staff="on")
    mara.refresh_from_db()
    assert (mara.first_name, mara.is_staff, mara.is_superuser) == ("Mara", True, False)


def test_nobody_links_themselves_to_a_person_of_the_catalog(client, clerk):
    form = {"user": str(clerk.pk), "user_ref": "user:default/ana"}
    page = save(client, reverse("admin:portal_userlink_add"), form)
    assert "Nobody links themselves" in page.content.decode()
    root = User.objects.create_superuser("root")
    client.force_login(root)
    save(client, reverse("admin:portal_userlink_add"), {**form, "user": str(root.pk)})
    assert not UserLink.objects.exists()


def test_a_long_list_of_groups_is_cut(client):
    client.force_login(User.objects.create_superuser("root"))
    mara = User.objects.create_user("mara")
    through = User.groups.through
    made = [mara.groups.model(name=f"idp:g{number:03}") for number in range(150)]
    mara.groups.model.objects.bulk_create(made)
    through.objects.bulk_create([through(user=mara, group=group) for group in made])
    page = client.get(reverse("admin:auth_user_change", args=[mara.pk])).content.decode()
    assert "idp:g099 and 50 more" in page


# --- The end of access ----------------------------------------------------------------------
@pytest.fixture
def root():
    return User.objects.create_superuser("root")


@pytest.fixture
def ana():
    user = User.objects.create_user("ana")
    Client().force_login(user)
    return user


def end(by: User, *people: User) -> str:
    client = Client()
    client.force_login(by)
    chosen = [str(user.pk) for user in people]
    form = {"action": "end_their_access", "_selected_action": chosen, "confirmed": "1"}
    return client.post(PEOPLE, form, follow=True).content.decode()


def test_the_action_ends_access_and_says_what_ended(root, ana):
    assert "The access of ana has ended: account deactivated, 1 session." in end(root, ana)
    event = AuditEvent.objects.get(action="access.end")
    assert (event.actor, event.target) == ("root", "user: ana")
    assert event.ip == "127.0.0.1"
    ana.refresh_from_db()
    assert not ana.is_active


def test_the_action_asks_first_and_says_what_would_end(root, ana):
    chosen = {"action": "end_their_access", "_selected_action": [str(ana.pk), str(root.pk)]}
    client = Client()
    client.force_login(root)
    page = client.post(PEOPLE, chosen).content.decode()
    assert "<td>ana</td><td>account deactivated, 1 session</td>" in page
    assert "<td>root</td>" not in page
    ana.refresh_from_db()
    assert ana.is_active
    assert UserSession.objects.filter(user=ana).exists()
    assert not AuditEvent.objects.filter(action="access.end").exists()
    fields = dict(re.findall(r'name="(action|_selected_action|confirmed)" value="([^"]*)"', page))
    assert (
        "The access of ana has ended" in client.post(PEOPLE, fields, follow=True).content.decode()
    )


def test_the_action_takes_so_many_people_only(root, ana, monkeypatch):
    monkeypatch.setattr("portal.user_admin.MAX_ENDED", 1)
    assert "Choose 1 people at most." in end(root, ana, root)
    ana.refresh_from_db()
    assert ana.is_active


def test_nobody_ends_their_own_access(root):
    assert "Nobody ends their own access." in end(root, root)
    root.refresh_from_db()
    assert root.is_active


def test_only_who_may_change_an_account_ends_its_access(clerk, root, ana):
    staff = User.objects.create_user("staff", is_staff=True)
    end(staff, ana)
    assert "You may not change root." in end(clerk, root)
    for user in (ana, root):
        user.refresh_from_db()
        assert user.is_active
    end(clerk, ana)
    ana.refresh_from_db()
    assert not ana.is_active


def test_deactivating_in_the_form_ends_the_sessions(root, ana):
    client = Client()
    client.force_login(root)
    form = {"username": "ana", "first_name": "", "last_name": "", "email": ""}
    client.post(reverse("admin:auth_user_change", args=[ana.pk]), form)
    assert not UserSession.objects.filter(user=ana).exists()


def test_sessions_are_listed_without_their_keys(root, ana):
    client = Client()
    client.force_login(root)
    row = UserSession.objects.get(user=ana)
    for page in ("changelist", "change"):
        args = [row.pk] if page == "change" else []
        shown = client.get(reverse(f"admin:portal_usersession_{page}", args=args)).content.decode()
        assert "a local account" in shown
        assert row.session_key not in shown
