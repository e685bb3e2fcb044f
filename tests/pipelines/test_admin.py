"""Servers are configured with sentences for every mistake; links are confirmed; all is audited."""

import json

import pytest
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.urls import reverse

from pipelines.linking import link_entities
from pipelines.models import EnvironmentRule, Pipeline, PipelineLink, Server, Trigger
from portal.models import AuditEvent, Role, RoleMapping
from tests.pipelines.world import (
    BUILDKITE_KEY,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    user = make_person("root")
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    return user


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


def act(client, model, action, *objects):
    url = reverse(f"admin:pipelines_{model}_changelist")
    chosen = {"action": action, "_selected_action": [item.pk for item in objects]}
    return said(client.post(url, chosen))


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


# --- Servers ----------------------------------------------------------------------------------
def test_a_server_is_added_and_audited(client, root):
    response = add(client, claims='[{"source": "payments", "pipelines": "acme/*"}]')
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


def test_changed_claims_are_audited_and_take_effect_at_once(client, root):
    server = make_server("ci", base_url="https://api.example.com/v2")
    make_pipeline(server, "acme/shop")
    make_service("shop", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    claims = [{"source": "payments", "pipelines": "acme/*"}]
    url = reverse("admin:pipelines_server_change", args=[server.pk])
    response = client.post(url, form(claims=json.dumps(claims)))
    assert response.status_code == 302
    assert PipelineLink.objects.get().status == "confirmed"
    changed = AuditEvent.objects.get(action="admin.change").data
    assert (changed["before"]["claims"], changed["after"]["claims"]) == ([], claims)


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


# --- Links ------------------------------------------------------------------------------------
@pytest.fixture
def link():
    make_pipeline(make_server("ci"), "acme/shop")
    make_service("shop", {BUILDKITE_KEY: "acme/shop"})
    link_entities()
    return PipelineLink.objects.get()


def test_a_link_is_confirmed_and_taken_back(client, root, link):
    root.groups.add(Group.objects.create(name="idp:admins"))
    RoleMapping.objects.create(group="idp:admins", role=Role.objects.get(slug="admin"))
    assert act(client, "pipelinelink", "confirm", link) == [
        "component:default/shop to acme/shop: confirmed. Confirmed by Root."
    ]
    link.refresh_from_db()
    assert (link.status, link.confirmed_by) == ("confirmed", root)
    act(client, "pipelinelink", "unconfirm", link)
    link.refresh_from_db()
    assert (link.status, link.confirmed_by) == ("read", None)
    actions = AuditEvent.objects.filter(actor="Root").values_list("action", flat=True)
    assert sorted(actions) == ["link.confirm", "link.unconfirm"]


def test_an_administrator_without_the_role_confirms_nothing(client, root, link):
    (sentence,) = act(client, "pipelinelink", "confirm", link)
    assert "may not confirm a pipeline link" in sentence
    link.refresh_from_db()
    assert link.status == "read"
    assert AuditEvent.objects.get(action="link.confirm").outcome == "denied"


# --- The rest ---------------------------------------------------------------------------------
@pytest.mark.parametrize("model", ["pipeline", "pipelinelink", "linkproblem", "trigger", "build"])
def test_what_is_recorded_is_not_edited(client, root, model):
    assert client.get(reverse(f"admin:pipelines_{model}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:pipelines_{model}_add")).status_code == 403


def test_a_trigger_is_shown_and_not_changed(client, root):
    trigger = Trigger.objects.create(
        action="start", actor_name="Ana", pipeline=make_pipeline(make_server(), "acme/shop")
    )
    url = reverse("admin:pipelines_trigger_change", args=[trigger.pk])
    assert b"Ana" in client.get(url).content
    assert client.post(url, {"actor_name": "Eve"}).status_code == 403


def test_an_environment_rule_is_audited(client, root):
    staging, _ = make_environments()
    values = {"order": 5, "server": "*", "pipeline": "*", "branch": "main", "parameter": ""}
    url = reverse("admin:pipelines_environmentrule_add")
    client.post(url, {**values, "environment": staging.pk})
    assert EnvironmentRule.objects.filter(order=5, environment=staging).exists()
    assert AuditEvent.objects.filter(action="admin.add").exists()
