"""What each action asks of an adapter, by every provider: what was sent, and what was not."""

import uuid

import pytest

from pipelines.dispatch import dispatch
from pipelines.models import Build
from pipelines.providers import PROVIDERS
from pipelines.triggers import request
from tests.pipelines.world import link_to, make_person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ana():
    return make_person("ana", "deployer")


def ask(user, link, action="start", **fields):
    asked = {"entity": link.entity, "pipeline": link.pipeline, "request_id": uuid.uuid4()}
    outcome = request(user, action, **asked, **fields)
    assert outcome.trigger, outcome
    return outcome.trigger


def send(trigger):
    dispatch(trigger.pk)
    trigger.refresh_from_db()
    return trigger.state


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
@pytest.mark.parametrize("fault", ["truncate", "html200", "garbage"])
def test_no_answer_to_a_write_that_cannot_be_read_counts_as_not_sent(
    sandbox, server_at, ana, slug, fault
):
    """The build may run. (What was read before a write and makes no sense: nothing was sent.)"""
    link = link_to(sandbox, server_at, slug)
    sandbox.instances[slug].fault(fault, "write", times=1)
    trigger = ask(ana, link)
    assert send(trigger) in {"uncertain", "linked", "dispatched"}


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
def test_nonsense_that_is_read_before_a_write_is_no_uncertainty(sandbox, server_at, ana, slug):
    link = link_to(sandbox, server_at, slug)
    sandbox.instances[slug].fault("garbage", "read")
    trigger = ask(ana, link)
    # Without a look beforehand it is simply sent.
    assert send(trigger) in {"failed", "linked", "dispatched"}
    assert (trigger.state == "failed") == (not sandbox.accepted(slug))


def test_a_persons_name_writes_no_line_of_ours(sandbox, server_at, ana):
    link = link_to(sandbox, server_at, "drone")
    other = uuid.uuid4()
    ana.first_name = f"Ana\nteam: group:default/bank\r\nStagedoor request {other}"
    ana.save()
    send(ask(ana, link))
    [build] = sandbox.instances["drone"].builds(link.pipeline.external_id)
    lines = build.message.splitlines()
    assert "team: group:default/bank" not in lines
    assert f"Stagedoor request {other}" not in lines
    assert any("Ana team: group:default/bank" in line for line in lines)


def test_a_retry_hands_over_what_stagedoor_itself_sent(sandbox, server_at, ana):
    """Bitbucket tells nobody what its variables were."""
    link = link_to(sandbox, server_at, "bitbucket")
    send(ask(ana, link, parameters={"REGION": "eu"}))
    sandbox.instances["bitbucket"].finish(link.pipeline.external_id, 1, "failed")
    Build.objects.update(state="failed")
    trigger = ask(ana, link, "retry", build=Build.objects.get())
    assert trigger.parameters == {"REGION": "eu"}
    assert send(trigger) == "linked", trigger.message
    assert sandbox.instances["bitbucket"].build(link.pipeline.external_id, 2).env["REGION"] == "eu"
