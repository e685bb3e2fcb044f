"""A linked pipeline is switched on at its server, with a webhook where the server has a secret."""

import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from pipelines.dispatch import dispatch
from pipelines.models import Pipeline, Server, Trigger
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability
from pipelines.reconcile import reconcile
from pipelines.servers import client_for
from portal.models import AuditEvent
from tests.pipelines.providers.traits import traits_of
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)

ABLE = [slug for slug in sorted(PROVIDERS) if Capability.ACTIVATE in PROVIDERS[slug].capabilities]
NAME = "payments/new"


@pytest.fixture(params=ABLE)
def link(request, sandbox, server_at, monkeypatch):
    make_environments()
    handle, traits = sandbox.instances[request.param], traits_of(request.param)
    handle.pipeline(NAME, active=False, **traits.pipeline)
    server = server_at(
        handle, options=dict(traits.options), webhook_secret_ref="env:STAGEDOOR_CREDENTIAL_HOOK"
    )
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_HOOK", "k" * 40)
    Server.objects.update(pipelines_due_at=timezone.now() + timezone.timedelta(days=1))
    pipeline = make_pipeline(server, NAME, active=False, runnable=False)
    return confirmed_link(make_service("new"), pipeline)


@pytest.fixture
def root(client):
    user = make_person("root", "admin")
    client.force_login(user)
    return user


def url(link):
    return reverse("pipelines:pipeline_activate", args=[link.pk])


def asked(client, link):
    client.post(url(link), {"request_id": str(uuid.uuid4())})
    return Trigger.objects.get()


def send(trigger):
    dispatch(trigger.pk)
    trigger.refresh_from_db()
    return trigger.state


def test_pipeline_activate_switches_it_on(client, root, link, settings):
    shown = client.get(url(link)).content.decode()
    assert "a push to its repository may run it" in shown
    adapter = PROVIDERS[link.pipeline.server.provider]
    hook = f"{settings.PORTAL_URL}/hooks/{link.pipeline.server.slug}/"
    assert (hook in shown) == (adapter.hook_scope == "pipeline")
    trigger = asked(client, link)
    assert trigger.environment.slug == "production"
    assert send(trigger) == "linked", trigger.message
    assert client_for(link.pipeline.server).get_pipeline(NAME).active
    page = client.get(reverse("pipelines:trigger_detail", args=[trigger.request_id]))
    assert trigger.receipt["done"][0] in page.content.decode().replace("&#x27;", "'")
    assert "state--passed" not in page.content.decode()
    sent = AuditEvent.objects.get(action="trigger.sent")
    assert sent.data["done"] == trigger.receipt["done"]
    assert "k" * 40 not in str(sent.data)


def test_service_detail_offers_first_of_all_to_switch_it_on(client, root, link):
    page = client.get(reverse("catalog:service_detail", args=["default", "new"])).content.decode()
    strip = page[page.index('class="strip"') : page.index('id="builds-head"')]
    assert f'class="button button--primary" href="{url(link)}"' in strip
    assert "You can read, not run" not in strip


def test_after_an_activation_the_servers_list_is_due(client, root, link):
    send(asked(client, link))
    assert Server.objects.get().pipelines_due_at <= timezone.now()
    assert Pipeline.objects.get().builds_tried_at is None


def test_an_activation_whose_answer_was_lost_shows_in_the_pipeline(client, root, link, sandbox):
    handle = sandbox.instances[link.pipeline.server.provider]
    handle.fault("lose_answer", "write", times=1)
    trigger = asked(client, link)
    assert send(trigger) == "uncertain"
    Trigger.objects.update(not_before=timezone.now())
    reconcile(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.state == "linked"


def test_an_activation_that_never_arrived_has_failed_after_some_looks(client, root, link, sandbox):
    handle = sandbox.instances[link.pipeline.server.provider]
    handle.fault("drop", "write", times=1)
    trigger = asked(client, link)
    send(trigger)
    for _ in range(5):
        assert trigger.state == "uncertain"
        Trigger.objects.update(not_before=timezone.now())
        reconcile(trigger.pk)
        trigger.refresh_from_db()
    assert trigger.state == "failed"
    assert trigger.message == "It is still switched off on the server."


def test_a_webhook_secret_that_is_missing_sends_nothing(client, root, link, monkeypatch, sandbox):
    monkeypatch.delenv("STAGEDOOR_CREDENTIAL_HOOK")
    assert send(asked(client, link)) == "failed"
    assert not [entry for entry in sandbox.requests() if entry.method != "GET"]


def test_pipeline_activate_is_for_administrators(client, link):
    client.force_login(make_person("ana", "deployer"))
    shown = client.get(url(link)).content.decode()
    assert "may not switch pipelines on" in shown
    assert client.post(url(link), {"request_id": str(uuid.uuid4())}).status_code == 403
    assert AuditEvent.objects.get(action="build.activate").outcome == "denied"
    assert not Trigger.objects.exists()


def test_pipeline_activate_needs_the_request_id_of_its_form(client, root, link):
    assert client.post(url(link), {"request_id": "made-up"}).status_code == 422


def test_pipeline_activate_of_what_is_on_already_is_refused(client, root, link):
    Pipeline.objects.update(active=True)
    answer = client.post(url(link), {"request_id": str(uuid.uuid4())})
    assert "switched on already" in answer.content.decode()


def test_a_pipeline_that_is_off_is_switched_on_and_not_run(client, root, link):
    shown = client.get(reverse("pipelines:pipeline", args=[link.pk])).content.decode()
    assert url(link) in shown
    run = reverse("pipelines:trigger_create", args=[link.pk])
    assert run not in shown
    answer = client.post(run, {"request_id": str(uuid.uuid4()), "branch": "main"})
    assert "is not switched on at" in answer.content.decode()
    assert not Trigger.objects.exists()
