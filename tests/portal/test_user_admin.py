"""Who looks after accounts in the administration, and what they can't make of it."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from portal.models import AuditEvent, UserLink, UserSession
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
    return client.post(url, {**form, "is_active": "on", **values})


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


def test_only_superusers_set_passwords_of_others(client, clerk):
    mara = User.objects.create_user("mara", password="before-this-1")
    url = reverse("admin:auth_user_password_change", args=[mara.pk])
    form = {"usable_password": "true", "password1": "taken-over-77", "password2": "taken-over-77"}
    assert client.post(url, form).status_code == 403
    mara.refresh_from_db()
    assert mara.check_password("before-this-1")
    page = client.get(reverse("admin:auth_user_change", args=[mara.pk])).content.decode()
    assert mara.password not in page
    assert "md5$" not in page


def test_a_superuser_still_does_all_of_it(client):
    client.force_login(User.objects.create_superuser("root"))
    mara = User.objects.create_user("mara")
    change(client, mara, is_staff="on", is_superuser="on")
    mara.refresh_from_db()
    assert (mara.is_staff, mara.is_superuser) == (True, True)


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
    form = {"action": "end_their_access", "_selected_action": chosen}
    return client.post(PEOPLE, form, follow=True).content.decode()


def test_the_action_ends_access_and_says_what_ended(root, ana):
    assert "The access of ana has ended: account deactivated, 1 session." in end(root, ana)
    event = AuditEvent.objects.get(action="access.end")
    assert (event.actor, event.target) == ("root", "user: ana")
    assert event.ip == "127.0.0.1"
    ana.refresh_from_db()
    assert not ana.is_active


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
