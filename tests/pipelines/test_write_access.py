"""Every page that writes, against those who may not: one list of them all, so none is left out."""

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from pipelines.models import Pipeline, Trigger
from pipelines.triggers import request as ask_for
from portal.models import AuditEvent
from tests.pipelines.world import (
    link_to,
    make_build,
    make_environments,
    make_person,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)

WRITES = {
    "build_cancel": "running",
    "build_retry": "passed",
    "build_unblock": "waiting",
    "build_promote": "passed",
    "trigger_create": "link",
    "pipeline_activate": "link",
    "trigger_withdraw": "trigger",
    "trigger_settle": "trigger",
}
READS = {
    "trigger_detail": "trigger",
    "build_detail": "passed",
    "build_status": "passed",
    "build_log": "passed",
    "build_log_export": "passed",
    "pipeline": "link",
}
FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def addresses(sandbox, server_at):
    """The address of every page, of a service with builds and a request that waits."""
    make_environments()
    link = link_to(sandbox, server_at, "drone")
    ask = {"entity": link.entity, "pipeline": link.pipeline, "request_id": uuid.uuid4()}
    trigger = ask_for(make_person("ana", "admin"), "start", **ask).trigger
    states = ("running", "passed", "waiting")
    builds = {
        state: make_build(link.pipeline, 70 + number, state).pk
        for number, state in enumerate(states)
    }
    ids = {"link": link.pk, "trigger": trigger.request_id, **builds}
    return {
        name: reverse(f"pipelines:{name}", args=[ids[kind]])
        for name, kind in (WRITES | READS).items()
    }


def form():
    return {
        "request_id": str(uuid.uuid4()),
        "verdict": "not",
        "target": "production",
        "gate": "1",
        "branch": "main",
    }


def untouched():
    return list(Trigger.objects.values_list("action", "state")) == [("start", "queued")]


def test_who_may_not_see_a_service_finds_no_page_of_it(client, addresses, settings):
    settings.DEFAULT_ROLE = "none"
    scope = {"scope_kind": "service", "scope_ref": make_service("other").ref}
    client.force_login(make_person("eve", "admin", **scope))
    posted = {name: client.post(addresses[name], form()).status_code for name in WRITES}
    assert posted == dict.fromkeys(WRITES, 404)
    shown = {name: client.get(addresses[name]).status_code for name in READS}
    assert shown == dict.fromkeys(READS, 404)
    assert untouched()


def test_a_forged_form_is_refused_everywhere(addresses):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_person("root", "admin"))
    for headers in ({}, FRAGMENT):
        posted = {
            name: client.post(addresses[name], form(), headers=headers).status_code
            for name in WRITES
        }
        assert posted == dict.fromkeys(WRITES, 403)
    assert untouched()


def test_an_address_alone_writes_nothing(client, addresses, sandbox):
    client.force_login(make_person("root", "admin"))
    for headers in ({}, FRAGMENT):
        for name in WRITES:
            assert client.get(addresses[name], form(), headers=headers).status_code in {200, 405}
    assert untouched()
    assert sandbox.accepted() == []


@pytest.mark.parametrize(
    "name", ["build_cancel", "build_retry", "build_promote", "trigger_create", "pipeline_activate"]
)
def test_a_denial_leaves_no_request_and_is_audited(client, addresses, name):
    Pipeline.objects.update(active=name != "pipeline_activate")
    client.force_login(make_person("eve"))
    asked = form()
    client.post(addresses[name], asked)
    event = AuditEvent.objects.get(request_id=asked["request_id"])
    assert (event.actor, event.outcome) == ("Eve", "denied")
    assert event.data["entity"] == "component:default/drone"
    assert (event.data["environment"], "team" in event.data) == ("production", True)
    assert untouched()


def test_signed_out_nobody_reads_or_writes(client, addresses):
    """Not even a request whose person was deleted, as if nobody were that person."""
    Trigger.objects.update(actor=None)
    for name in WRITES:
        assert client.post(addresses[name], form()).status_code in {302, 403}
    for name in READS:
        assert client.get(addresses[name]).status_code == 302
    assert untouched()
