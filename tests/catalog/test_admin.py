"""Sources are configured in the admin: checked, audited, and in effect at once."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from catalog.models import Entity, Source, SyncRun, TeamClosure
from portal.access import actor_for
from portal.models import (
    AuditEvent,
    Credential,
    PolicyChange,
    Role,
    RoleMapping,
    UserLink,
)
from tests import steps
from tests.catalog.hosts.github import APP_ID, PRIVATE, GithubHost
from tests.catalog.trees import component, group, read
from tests.httpd import closed_port

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
    values |= {"interval_seconds": 300, "max_missing_percent": 30, "enabled": "on"}
    return {**values, **fields}


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
    steps.save(boss, change, form(tree, trusted_for_org="on"))
    assert above.exists()
    steps.save(boss, change, form(tree))
    assert not above.exists()


def test_trust_that_puts_its_author_into_a_team_waits_for_a_second_person(boss, tree):
    tree.write(FILE, group("web", members=["boss"]))
    source = tree.source()
    read(source)
    user = User.objects.get()
    UserLink.objects.create(user=user, user_ref="user:default/boss", how="admin")
    deployer = Role.objects.get(slug="deployer")
    RoleMapping.objects.create(group="team:group:default/web", role=deployer)
    url = reverse("admin:catalog_source_change", args=[source.pk])
    shown = boss.post(url, form(tree, trusted_for_org="on"))
    assert "There is no other administrator here" in shown.content.decode()
    steps.go_on(boss, url, shown)
    change = PolicyChange.objects.get()
    assert not actor_for(user).holds("build.start")
    call_command("confirm_policy_change", change.pk, stdout=StringIO())
    assert actor_for(user).holds("build.start")
    assert Source.objects.get().trusted_for_org


@pytest.mark.parametrize("fields", [{"trusted_for_org": "on"}, {"slug": "new"}, {"name": "New"}])
def test_what_is_trusted_is_said_by_two_where_there_are_two(boss, tree, fields):
    """What it will say nobody sees beforehand."""
    User.objects.create_superuser("lena")
    trusted = {} if "trusted_for_org" in fields else {"trusted_for_org": "on"}
    source = tree.source(trusted_for_org=bool(trusted))
    url = reverse("admin:catalog_source_change", args=[source.pk])
    steps.save(boss, url, form(tree, **trusted, **fields))
    assert PolicyChange.objects.exists() == ("name" not in fields)


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


# --- Options, kinds, secrets -----------------------------------------------------------------
def test_options_of_the_kind_are_kept_and_audited(boss, tree):
    options = {"option_repositories": "pay-*\r\n!*-old\r\n", "option_include_forks": "on"}
    given = form(tree, kind="github", target="acme", enabled="", **options)
    given |= {"allowed_kinds": ["Component", "API"], "max_missing_percent": 10}
    assert boss.post(ADD, given).status_code == 302
    source = Source.objects.get()
    assert source.options == {"repositories": ["pay-*", "!*-old"], "include_forks": True}
    assert (source.allowed_kinds, source.max_missing_percent) == (["Component", "API"], 10)
    event = AuditEvent.objects.get(action="admin.add")
    assert event.data["after"]["options"] == source.options
    change = boss.get(reverse("admin:catalog_source_change", args=[source.pk])).content.decode()
    assert "pay-*\n!*-old" in change
    assert "option_topics" in change
    assert "option_projects" not in change  # of Bitbucket
    assert f"/hooks/catalog/{source.slug}/" in change


def test_options_of_another_kind_are_refused(boss, tree):
    given = form(tree, option_topics="go")
    answer = boss.post(ADD, given).content.decode()
    assert "Sources of this kind have no such option." in answer
    assert not Source.objects.exists()


def test_another_option_has_the_source_read_at_once(boss, tree):
    later = timezone.now() + timedelta(hours=1)
    values = {"kind": "github", "target": "acme", "enabled": False, "next_due_at": later}
    source = Source.objects.create(name="Org", slug="org", options={"topics": ["go"]}, **values)
    change = reverse("admin:catalog_source_change", args=[source.pk])
    given = form(tree, kind="github", target="acme", enabled="")
    boss.post(change, {**given, "option_topics": "go"})
    source.refresh_from_db()
    assert source.next_due_at == later
    boss.post(change, given)
    source.refresh_from_db()
    assert (source.options, source.next_due_at <= timezone.now()) == ({}, True)


@pytest.mark.parametrize("field", ["credential_ref", "webhook_secret_ref"])
def test_a_pasted_secret_is_refused_and_shown_to_nobody(boss, tree, field):
    secret = "ghp_0123456789abcdef"
    answer = boss.post(ADD, form(tree, **{field: secret})).content.decode()
    assert "not the secret itself" in answer
    assert secret not in answer
    assert not Source.objects.exists()


def test_two_secrets_of_webhooks_are_taken_while_one_replaces_the_other(boss, tree):
    tree.write(FILE, component("pay"))
    given = form(tree, webhook_secret_ref="env:A, env:B")
    assert boss.post(ADD, given).status_code == 302
    assert Source.objects.get().webhook_secret_ref == "env:A,env:B"
    three = boss.post(ADD, form(tree, slug="two", webhook_secret_ref="env:A,env:B,env:C"))
    assert "Two at most" in three.content.decode()


# --- The connection is tried -----------------------------------------------------------------
@pytest.fixture
def github(monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_GITHUB", "s3cret-token")
    with GithubHost().running() as host:
        host.add("pay", {FILE: component("pay")})
        yield host


def save(boss, tree, host, **fields):
    values = {"kind": "github", "target": host.target, **fields}
    values.setdefault("credential_ref", "env:STAGEDOOR_CREDENTIAL_GITHUB")
    response = boss.post(ADD, form(tree, **values), follow=True)
    assert Source.objects.count() == 1  # saved whatever the host says
    return response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_saved_source_says_who_it_is_at_its_host(boss, tree, github):
    github.user_headers = {
        "X_OAuth_Scopes": "repo, read:org",
        "GitHub_Authentication_Token_Expiration": "2031-02-03 10:00:00 UTC",
    }
    text = save(boss, tree, github)
    assert "GitHub knows the token as robot, with the scopes repo, read:org." in text
    assert "The credential ends on 03 February 2031." in text
    assert "of 5,000 requests are left." in text
    assert "s3cret-token" not in text
    assert Credential.objects.get().expires_at.year == 2031


@pytest.mark.django_db(transaction=True)
def test_a_saved_source_says_what_its_host_refuses(boss, tree, github):
    github.token = "another"
    text = save(boss, tree, github)
    assert "Saved, but it can&#x27;t be read yet." in text
    assert "does not accept the credential (401)" in text


@pytest.mark.django_db(transaction=True)
def test_a_saved_source_of_a_host_that_is_away(boss, tree, github):
    target = f"http://127.0.0.1:{closed_port()}/acme"
    assert "it can&#x27;t be read yet" in save(boss, tree, github, target=target)


@pytest.mark.django_db(transaction=True)
def test_a_saved_app_says_what_it_may(boss, tree, github, monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_GITHUB", PRIVATE)
    text = save(boss, tree, github, option_app_id=APP_ID)
    assert "installation may: contents: read, metadata: read" in text


def test_a_host_is_asked_when_the_source_is_saved_and_nobody_waits(boss, tree, github):
    save(boss, tree, github)  # nothing is committed in this test
    assert not github.asked


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
