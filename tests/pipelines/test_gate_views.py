"""A build that waits shows its gates, and a person opens one: never another one."""

import uuid

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from pipelines import gates
from pipelines.builds import record
from pipelines.dispatch import dispatch
from pipelines.gates import gates_of
from pipelines.models import Build, PipelineLink, Trigger
from pipelines.providers.base import StartRequest, State
from pipelines.servers import client_for
from portal.models import AuditEvent, RoleMapping
from portal.process_cache import answers
from tests.pipelines.providers.conftest import build_of, until
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

ASKED = (
    {"name": "TARGET", "type": "choice", "choices": ["blue", "green"], "default": "blue"},
    {"name": "TOKEN", "type": "password"},
)
NAMES = {"jenkins": "shop", "buildkite": "acme/shop"}


@pytest.fixture(autouse=True)
def _fresh():
    answers.clear()
    make_environments()


@pytest.fixture(params=["jenkins", "buildkite"])
def waiting(request, sandbox, server_at):
    return make_waiting(sandbox.instances[request.param], server_at, NAMES[request.param])


def make_waiting(handle, server_at, name, inputs=ASKED[:1], called="Deploy?"):
    """A link, and its build that waits at a gate."""
    gate = {"name": called, "gate": True, "inputs": inputs}
    handle.pipeline(name, steps=[gate, {"name": "Deploy", "seconds": 1}])
    link = confirmed_link(make_service(f"shop-{name}"), make_pipeline(server_at(handle), name))
    return link, next_build(link)


def next_build(link):
    adapter, name = client_for(link.pipeline.server), link.pipeline.external_id
    request = StartRequest(name, str(uuid.uuid4()), branch="" if "/" not in name else "main")
    remote = build_of(adapter, name, adapter.start(request))
    until(lambda: adapter.get_build(name, remote.external_id).state is State.WAITING)
    return record(link.pipeline, adapter.get_build(name, remote.external_id), timezone.now())


def test_a_gates_name_reads_as_it_is_and_opens(client, ana, sandbox, server_at):
    """An override of direction would show a person "staging" backwards where production stands."""
    name = NAMES["buildkite"]
    _, build = make_waiting(
        sandbox.instances["buildkite"], server_at, name, called="Deploy \u202egnigats"
    )
    [gate], _ = gates_of(build)
    assert gate.name == "Deploy gnigats"
    page = client.get(reverse("pipelines:build_detail", args=[build.pk])).content.decode()
    assert "\u202e" not in page
    answer = client.post(
        reverse("pipelines:build_unblock", args=[build.pk]),
        {"gate": gate.id, "request_id": str(uuid.uuid4()), "parameter:TARGET": "blue"},
    )
    dispatch(Trigger.objects.get().pk)
    assert answer.status_code in {302, 303}
    assert Trigger.objects.get().state == "linked"


@pytest.fixture
def ana(client):
    user = make_person("ana", "deployer")
    client.force_login(user)
    return user


def page(client, build):
    return client.get(reverse("pipelines:build_detail", args=[build.pk])).content.decode()


def unblock_url(build):
    return reverse("pipelines:build_unblock", args=[build.pk])


def gate_id(build):
    client = client_for(build.pipeline.server)
    return client.gates(build.pipeline.external_id, build.external_id)[0].id


def tells_what_it_asks(build):
    """Buildkite's REST API does not tell a block step's fields."""
    return build.pipeline.server.provider == "jenkins"


def data(build, **fields):
    return {
        "request_id": str(uuid.uuid4()),
        "gate": gate_id(build),
        "parameter:TARGET": "green",
        **fields,
    }


def send(trigger):
    dispatch(trigger.pk)
    trigger.refresh_from_db()
    return trigger.state


# --- The page ---------------------------------------------------------------------------------
def test_build_unblock_is_offered_with_what_the_gate_asks(client, ana, waiting):
    _, build = waiting
    shown = page(client, build)
    assert "Deploy?" in shown
    assert f'action="{unblock_url(build)}"' in shown
    assert ('<option value="green">' in shown) == tells_what_it_asks(build)
    assert "takes effect in Production" in shown


def test_build_unblock_is_denied_with_the_reason(client, waiting):
    client.force_login(make_person("ben", "viewer"))
    _, build = waiting
    assert "may not unblock builds" in page(client, build)
    answer = client.post(unblock_url(build), data(build))
    assert answer.status_code == 403
    assert not Trigger.objects.exists()
    assert AuditEvent.objects.get(action="build.unblock").outcome == "denied"


