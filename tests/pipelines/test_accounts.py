"""Builds show the person whose account started them, by a link and by nothing that looks alike."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from catalog.seen import EVERYTHING
from pipelines.accounts import own_account, tell
from pipelines.models import Build, Server, VendorAccount
from pipelines.queries import build_list
from pipelines.seen import SeenBuilds
from portal.models import AuditEvent
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db
WHOLE = SeenBuilds(EVERYTHING.scopes)


@pytest.fixture
def ana():
    return make_person("ana", "viewer", scope_kind="everything")


@pytest.fixture
def server():
    return make_server("drone", name="Drone", check_result={"ok": True, "who_id": "portal-bot"})


@pytest.fixture
def pipeline(server):
    return make_pipeline(server, "limelight/payments")


def link(server, account_id, user):
    return VendorAccount.objects.create(server=server, account_id=account_id, user=user)


def told(build):
    """What a page says: a name, and how."""
    build = Build.objects.select_related("pipeline__server").get(pk=build.pk)
    tell([build])
    return build.starter.name, build.starter.note


# --- Who is shown ----------------------------------------------------------------------------
def test_a_linked_account_is_a_person(pipeline, server, ana):
    link(server, "ana-at-drone", ana)
    build = make_build(pipeline, 1, who="ana-at-drone", who_id="ana-at-drone", cause="push")
    assert told(build) == ("Ana", "as ana-at-drone on Drone, by a push")


@pytest.mark.parametrize("who", ["ana", "Ana", "ana@limelight.example"])
def test_a_name_or_address_that_looks_alike_is_nobody(pipeline, ana, who):
    User.objects.filter(pk=ana.pk).update(email="ana@limelight.example")
    build = make_build(pipeline, 1, who=who, who_id="u-7")
    assert told(build) == (who, "on Drone, not linked to a person")


def test_an_account_of_one_server_is_nobody_on_another(pipeline, ana):
    link(make_server("other"), "ana-at-drone", ana)
    build = make_build(pipeline, 1, who="ana-at-drone", who_id="ana-at-drone")
    assert told(build)[1] == "on Drone, not linked to a person"


def test_a_display_name_without_an_account_is_not_matched(pipeline, server, ana):
    link(server, "ana-at-drone", ana)
    build = make_build(pipeline, 1, who="ana-at-drone", who_id="", cause="schedule")
    assert told(build) == ("ana-at-drone", "on Drone, not linked to a person, on schedule")


def test_stagedoors_own_account_is_said_to_be(pipeline, server, ana):
    link(server, "portal-bot", ana)  # even where somebody linked it
    build = make_build(pipeline, 1, who="Portal", who_id="portal-bot", cause="api")
    assert told(build) == ("Stagedoor's account", "not through Stagedoor")


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("", "the server did not say"),
        ("push", "by a push"),
        ("schedule", "on schedule"),
        ("upstream", "by another build"),
        ("a word of later", "the server did not say"),
    ],
)
def test_without_anybody_the_cause_is_told(pipeline, cause, words):
    assert told(make_build(pipeline, 1, cause=cause)) == ("", words)


@pytest.mark.parametrize("odd", [{}, [], {"who_id": 7}, {"who_id": None}, {"ok": False}])
def test_a_check_that_told_no_account_makes_none_ours(server, pipeline, odd):
    Server.objects.update(check_result=odd)
    assert own_account(Server.objects.get()) == ""
    assert told(make_build(pipeline, 1)) == ("", "the server did not say")


def test_many_builds_cost_one_query(pipeline, server, ana, django_assert_num_queries):
    link(server, "u-1", ana)
    for number in range(30):
        make_build(pipeline, number, who=f"u-{number}", who_id=f"u-{number}")
    builds = list(Build.objects.select_related("pipeline__server"))
    with django_assert_num_queries(1):
        tell(builds)
    assert [build.starter.name for build in builds].count("Ana") == 1


# --- On the pages ----------------------------------------------------------------------------
def test_pages_say_who_and_escape_what_the_vendor_calls_them(client, pipeline, server, ana):
    confirmed_link(make_service("payments"), pipeline)
    link(server, "u-1", ana)
    mine = make_build(pipeline, 1, who="a-name", who_id="u-1", reason="Timed out.")
    theirs = make_build(pipeline, 2, who="<script>", who_id="u-2&server=9", cause="push")
    client.force_login(ana)
    for url in (reverse("pipelines:build_list"), reverse("pipelines:build_detail", args=[mine.pk])):
        page = client.get(url).content.decode()
        assert "Ana" in page
    page = client.get(reverse("pipelines:build_detail", args=[mine.pk])).content.decode()
    assert "as a-name on Drone" in page
    page = client.get(reverse("pipelines:build_list")).content.decode()
    assert "not linked, by a push" in page
    page = client.get(reverse("pipelines:build_detail", args=[theirs.pk])).content.decode()
    assert "&lt;script&gt;" in page
    assert "not linked to a person, by a push" in page
    assert "Link to a person" not in page


def test_an_administrator_is_led_to_linking_the_account(client, admin_user, pipeline, server):
    confirmed_link(make_service("payments"), pipeline)
    build = make_build(pipeline, 2, who="Somebody", who_id="u-2&server=9")
    client.force_login(admin_user)
    page = client.get(reverse("pipelines:build_detail", args=[build.pk])).content.decode()
    add = reverse("admin:pipelines_vendoraccount_add")
    assert f"{add}?server={server.pk}&amp;account_id=u-2%26server%3D9" in page


def test_my_account_shows_what_is_linked(client, ana, server):
    client.force_login(ana)
    assert "accounts on CI servers" not in client.get("/account/").content.decode()
    link(server, "ana-at-drone", ana)
    page = client.get("/account/").content.decode()
    assert "accounts on CI servers" in page
    assert "ana-at-drone" in page


# --- Started by me ---------------------------------------------------------------------------
def test_started_by_me_includes_what_my_accounts_started(pipeline, server, ana):
    link(server, "ana-at-drone", ana)
    mine = make_build(pipeline, 1, who_id="ana-at-drone")
    make_build(pipeline, 2, who_id="ben-at-drone")
    make_build(make_pipeline(make_server("other"), "x"), 3, who_id="ana-at-drone")
    assert list(build_list(WHOLE, mine=ana.pk)) == [mine]


def test_what_stagedoors_account_started_is_nobodys(pipeline, server, ana):
    link(server, "portal-bot", ana)
    make_build(pipeline, 1, who_id="portal-bot")
    assert not build_list(WHOLE, mine=ana.pk).exists()


# --- In the admin ----------------------------------------------------------------------------
def add(client, **fields):
    return client.post(reverse("admin:pipelines_vendoraccount_add"), fields)


def test_linking_an_account_is_audited(client, admin_user, server, ana):
    client.force_login(admin_user)
    add(client, server=server.pk, account_id="ana-at-drone", user=ana.pk, note="asked her")
    account = VendorAccount.objects.get()
    event = AuditEvent.objects.get(action="admin.add")
    assert (account.account_id, account.user) == ("ana-at-drone", ana)
    assert (event.data["after"]["account_id"], event.actor_id) == ("ana-at-drone", admin_user.pk)


def test_the_portals_own_account_can_be_linked_to_nobody(client, admin_user, server, ana):
    client.force_login(admin_user)
    page = add(client, server=server.pk, account_id=" portal-bot ", user=ana.pk, note="")
    assert not VendorAccount.objects.exists()
    assert "It is nobody" in page.content.decode()


def test_an_account_has_one_person(client, admin_user, server, ana):
    link(server, "ana-at-drone", ana)
    client.force_login(admin_user)
    add(client, server=server.pk, account_id="ana-at-drone", user=admin_user.pk, note="")
    assert VendorAccount.objects.get().user == ana


def test_nobody_else_links_accounts(client, server, ana):
    client.force_login(ana)
    add(client, server=server.pk, account_id="ben-at-drone", user=ana.pk, note="")
    assert not VendorAccount.objects.exists()
