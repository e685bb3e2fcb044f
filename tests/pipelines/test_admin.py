"""Links are confirmed in the admin, rules configured, the rest is looked at; all is audited."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from pipelines.linking import link_entities
from pipelines.models import PipelineLink, Trigger
from portal.models import AuditEvent, Role, RoleMapping
from tests.pipelines.admin_pages import act
from tests.pipelines.world import (
    BUILDKITE_KEY,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db


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