def test_build_unblock_is_a_link_out_where_the_vendor_has_none(client, ana):
    pipeline = make_pipeline(make_server("bitbucket", "bitbucket"), "acme/shop")
    confirmed_link(make_service("shop"), pipeline)
    build = make_build(pipeline, 1, "waiting", web_url="https://bitbucket.example/acme/shop/1")
    shown = page(client, build)
    assert "can&#x27;t let waiting builds go on from here." in shown
    assert shown.count(f'href="{build.web_url}"') == 2
    assert unblock_url(build) not in shown


def test_build_unblock_page_survives_a_server_that_does_not_answer(client, ana, waiting, sandbox):
    _, build = waiting
    sandbox.stop()
    shown = page(client, build)
    assert "What it waits for can't be read." in shown


def test_many_viewers_of_a_gate_cost_one_question(waiting, sandbox, monkeypatch):
    monkeypatch.setattr(gates, "SHARED_SECONDS", 600)  # longer than any machine is busy
    _, build = waiting
    gates_of(build)
    asked = len(sandbox.requests())
    for _ in range(5):
        assert gates_of(build)[0][0].name == "Deploy?"
    answers.clear()
    sandbox.stop()
    first = gates_of(build)
    sandbox.start()
    assert gates_of(build) == first
    assert len(sandbox.requests()) == asked


def test_build_status_draws_the_gates_again_only_where_they_changed(client, ana, waiting):
    _, build = waiting
    url = reverse("pipelines:build_status", args=[build.pk])
    first = client.get(url)
    key = first.context["gates"].key
    assert 'hx-swap-oob="outerHTML"' in first.content.decode()
    assert f"gates={key}" in first.content.decode()
    assert "hx-swap-oob" not in client.get(url, {"gates": key}).content.decode()


def test_a_service_page_says_that_a_build_waits_for_a_person(client, ana, waiting):
    link, _ = waiting
    shown = client.get(reverse("pipelines:pipeline", args=[link.pk])).content.decode()
    assert "waits for a person" in shown


# --- Opening it -------------------------------------------------------------------------------
def test_build_unblock_opens_the_gate_and_is_audited(client, ana, waiting):
    link, build = waiting
    answer = client.post(unblock_url(build), data(build))
    trigger = Trigger.objects.get()
    assert answer["Location"] == f"/triggers/{trigger.request_id}/"
    assert (trigger.action, trigger.subject_name) == ("unblock", "Deploy?")
    assert trigger.parameters == ({"TARGET": "green"} if tells_what_it_asks(build) else {})
    assert send(trigger) == "linked"
    adapter = client_for(link.pipeline.server)
    ref = (link.pipeline.external_id, build.external_id)
    until(lambda: adapter.get_build(*ref).state is State.PASSED)
    events = dict(AuditEvent.objects.values_list("action", "data"))
    for action in ("build.unblock", "trigger.sent"):
        assert events[action]["environment"] == "production"
        assert events[action]["entity"] == link.entity.ref
    assert events["build.unblock"]["subject_name"] == "Deploy?"


def test_build_unblock_twice_is_one_request(client, ana, waiting):
    _, build = waiting
    sent = data(build)
    first = client.post(unblock_url(build), sent)
    send(Trigger.objects.get())
    answers.clear()
    again = client.post(unblock_url(build), sent)
    assert first["Location"] == again["Location"]
    assert Trigger.objects.count() == 1


def test_build_unblock_by_two_people_is_done_once(client, ana, waiting):
    _, build = waiting
    client.post(unblock_url(build), data(build))
    client.force_login(make_person("cy", "deployer"))
    client.post(unblock_url(build), data(build))
    first, second = Trigger.objects.order_by("pk")
    assert send(first) == "linked"
    assert send(second) == "failed"
    assert second.message == "The build no longer waits there."


# --- Attacks ----------------------------------------------------------------------------------
@pytest.mark.parametrize("forged", ["", "made-up", "../../other", "x" * 300])
def test_build_unblock_of_a_forged_gate_is_no_request(client, ana, waiting, forged):
    _, build = waiting
    answer = client.post(unblock_url(build), data(build, gate=forged), follow=True)
    assert "no longer waits there" in answer.content.decode()
    assert not Trigger.objects.exists()


