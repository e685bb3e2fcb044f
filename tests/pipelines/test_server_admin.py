"""Servers are configured with sentences for every mistake, and their page says how they stand."""

import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from pipelines import budget
from pipelines.linking import link_entities
from pipelines.models import Pipeline, PipelineLink, Server
from pipelines.providers.base import Limit
from portal import credential_ages
from portal.models import AuditEvent, Credential, PolicyChange
from tests.catalog.people import give
from tests.pipelines.admin_pages import act, said
from tests.pipelines.world import (
    BUILDKITE_KEY,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)
from tests.steps import go_on, save

pytestmark = pytest.mark.django_db


def form(**fields):
    return {
        "name": "CI",
        "slug": "ci",
        "provider": "buildkite",
        "base_url": "https://api.example.com/v2/",
        "credential_ref": "env:STAGEDOOR_CREDENTIAL_CI",
        "options": "{}",
        "claims": "[]",
        "enabled": "on",
        **fields,
    }


def add(client, **fields):
    return client.post(reverse("admin:pipelines_server_add"), form(**fields))


def test_a_server_is_added_and_audited(client, root):
    url = reverse("admin:pipelines_server_add")
    response = save(client, url, form(claims='[{"source": "payments", "pipelines": "acme/*"}]'))
    assert response.status_code == 302
    server = Server.objects.get()
    assert server.base_url == "https://api.example.com/v2"
    event = AuditEvent.objects.get(action="admin.add")
    assert event.actor == "Root"
    assert event.data["after"]["credential_ref"] == "env:STAGEDOOR_CREDENTIAL_CI"
    assert any("this environment variable is not set" in sentence for sentence in said(response))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("slug", "catalog", "addresses of webhooks begin with it"),
        ("base_url", "https://user:pass@api.example.com", "user name and password"),
        ("base_url", "https://api.example.com/v2?x=1", "after ? or #"),
        ("base_url", "ftp://api.example.com", "https:// or http://"),
        ("credential_ref", "bkua_0123456789", "not the secret itself"),
        ("options", '["acme"]', "Options are an object"),
        ("options", "{oops", "valid JSON"),
        ("claims", '{"source": "a"}', "Claims are a list"),
        ("claims", '["a"]', "Claim 1: it has to be an object"),
        ("claims", '[{"pipelines": "*"}]', "the slug of the source"),
        ("claims", '[{"namespace": "a", "pipelines": "*"}]', "the slug of the source"),
        ("claims", '[{"source": "a"}]', "is missing"),
        ("claims", '[{"source": "a", "pipelines": "*"}, {"team": "b"}]', "Claim 2: 'team'"),
        ("claims", '[{"source": "", "pipelines": "*"}]', "not empty"),
        ("provider", "cobol", "not one of the available choices"),
    ],
)
def test_a_mistake_is_a_sentence_and_stores_nothing(client, root, field, value, words):
    response = add(client, **{field: value})
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert list(errors) == [field]
    assert words in str(errors.as_data())
    assert not Server.objects.exists()
    if field == "credential_ref":
        assert value not in str(errors)


def test_the_slug_stays_since_roles_and_rules_name_it(client, root):
    server = make_server("ci", base_url="https://api.example.com/v2")
    url = reverse("admin:pipelines_server_change", args=[server.pk])
    assert b'name="slug"' not in client.get(url).content
    assert save(client, url, form(name="New", slug="sandbox")).status_code == 302
    server.refresh_from_db()
    assert (server.name, server.slug) == ("New", "ci")


