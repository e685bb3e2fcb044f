"""A Bitbucket server through the whole portal: listed, looked at, started, lost, run again."""

import uuid

import pytest
from django.utils import timezone

from pipelines.details import read_details
from pipelines.dispatch import dispatch
from pipelines.listing import refresh_pipelines
from pipelines.models import Build, Pipeline, Trigger
from pipelines.reconcile import reconcile
from pipelines.servers import client_for
from pipelines.triggers import request
from tests.pipelines.world import confirmed_link, make_person, make_service

pytestmark = pytest.mark.django_db(transaction=True)
CHOICES = {"name": "PIPELINE", "type": "choice", "choices": ["deploy"]}


@pytest.fixture
def bitbucket(sandbox):
    handle = sandbox.instances["bitbucket"]
    handle.pipeline(
        "acme/shop",
        steps=[{"name": "Build", "seconds": 0.1}],
        parameters=[CHOICES, {"name": "ENVIRONMENT", "default": "staging"}],
    )
    return handle


@pytest.fixture
def link(bitbucket, server_at):
    """A link to the one repository, read as discovery and a viewer's page read it."""
    server = server_at(bitbucket, options={"workspaces": ["acme"]})
    refresh_pipelines(server)
    pipeline = Pipeline.objects.get()
    read_details(client_for(server), pipeline, timezone.now())
    pipeline.refresh_from_db()
    return confirmed_link(make_service("shop"), pipeline)


@pytest.fixture
def ana():
    return make_person("ana", "deployer")


def send(user, link, action="start", **fields) -> Trigger:
    subject = {"entity": link.entity, "pipeline": link.pipeline, "request_id": uuid.uuid4()}
    outcome = request(user, action, **subject, **fields)
    assert outcome.trigger, outcome
    dispatch(outcome.trigger.pk)
    outcome.trigger.refresh_from_db()
    return outcome.trigger


def test_what_the_file_declares_is_what_a_person_may_choose(link):
    names = {item["name"]: item["choices"] for item in link.pipeline.parameters}
    assert names == {"PIPELINE": ["(of the branch)", "deploy"], "ENVIRONMENT": []}
    assert link.pipeline.stable_id.startswith("{")


def test_a_named_pipeline_runs_and_runs_again_with_the_same_variables(bitbucket, link, ana):
    first = send(ana, link, parameters={"PIPELINE": "deploy", "ENVIRONMENT": "production"})
    assert first.state == "linked", first.message
    bitbucket.finish("acme/shop", 1)
    Build.objects.update(state="passed")
    again = send(ana, link, "retry", build=Build.objects.get())
    assert again.state == "linked", again.message
    for number, trigger in ((1, first), (2, again)):
        build = bitbucket.build("acme/shop", number)
        assert build.details["target"]["selector"] == {"type": "custom", "pattern": "deploy"}
        assert build.env["ENVIRONMENT"] == "production"
        assert build.env["STAGEDOOR_REQUEST_ID"] == str(trigger.request_id)
        assert build.env["STAGEDOOR_PERSON"] == "Ana"


def test_two_starts_whose_answers_are_lost_are_a_persons_and_never_sent_again(
    bitbucket, link, ana, sandbox
):
    bitbucket.fault("lose_answer", "start", times=2)
    triggers = [send(ana, link) for _ in range(2)]
    for trigger in triggers:
        assert trigger.state == "uncertain"
        Trigger.objects.filter(pk=trigger.pk).update(not_before=timezone.now())
        reconcile(trigger.pk)
        trigger.refresh_from_db()
        assert (trigger.state, trigger.lookups > 0) == ("uncertain", True)
    assert len(sandbox.accepted("bitbucket")) == 2
    assert not Build.objects.filter(trigger__isnull=False).exists()