def test_build_unblock_of_another_builds_gate_is_no_request(client, ana, sandbox, server_at):
    link, build = make_waiting(sandbox.buildkite, server_at, "acme/shop")
    other = next_build(link)
    client.post(unblock_url(build), data(build, gate=gate_id(other)))
    assert not Trigger.objects.exists()


def test_a_gate_id_that_was_changed_in_the_row_is_not_sent(client, ana, sandbox, server_at):
    """Whatever the row says: dispatch asks the server whether the gate is this build's."""
    link, build = make_waiting(sandbox.buildkite, server_at, "acme/shop")
    other = next_build(link)
    client.post(unblock_url(build), data(build))
    Trigger.objects.update(subject=gate_id(other))
    assert send(Trigger.objects.get()) == "failed"
    assert client_for(link.pipeline.server).gates("acme/shop", other.external_id)


def test_a_gate_of_another_service_is_not_opened_by_its_build(client, waiting):
    """The role is for another service than the one whose build it is."""
    other = make_service("other")
    client.force_login(make_person("eve", "deployer", scope_kind="service", scope_ref=other.ref))
    _, build = waiting
    assert client.post(unblock_url(build), data(build)).status_code == 403
    assert not Trigger.objects.exists()


def test_build_unblock_takes_only_what_the_gate_asks(client, ana, sandbox, server_at):
    _, build = make_waiting(sandbox.jenkins, server_at, "shop")
    answer = client.post(unblock_url(build), data(build, **{"parameter:TARGET": "red"}))
    assert answer.status_code == 422
    client.post(unblock_url(build), data(build, **{"parameter:OTHER": "x", "environment": "dev"}))
    assert Trigger.objects.get().parameters == {"TARGET": "green"}


def test_a_password_is_neither_asked_for_nor_taken(client, ana, sandbox, server_at):
    _, build = make_waiting(sandbox.jenkins, server_at, "shop", ASKED)
    shown = page(client, build)
    assert "It asks for a secret (TOKEN)" in shown
    assert ">Unblock</button>" not in shown
    answer = client.post(unblock_url(build), data(build, **{"parameter:TOKEN": "s3cret"}))
    assert answer.status_code == 422
    assert "s3cret" not in answer.content.decode()
    assert not Trigger.objects.exists()


def test_a_person_who_lost_the_role_meanwhile_opens_nothing(client, ana, waiting, sandbox):
    link, build = waiting
    client.post(unblock_url(build), data(build))
    RoleMapping.objects.all().delete()
    assert send(Trigger.objects.get()) == "denied"
    assert client_for(link.pipeline.server).gates(link.pipeline.external_id, build.external_id)


def test_a_link_that_was_downgraded_meanwhile_opens_nothing(client, ana, waiting):
    _, build = waiting
    client.post(unblock_url(build), data(build))
    PipelineLink.objects.update(confirmed_at=None)
    assert send(Trigger.objects.get()) == "denied"
    assert "only be read" in Trigger.objects.get().message


def test_build_unblock_needs_the_token_against_forged_forms(ana, waiting):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ana)
    _, build = waiting
    assert strict.post(unblock_url(build), data(build)).status_code == 403
    assert strict.get(unblock_url(build)).status_code == 405
    assert not Trigger.objects.exists()


def test_a_request_id_of_another_action_is_refused(client, ana, waiting):
    _, build = waiting
    request_id = str(uuid.uuid4())
    client.post(reverse("pipelines:build_cancel", args=[build.pk]), {"request_id": request_id})
    answer = client.post(unblock_url(build), data(build, request_id=request_id))
    assert answer.status_code == 422
    assert "with other values" in answer.content.decode()
    assert [trigger.action for trigger in Trigger.objects.all()] == ["cancel"]


def test_a_gate_that_asks_for_something_else_by_now_is_not_opened(client, ana, sandbox, server_at):
    _, build = make_waiting(sandbox.jenkins, server_at, "shop")
    client.post(unblock_url(build), data(build))
    Trigger.objects.update(parameters={"TARGET": "black"})
    assert send(Trigger.objects.get()) == "failed"
    assert "has changed" in Trigger.objects.get().message
    assert Build.objects.get().state == "waiting"
