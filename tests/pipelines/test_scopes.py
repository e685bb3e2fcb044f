"""A pipeline's scopes: a role on its server, or on pipelines of its name, covers it."""

import pytest
from django.urls import reverse

from pipelines.models import Trigger
from pipelines.scopes import scope_choices, scopes_of_pipeline
from pipelines.targets import decide_for
from pipelines.unsettled import unsettled
from portal.access import actor_for
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def deploy():
    return make_pipeline(make_server("jenkins", "jenkins"), "Pay/deploy")


def test_a_pipeline_is_covered_by_its_server_and_by_its_name(deploy):
    assert scopes_of_pipeline(deploy) == {("server", "jenkins"), ("pipeline", "jenkins:Pay/deploy")}


def test_scopes_may_name_servers_folders_and_pipelines(deploy):
    assert scope_choices("server") == [("jenkins", "Jenkins")]
    assert scope_choices("pipeline") == [("jenkins:Pay/*", "all in it"), ("jenkins:Pay/deploy", "")]
    assert scope_choices("team") == []


@pytest.mark.parametrize(
    ("kind", "ref", "allowed"),
    [
        ("server", "jenkins", True),
        ("server", "drone", False),
        ("pipeline", "jenkins:Pay/*", True),
        ("pipeline", "*:*/deploy", True),
        ("pipeline", "jenkins:pay/*", False),
        ("pipeline", "drone:Pay/*", False),
        ("tag", "java", True),
        ("tag", "go", False),
        ("label", "tier=gold", True),
        ("label", "tier=silver", False),
    ],
)
def test_a_role_on_servers_pipelines_tags_and_labels_lets_run(deploy, kind, ref, allowed):
    pay = make_service("pay")
    pay.document["metadata"] |= {"tags": ["java"], "labels": {"tier": "gold"}}
    pay.save()
    confirmed_link(pay, deploy)
    ana = make_person("ana", "deployer", scope_kind=kind, scope_ref=ref)
    decision = decide_for(actor_for(ana), "start", pay, deploy)
    assert (decision.allowed, decision.rule) == (allowed, "grant" if allowed else "scope")
    assert ("anas (Deployer)" in helpers(deploy, pay)) is allowed


def helpers(pipeline, entity):
    """Whom somebody without a role is sent to."""
    nobody = actor_for(make_person("nia"))
    return decide_for(nobody, "start", entity, pipeline).helpers


@pytest.mark.parametrize(
    ("scope", "sees"),
    [
        ({"scope_kind": "server", "scope_ref": "jenkins"}, True),
        ({"scope_kind": "pipeline", "scope_ref": "jenkins:Pay/*"}, True),
        ({"scope_kind": "server", "scope_ref": "drone"}, False),
        ({"scope_kind": "server", "scope_ref": "jenkins", "branches": "main"}, False),
        ({"scope_kind": "server", "scope_ref": "jenkins", "environment": "staging"}, False),
    ],
)
def test_a_viewer_of_a_server_sees_its_builds_and_requests(client, settings, deploy, scope, sees):
    settings.DEFAULT_ROLE = ""
    pay, ana = make_service("pay"), make_person("ana", "viewer", **scope)
    confirmed_link(pay, deploy)
    build = make_build(deploy, 1)
    Trigger.objects.create(action="start", pipeline=deploy, entity=pay, state="uncertain")
    client.force_login(ana)
    page = client.get(reverse("pipelines:build_detail", args=[build.pk]))
    assert (page.status_code == 200) is sees
    assert bool(unsettled(actor_for(ana))) is sees