def test_changed_claims_are_audited_and_take_effect_at_once(client, root):
    server = make_server("ci", base_url="https://api.example.com/v2")
    make_pipeline(server, "acme/shop")
    make_service("shop", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    claims = [{"source": "payments", "pipelines": "acme/*"}]
    url = reverse("admin:pipelines_server_change", args=[server.pk])
    response = save(client, url, form(claims=json.dumps(claims)))
    assert response.status_code == 302
    assert PipelineLink.objects.get().status == "confirmed"
    changed = AuditEvent.objects.get(action="admin.change").data
    assert (changed["before"]["claims"], changed["after"]["claims"]) == ([], claims)


CLAIM = '[{"source": "payments", "pipelines": "acme/*"}]'


def test_claims_that_let_their_author_run_something_wait_for_a_second_person(client, root):
    server = make_server("ci", base_url="https://api.example.com/v2")
    make_pipeline(server, "acme/shop")
    make_service("shop", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    give(root, "deployer")
    url = reverse("admin:pipelines_server_change", args=[server.pk])
    shown = client.post(url, form(claims=CLAIM))
    assert "start builds" in shown.content.decode()
    go_on(client, url, shown)
    assert PipelineLink.objects.get().status == "read"
    change = PolicyChange.objects.get()
    client.force_login(User.objects.create_superuser("lena"))
    page = reverse("admin:portal_policychange_change", args=[change.pk])
    found = client.get(page)
    assert ("Claims", "", CLAIM) in found.context["values"]
    client.post(page, {"verdict": "confirm", "shown": found.context["shown"]})
    assert PipelineLink.objects.get().status == "confirmed"
    assert Server.objects.get().claims == json.loads(CLAIM)


@pytest.mark.parametrize("alone", [True, False])
def test_claims_on_what_is_not_there_yet_wait_where_there_is_somebody_to_ask(client, root, alone):
    """Their author may run what they lead to, once it is there."""
    give(root, "deployer")
    if not alone:
        User.objects.create_superuser("lena")
    shown = add(client, claims=CLAIM)
    words = "on your word alone" if alone else "a second person has to confirm it"
    assert words in shown.content.decode()
    go_on(client, reverse("admin:pipelines_server_add"), shown)
    assert Server.objects.exists() == alone
    assert PolicyChange.objects.exists() != alone


def test_what_is_not_about_policy_is_saved_at_once(client, root):
    give(root, "deployer")
    User.objects.create_superuser("lena")
    assert add(client).status_code == 302
    url = reverse("admin:pipelines_server_change", args=[Server.objects.get().pk])
    assert client.post(url, form(name="Another")).status_code == 302
    assert Server.objects.get().name == "Another"


def test_a_new_address_forgets_what_the_old_one_answered(client, root):
    server = make_server(
        "ci", check_result={"ok": True}, last_error="old", failures=3, unreachable_since=None
    )
    url = reverse("admin:pipelines_server_change", args=[server.pk])
    client.post(url, form(base_url="https://new.example.com/v2"))
    server.refresh_from_db()
    assert (server.check_result, server.last_error, server.failures) == ({}, "", 0)


def test_the_connection_test_says_who_and_is_audited(client, root, sandbox, server_at):
    good = server_at(sandbox.buildkite)
    bad = make_server("bad")
    sentences = act(client, "server", "test_connection", good, bad)
    assert "Buildkite answers. The credential is Stagedoor." in sentences
    assert any(sentence.startswith("Bad: ") for sentence in sentences)
    outcomes = AuditEvent.objects.filter(action="server.check").values_list("target", "outcome")
    assert set(outcomes) == {("server: Buildkite", "ok"), ("server: Bad", "failed")}
    page = client.get(reverse("admin:pipelines_server_changelist")).content.decode()
    assert "The credential is Stagedoor" in page


def test_only_a_few_servers_are_asked_while_the_page_waits(client, root):
    servers = [make_server(f"s{number}") for number in range(7)]
    assert "Only the first 5 were asked." in act(client, "server", "test_connection", *servers)
    assert AuditEvent.objects.filter(action="server.check").count() == 5


def test_pipelines_are_read_now(client, root, sandbox, server_at):
    sandbox.buildkite.pipeline("acme/shop")
    server = server_at(sandbox.buildkite)
    assert act(client, "server", "read_pipelines", server) == ["Buildkite has 1 pipelines."]
    assert Pipeline.objects.get().external_id == "acme/shop"
    sandbox.buildkite.fault("fail")
    assert "fails at the moment" in act(client, "server", "read_pipelines", server)[-1]
    assert Pipeline.objects.get().gone_at is None


def test_who_may_only_look_at_servers_is_offered_no_action(client):
    user = make_person("vi")
    user.is_staff = True
    user.save()
    client.force_login(user)
    assert client.get(reverse("admin:pipelines_server_changelist")).status_code == 403


# --- How it stands ----------------------------------------------------------------------------
def change(client, server, **fields):
    url = reverse("admin:pipelines_server_change", args=[server.pk])
    return client.post(url, form(**fields)) if fields else client.get(url).content.decode()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_CI", "a-secret-value")
    return make_server(
        "ci", base_url="https://api.example.com/v2", credential_ref="env:STAGEDOOR_CREDENTIAL_CI"
    )


def test_the_page_of_a_server_tells_what_is_left_of_its_limits(client, root, server):
    told = Limit("requests", 200, 60.0, remaining=42, reset_after=30.0)
    budget.learn(budget.key_of(server), [told])
    assert "requests: 42 of 200 requests a minute are left, as the server tells" in change(
        client, server
    )


def test_the_list_of_servers_says_in_a_few_words_whether_each_answers(client, root, server):
    def listed():
        page = client.get(reverse("admin:pipelines_server_changelist")).content.decode()
        return re.findall(r'<td class="field-standing">([^<]*)</td>', page)

    assert listed() == ["Not tested yet"]
    answer = {"ok": True, "who": "bot", "version": "", "unused": [], "expires_at": "", "notes": []}
    Server.objects.update(check_result={**answer, "lacks": []})
    assert listed() == ["Answers"]
    Server.objects.update(check_result={**answer, "lacks": [["read_builds", "read builds"]]})
    assert listed() == ["Answers, lacks 1 right"]
    Server.objects.update(last_error="A paragraph.")
    assert listed() == ["Can&#x27;t be read"]
    Server.objects.update(unreachable_since=timezone.now() - timedelta(minutes=4, seconds=5))
    assert listed() == ["No answer for 4 min"]
    Server.objects.update(enabled=False)
    assert listed() == ["Switched off"]


def test_the_page_of_a_server_tells_whether_it_is_asked(client, root, server):
    assert "Closed: it answers." in change(client, server)
    now = timezone.now()
    Server.objects.update(
        failures=4, unreachable_since=now, not_before=now + timedelta(minutes=3), last_error="down"
    )
    page = change(client, server)
    assert "Open after 4 failures in a row." in page
    assert "It is asked again at" in page


def test_the_page_of_a_server_tells_the_age_of_its_credential_and_warns(client, root, server):
    assert "not used so far" in change(client, server)
    credential_ages.note_use(server.credential_ref)
    Credential.objects.update(first_used_at=timezone.now() - timedelta(days=85, hours=1))
    page = change(client, server)
    assert "in use for 85 days; its end is not known" in page
    assert (
        "Warning: It has been in use for 85 days; replacing it every 90 is due in 5 days." in page
    )
    assert "a-secret-value" not in page


def test_an_administrator_enters_the_end_that_the_server_does_not_tell(client, root, server):
    assert change(client, server, credential_expires="2031-05-01").status_code == 302
    known = credential_ages.age_of(server.credential_ref)
    assert (known.expires_at.year, known.told_by_vendor) == (2031, False)
    assert "it ends on 01 May 2031, as an administrator says" in change(client, server)
    events = AuditEvent.objects.filter(action="admin.change").values_list("data", flat=True)
    assert any("2031-05-01" in data.get("credential_expires", "") for data in events)


def test_the_end_that_the_server_tells_is_not_entered(client, root, server):
    credential_ages.note_use(server.credential_ref)
    told = timezone.now() + timedelta(days=30)
    credential_ages.tell_expiry(server.credential_ref, told)
    change(client, server, credential_expires="2031-05-01")
    assert credential_ages.age_of(server.credential_ref).expires_at == told


def test_another_credential_is_tested_at_once(client, root, server):
    Server.objects.update(check_due_at=timezone.now() + timedelta(hours=6))
    change(client, server, credential_ref="env:STAGEDOOR_CREDENTIAL_OTHER")
    assert Server.objects.get().check_due_at <= timezone.now()
