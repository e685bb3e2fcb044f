"""Sources are configured in the admin: checked, audited, and in effect at once."""

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils import timezone

from catalog.models import Entity, Source, SyncRun, TeamClosure
from portal.models import AuditEvent, Role, RoleMapping
from tests.catalog.trees import component, group, read

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"
ADD = "/admin/catalog/source/add/"
LIST = "/admin/catalog/source/"


@pytest.fixture
def boss(client):
    """A superuser, who by that alone holds no role."""
    client.force_login(User.objects.create_superuser("boss"))
    return client


def form(tree, **fields):
    values = {"name": "Org", "slug": "org", "kind": "path", "target": str(tree.folder)}
    return {**values, "interval_seconds": 300, "enabled": "on", **fields}


def test_a_source_that_is_added_is_due_at_once_and_audited(boss, tree):
    tree.write(FILE, component("pay"))
    assert boss.post(ADD, form(tree)).status_code == 302
    source = Source.objects.get()
    assert source.next_due_at <= timezone.now()
    event = AuditEvent.objects.get(action="admin.add")
    assert event.data["after"]["target"] == str(tree.folder)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"target": "/etc"}, "outside the folders that may be read"),
        ({"kind": "url", "target": "ftp://x"}, "not a complete http"),
        ({"kind": "url", "target": "https://x.example", "credential_ref": "s3cr3t"}, "env:NAME"),
        ({"interval_seconds": 1}, "greater than or equal to 10"),
    ],
)
def test_a_source_that_cant_be_read_is_refused_with_what_to_mend(boss, tree, fields, sentence):
    response = boss.post(ADD, form(tree, **fields))
    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert not Source.objects.exists()


def test_another_target_is_read_at_once_and_another_name_is_not(boss, tree):
    tree.write(FILE, component("pay"))
    source = tree.source()
    read(source)
    later = source.next_due_at
    change = reverse("admin:catalog_source_change", args=[source.pk])
    boss.post(change, form(tree, name="Other"))
    source.refresh_from_db()
    assert (source.name, source.next_due_at) == ("Other", later)
    boss.post(change, form(tree, name="Other", target=f"{tree.folder}/{FILE}"))
    source.refresh_from_db()
    assert source.next_due_at <= timezone.now()
    event = AuditEvent.objects.filter(action="admin.change").first()
    assert event.data["before"] == {"target": str(tree.folder)}


def test_trust_takes_effect_with_the_click(boss, tree):
    tree.write(FILE, group("top", children=["low"]), group("low"))
    source = tree.source()
    read(source)
    above = TeamClosure.objects.filter(depth__gt=0)
    change = reverse("admin:catalog_source_change", args=[source.pk])
    assert not above.exists()
    boss.post(change, form(tree, trusted_for_org="on"))
    assert above.exists()
    boss.post(change, form(tree))
    assert not above.exists()


@pytest.mark.parametrize("how", ["page", "list"])
def test_a_source_can_be_deleted_and_its_teams_count_no_more(boss, tree, how):
    tree.write(FILE, group("top", children=["low"]), group("low"))
    source = tree.source(trusted_for_org=True)
    read(source)
    if how == "page":
        url = reverse("admin:catalog_source_delete", args=[source.pk])
        boss.post(url, {"post": "yes"})
    else:
        chosen = {"action": "delete_selected", "_selected_action": [source.pk], "post": "yes"}
        boss.post(LIST, chosen)
    assert not Source.objects.exists()
    assert not TeamClosure.objects.filter(depth__gt=0).exists()
    assert AuditEvent.objects.filter(action="admin.delete").count() == 1


def sync_action(client, *sources):
    chosen = [source.pk for source in sources]
    return client.post(LIST, {"action": "sync_now", "_selected_action": chosen}, follow=True)


def test_sync_now_is_refused_to_an_administrator_without_the_role(boss, tree):
    response = sync_action(boss, tree.source())
    assert "sync a catalog source" in response.content.decode()
    assert not SyncRun.objects.exists()
    assert AuditEvent.objects.get(action="source.sync").outcome == "denied"


@pytest.mark.django_db(transaction=True)
def test_sync_now_reads_at_once_and_shows_the_result(boss, tree, at_once):
    user = User.objects.get()
    user.groups.add(Group.objects.create(name="idp:platform"))
    RoleMapping.objects.create(group="idp:platform", role=Role.objects.get(slug="admin"))
    tree.write(FILE, component("pay"))
    response = sync_action(boss, tree.source())
    assert response.redirect_chain[-1][0] == "/sources/org/"
    assert "Read 1 file: 1 added." in response.content.decode()


def test_entities_are_looked_at_and_not_edited(boss, tree):
    tree.write(FILE, component("pay"))
    read(tree.source())
    entity = Entity.objects.get()
    assert boss.get("/admin/catalog/entity/").status_code == 200
    url = reverse("admin:catalog_entity_change", args=[entity.pk])
    assert "component:default/pay" in boss.get(url).content.decode()
    assert boss.post(url, {"title": "Mine"}).status_code == 403
