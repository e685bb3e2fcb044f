"""What gives its author something is applied once, as shown, when a second person confirms it."""

import threading
from io import StringIO

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from portal.models import AuditEvent, PolicyChange, Role, RoleMapping
from tests.steps import save

pytestmark = pytest.mark.django_db
ADD = "/admin/portal/rolemapping/add/"


def administrator(name):
    user = User.objects.create_superuser(name, first_name=name.capitalize())
    client = Client()
    client.force_login(user)
    return user, client


@pytest.fixture
def asked():
    """Root, who is in idp:web, asks for a role for idp:web."""
    root, client = administrator("root")
    root.groups.add(Group.objects.create(name="idp:web"))
    role = Role.objects.get(slug="admin")
    save(client, ADD, {"group": "idp:web", "role": role.pk, "scope_kind": "everything"})
    return PolicyChange.objects.get(), client


def url_of(change):
    return reverse("admin:portal_policychange_change", args=[change.pk])


def decide(client, change, verdict="confirm", page=None):
    page = page or client.get(url_of(change))
    form = {"verdict": verdict, "shown": page.context["shown"], "comment": "Not now."}
    answer = client.post(url_of(change), form, follow=True)
    change.refresh_from_db()
    return answer.content.decode()


def test_a_second_person_sees_it_and_applies_it(asked):
    change, _ = asked
    lena, client = administrator("lena")
    page = client.get(url_of(change)).content.decode()
    assert "Root asked for it" in page
    assert "sync a catalog source" in page
    assert "confirmed and applied" in decide(client, change)
    assert (change.state, change.decided_by) == ("applied", lena)
    assert RoleMapping.objects.get().group == "idp:web"
    actions = AuditEvent.objects.order_by("pk").values_list("action", "actor", "on_behalf_of")
    assert list(actions) == [
        ("policy.propose", "Root", ""),
        ("admin.add", "Lena", ""),
        ("policy.confirm", "Lena", "root"),
    ]


def test_of_a_role_it_shows_what_comes_and_goes_and_not_all_that_stays():
    root, client = administrator("root")
    root.groups.add(Group.objects.create(name="idp:web"))
    role = Role.objects.get(slug="deployer")
    RoleMapping.objects.create(group="idp:web", role=role)
    fields = {name: getattr(role, name) for name in ("name", "slug", "description", "rank")}
    wanted = sorted({*role.permissions, "glass.break"} - {"build.retry"})
    save(client, f"/admin/portal/role/{role.pk}/change/", {**fields, "permissions": wanted})
    values = client.get(url_of(PolicyChange.objects.get())).context["values"]
    [said] = [after for name, _, after in values if name == "Allows to"]
    assert said == (
        "also break the glass in an emergency (glass.break); no longer retry builds (build.retry)"
    )


def test_nobody_confirms_their_own_and_the_database_holds_that(asked):
    change, client = asked
    administrator("lena")
    assert "These can confirm it: Lena" in client.get(url_of(change)).content.decode()
    assert "Nobody confirms what they asked for" in decide(client, change)
    assert not RoleMapping.objects.exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        PolicyChange.objects.update(state="applied", decided_by=change.author)


def test_it_is_refused_with_a_comment_or_withdrawn_by_its_author(asked):
    change, own = asked
    _, client = administrator("lena")
    assert "Only whoever asked" in decide(client, change, "withdraw")
    assert "It is refused" in decide(client, change, "refuse")
    assert (change.state, change.comment) == ("refused", "Not now.")
    assert "decided in the meantime" in decide(own, change, "withdraw")
    PolicyChange.objects.update(state="waiting", decided_by=None)
    assert "It is taken back" in decide(own, change, "withdraw")
    assert not RoleMapping.objects.exists()


def test_it_is_not_applied_to_what_has_changed_since(asked):
    _, root = asked
    _, client = administrator("lena")
    mapping = RoleMapping.objects.create(group="idp:web", role=Role.objects.get(slug="viewer"))
    url = reverse("admin:portal_rolemapping_change", args=[mapping.pk])
    role = Role.objects.get(slug="admin")
    save(root, url, {"group": "idp:web", "role": role.pk, "scope_kind": "everything"})
    change = PolicyChange.objects.first()
    RoleMapping.objects.update(note="Something else.")
    assert "has changed since it was asked for" in decide(client, change)
    assert change.state == "waiting"
    assert RoleMapping.objects.get().role.slug == "viewer"


def test_what_it_would_do_by_now_has_to_have_been_seen(asked):
    change, _ = asked
    _, client = administrator("lena")
    page = client.get(url_of(change))
    User.objects.create_user("ben").groups.add(Group.objects.get(name="idp:web"))
    assert "has changed since you saw it" in decide(client, change, page=page)
    assert not RoleMapping.objects.exists()


def test_an_administrator_who_may_not_change_it_themselves_confirms_nothing(asked):
    change, _ = asked
    lena, client = administrator("lena")
    User.objects.filter(pk=lena.pk).update(is_superuser=False)
    assert client.get(url_of(change)).status_code in (302, 403)
    assert client.post(url_of(change), {"verdict": "confirm"}).status_code in (302, 403)
    assert not RoleMapping.objects.exists()


def test_the_only_administrator_is_told_of_the_console_and_the_trail_says_who(asked):
    change, client = asked
    command = f"confirm_policy_change {change.pk}"
    assert command in client.get(url_of(change)).content.decode()
    call_command("confirm_policy_change", change.pk, stdout=StringIO())
    change.refresh_from_db()
    assert (change.state, change.decided_by) == ("applied", None)
    assert "on the server" in change.comment
    assert AuditEvent.objects.get(action="policy.confirm").actor == "Stagedoor"
    assert RoleMapping.objects.exists()
    with pytest.raises(CommandError, match="in the meantime"):
        call_command("confirm_policy_change", change.pk)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_confirm_at_once_one_does(asked):
    change, _ = asked
    clients = [administrator(name)[1] for name in ("lena", "mara")]
    pages = [client.get(url_of(change)) for client in clients]
    barrier, said = threading.Barrier(2), []

    def confirm(client, page):
        barrier.wait()
        try:
            said.append(decide(client, PolicyChange.objects.get(pk=change.pk), page=page))
        finally:
            connection.close()

    threads = [
        threading.Thread(target=confirm, args=pair) for pair in zip(clients, pages, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted("confirmed and applied." in page for page in said) == [False, True]
    assert RoleMapping.objects.count() == 1
    assert AuditEvent.objects.filter(action="policy.confirm").count() == 1
