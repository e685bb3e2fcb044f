"""A passed build is promoted to a target, whose environment is asked for; by Drone, which can."""

import uuid

import pytest
from django.urls import reverse

from pipelines.dispatch import dispatch
from pipelines.models import Build, EnvironmentRule, PipelineLink, Trigger
from pipelines.reconcile import reconcile
from portal.models import AuditEvent
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def link(sandbox, server_at):
    staging, _ = make_environments()
    EnvironmentRule.objects.create(order=1, parameter="PROMOTE_TO=staging", environment=staging)
    sandbox.instances["drone"].pipeline("acme/shop")
    pipeline = make_pipeline(server_at(sandbox.instances["drone"]), "acme/shop")
    return confirmed_link(make_service("shop"), pipeline)


@pytest.fixture
def build(link, sandbox):
    """One that the sandbox really has, passed."""
    ana = make_person("starter", "deployer")
    trigger = Trigger.objects.create(
        action="start", pipeline=link.pipeline, entity=link.entity, actor=ana, branch="main"
    )
    dispatch(trigger.pk)
    sandbox.instances["drone"].finish("acme/shop", 1)
    Build.objects.update(state="passed")
    return Build.objects.get()


@pytest.fixture
def ana(client):
    user = make_person("ana", "deployer")
    client.force_login(user)
    return user


def url(build):
    return reverse("pipelines:build_promote", args=[build.pk])


def data(**fields):
    return {"request_id": str(uuid.uuid4()), "target": "staging", **fields}


def test_build_promote_says_where_it_takes_effect(client, ana, build):
    shown = client.get(url(build)).content.decode()
    assert '<option value="production">' in shown
    assert "Choose where it is promoted to." in shown
    preview = client.get(url(build), {"target": "staging"}, headers={"HX-Request": "true"})
    assert "to staging, which takes effect in Staging" in preview.content.decode()
    assert "<html" not in preview.content.decode()
    live = client.get(url(build), {"target": "live"}).content.decode()
    assert "takes effect in Production" in live


def test_build_promote_is_a_new_build_tied_to_the_request(client, ana, build, sandbox):
    client.post(url(build), data(variables="REGION=eu"))
    trigger = Trigger.objects.get(action="promote")
    assert (trigger.subject, trigger.environment.slug) == ("staging", "staging")
    dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.state == "linked"
    promoted = Build.objects.get(trigger=trigger)
    assert (promoted.number, promoted.cause) == (2, "promote")
    sent = sandbox.instances["drone"].build("acme/shop", 2)
    assert sent.env["REGION"] == "eu"
    assert sent.env["STAGEDOOR_REQUEST_ID"] == str(trigger.request_id)
    assert AuditEvent.objects.get(action="build.promote").data["subject"] == "staging"


def test_a_promotion_whose_answer_was_lost_is_found(client, ana, build, sandbox):
    sandbox.instances["drone"].fault("lose_answer", "write", times=1)
    client.post(url(build), data())
    trigger = Trigger.objects.get(action="promote")
    dispatch(trigger.pk)
    Trigger.objects.filter(pk=trigger.pk).update(not_before=trigger.created_at)
    reconcile(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.state == "linked"
    assert Build.objects.get(trigger=trigger).number == 2


def test_build_promote_is_offered_for_what_passed_only(client, ana, build):
    shown = client.get(reverse("pipelines:build_detail", args=[build.pk])).content.decode()
    assert f'href="{url(build)}"' in shown
    failed = make_build(build.pipeline, 9, "failed")
    shown = client.get(reverse("pipelines:build_detail", args=[failed.pk])).content.decode()
    assert url(failed) not in shown
    answer = client.post(url(failed), data())
    assert answer.status_code == 403
    assert "Only a build that passed is promoted" in answer.content.decode()


def test_build_promote_needs_the_right_for_its_target(client, build):
    dev = make_person("dev", "deployer", environment="staging")
    client.force_login(dev)
    for target in ("production", "live", "STAGING-2", "prod"):
        answer = client.post(url(build), data(target=target))
        assert answer.status_code == 403, target
        assert "takes effect in production" in answer.content.decode()
    assert client.post(url(build), data(target="staging")).status_code == 302
    assert AuditEvent.objects.filter(action="build.promote", outcome="denied").count() == 4


@pytest.mark.parametrize("variables", ["PROMOTE_TO=staging", "promote_to=staging", "PATH=/tmp"])
def test_build_promote_takes_no_variable_that_would_hide_the_target(client, ana, build, variables):
    answer = client.post(url(build), data(target="production", variables=variables))
    assert answer.status_code == 422
    assert not Trigger.objects.filter(action="promote").exists()


@pytest.mark.parametrize("target", ["", "a b", "Staging", "-x", "$(id)"])
def test_build_promote_refuses_what_is_no_target(client, ana, build, target):
    assert client.post(url(build), data(target=target)).status_code == 422


def test_build_promote_of_another_services_build_is_denied(client, build):
    """A role for one service, the build of another."""
    other = confirmed_link(
        make_service("other"), make_pipeline(build.pipeline.server, "acme/other")
    )
    scope = {"scope_kind": "service", "scope_ref": other.entity.ref}
    client.force_login(make_person("eve", "deployer", **scope))
    assert client.post(url(build), data()).status_code == 403


def test_a_link_that_was_downgraded_meanwhile_promotes_nothing(client, ana, build, sandbox):
    client.post(url(build), data())
    PipelineLink.objects.update(confirmed_at=None)
    trigger = Trigger.objects.get(action="promote")
    dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.state == "denied"
    assert len(sandbox.accepted("drone")) == 1


def test_a_rule_that_changed_meanwhile_decides_anew(client, build):
    dev = make_person("dev", "deployer", environment="staging")
    client.force_login(dev)
    client.post(url(build), data())
    EnvironmentRule.objects.filter(parameter="PROMOTE_TO=staging").delete()
    trigger = Trigger.objects.get(action="promote")
    dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.state == "denied"
    assert "takes effect in production" in trigger.message


def test_what_has_no_promotion_offers_none(client, ana):
    pipeline = make_pipeline(make_server("jenkins", "jenkins"), "job")
    confirmed_link(make_service("job"), pipeline)
    build = make_build(pipeline, 1)
    shown = client.get(reverse("pipelines:build_detail", args=[build.pk])).content.decode()
    assert url(build) not in shown
    assert client.post(url(build), data()).status_code == 403
