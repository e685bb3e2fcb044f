"""A change of policy in Django admin is shown before it is saved, and saved as it was shown."""

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.urls import reverse

from portal.models import AuditEvent, PolicyChange, Role, RoleMapping
from tests.steps import SHOWN, go_on, save

pytestmark = pytest.mark.django_db
ADD = "/admin/portal/rolemapping/add/"


@pytest.fixture
def root(client):
    user = User.objects.create_superuser("root", first_name="Root")
    client.force_login(user)
    return user


@pytest.fixture
def ana():
    user = User.objects.create_user("ana", first_name="Ana")
    user.groups.add(Group.objects.create(name="idp:web"))
    return user


def form(group="idp:web", role="admin", **values):
    pk = str(Role.objects.get(slug=role).pk)
    return {"group": group, "role": pk, "scope_kind": "everything", "note": "Why & what", **values}


def test_what_would_change_is_shown_before_anything_is_saved(client, root, ana):
    page = client.post(ADD, form()).content.decode()
    assert "<strong>1</strong> person gains" in page
    assert "Ana" in page
    assert "sync a catalog source" in page
    assert 'value="Why &amp; what"' in page
    assert not RoleMapping.objects.exists()
    assert not AuditEvent.objects.filter(action="admin.add").exists()


def test_the_step_saves_what_was_typed(client, root, ana):
    assert save(client, ADD, {**form(), "_save": "Save"}).status_code == 302
    assert RoleMapping.objects.get().note == "Why & what"
    assert AuditEvent.objects.filter(action="admin.add").count() == 1


def test_where_nobody_gains_or_loses_that_is_said(client, root):
    assert "nobody gains or loses" in client.post(ADD, form("idp:nobody")).content.decode()


def test_a_group_that_nobody_was_seen_in_is_doubted_before_it_is_saved(client, root, ana):
    page = client.post(ADD, form("idp:wbe")).content.decode()
    assert "Nobody was ever seen in <strong>idp:wbe</strong>. Did you mean" in page
    assert "<strong>idp:web</strong>?" in page
    page = client.post(ADD, form("idp:cashiers")).content.decode()
    assert "Nobody was ever seen in <strong>idp:cashiers</strong>." in page
    assert "Did you mean" not in page
    assert "ever seen" not in client.post(ADD, form()).content.decode()
    assert save(client, ADD, form("idp:cashiers")).status_code == 302


def test_what_changed_in_between_is_shown_again(client, root, ana):
    shown = client.post(ADD, form())
    User.objects.create_user("ben").groups.add(Group.objects.get(name="idp:web"))
    page = go_on(client, ADD, shown).content.decode()
    assert "have changed since you saw this" in page
    assert "<strong>2</strong> people gain" in page
    assert not RoleMapping.objects.exists()


def test_a_form_that_says_nothing_new_undoes_nothing_of_who_saved_meanwhile(client, root, ana):
    viewer, admin = (Role.objects.get(slug=slug) for slug in ("viewer", "admin"))
    mapping = RoleMapping.objects.create(group="idp:web", role=admin)
    url = reverse("admin:portal_rolemapping_change", args=[mapping.pk])
    locking = 'ORDER BY "portal_role"."id" ASC'

    def another_first(execute, sql, params, many, context):
        if locking in sql:
            RoleMapping.objects.filter(role=admin).update(role=viewer)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(another_first):
        page = client.post(url, form(note="")).content.decode()
    mapping.refresh_from_db()
    assert mapping.role == viewer
    assert "<strong>1</strong> person gains" in page


def test_going_back_keeps_what_was_typed_and_saves_nothing(client, root, ana):
    page = client.post(ADD, {**form(), "_back": "1"}).content.decode()
    assert 'value="Why &amp; what"' in page
    assert "Please correct" not in page
    assert not RoleMapping.objects.exists()


def test_an_invalid_form_is_djangos_own_page(client, root):
    page = client.post(ADD, form(group="")).content.decode()
    assert SHOWN.search(page) is None
    assert "This field is required" in page


def test_a_deletion_shows_who_loses(client, root, ana):
    mapping = RoleMapping.objects.create(group="idp:web", role=Role.objects.get(slug="admin"))
    url = reverse("admin:portal_rolemapping_delete", args=[mapping.pk])
    assert "<strong>1</strong> loses" in client.get(url).content.decode()
    assert RoleMapping.objects.exists()
    assert save(client, url, {}).status_code == 302
    assert not RoleMapping.objects.exists()


def test_a_role_in_use_is_not_deleted_and_django_says_by_what(client, root):
    role = Role.objects.get(slug="admin")
    RoleMapping.objects.create(group="idp:web", role=role)
    page = client.get(reverse("admin:portal_role_delete", args=[role.pk])).content.decode()
    assert "protected" in page


def test_who_may_not_change_policy_is_refused(client, ana):
    ana.is_staff = True
    ana.save()
    client.force_login(ana)
    assert client.post(ADD, form()).status_code == 403


@pytest.mark.parametrize("values", [{}, {"scope_kind": "team", "scope_ref": "group:default/none"}])
def test_what_gives_its_author_anything_waits_for_a_second_person(client, root, ana, values):
    root.groups.add(Group.objects.get(name="idp:web"))
    page = client.post(ADD, form(**values)).content.decode()
    assert "a second person has to confirm it" in page
    assert "no other administrator" in page
    assert save(client, ADD, form(**values)).status_code == 302
    assert not RoleMapping.objects.exists()
    change = PolicyChange.objects.get()
    assert (change.author, change.state) == (root, "waiting")
    assert "1 change</a> of who may do what waits" in client.get("/admin/").content.decode()


def test_hours_and_places_that_are_not_there_yet_hide_no_gift_to_oneself(client, root, ana):
    root.groups.add(Group.objects.get(name="idp:web"))
    never = {"hours": "Mon-Sun 00:00-00:01 Asia/Kathmandu", "environment": "nowhere"}
    assert save(client, ADD, form(**never)).status_code == 302
    assert PolicyChange.objects.exists()
    assert not RoleMapping.objects.exists()
