"""A token opens a gate that the build really has, once."""

import uuid

import pytest

from pipelines.dispatch import dispatch
from pipelines.models import Trigger
from portal.process_cache import answers
from tests.pipelines.api.conftest import Api
from tests.pipelines.test_gate_views import make_waiting
from tests.pipelines.world import make_person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting(sandbox, server_at):
    answers.clear()
    return make_waiting(sandbox.jenkins, server_at, "shop")


def test_an_unblock_names_a_gate_of_the_build_and_its_values(waiting):
    link, build = waiting
    api, key = Api(make_person("ana", "deployer")), uuid.uuid4()
    found = api.get(f"/builds/{build.pk}")
    assert found["actions"]["unblock"]["effect"] == "allow"
    (gate,) = found["gates"]
    assert gate["parameters"][0]["name"] == "TARGET"
    about = {
        "entity": link.entity.ref,
        "pipeline": "jenkins:shop",
        "action": "unblock",
        "build": build.pk,
        "gate": gate["id"],
    }
    assert list(api.trigger({**about, "gate": "none"}, 422)["fields"]) == ["gate"]
    wrong = {**about, "parameters": {"TARGET": "red"}}
    assert list(api.trigger(wrong, 422)["fields"]) == ["parameters.TARGET"]
    right = {**about, "parameters": {"TARGET": "green"}}
    api.trigger(right, key=key)
    trigger = Trigger.objects.get()
    dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert (trigger.state, trigger.parameters) == ("linked", {"TARGET": "green"})
    build.refresh_from_db()
    build.state = "running"
    build.save()
    # By now the gate is open: the same request is known, and no other one.
    assert api.trigger(right, 200, key=key)["id"] == str(key)
    assert api.trigger({**right, "parameters": {"TARGET": "blue"}}, 422, key=key)
    assert Trigger.objects.count() == 1
