"""Whatever the order: nothing is sent that enough people did not approve just so.

The large run is tests/bench/approvals.py.
"""

import pytest

from pipelines import approvals, dispatch
from pipelines.models import Approval, Environment, Trigger
from tests.pipelines.four_eyes import approve, asked, make_guarded, make_link, people
from tests.pipelines.interleavings import PARAMETERS, Stage
from tests.pipelines.outbox_storm import without_budget
from tests.pipelines.together import together
from tests.pipelines.world import make_person

pytestmark = pytest.mark.django_db(transaction=True)

SCHEDULES = 30


@pytest.fixture
def link(sandbox, server_at):
    make_guarded()
    link = make_link(sandbox, server_at, parameters=PARAMETERS)
    without_budget(link.pipeline.server)
    return link


@pytest.fixture
def stage(sandbox, link, monkeypatch):
    stage = Stage(sandbox, link)
    for module in (approvals, dispatch):
        monkeypatch.setattr(module, "reached", stage.reached)
    return stage


def test_nothing_unapproved_is_ever_sent(stage):
    faults = [fault for seed in range(SCHEDULES) if (fault := stage.play(seed))]
    assert faults == []
    # Else the schedules would prove nothing.
    assert stage.outcomes["sent"] > SCHEDULES / 10
    assert SCHEDULES - stage.outcomes["sent"] > SCHEDULES / 10


def test_two_approvers_at_once_are_two_approvals(link):
    Environment.objects.update(approvals=2)
    ana = make_person("ana", "deployer")
    two = people("ben", "cleo")
    for _ in range(8):
        trigger = asked(ana, link, commit="c" * 40)
        words = together(*[lambda one=one, t=trigger: approve(one, t) for one in two])
        trigger.refresh_from_db()
        assert (words, trigger.state) == (["", ""], "queued")


def test_one_approver_who_clicks_many_times_is_one_approval(link):
    ana, ben = people("ana", "ben")
    Environment.objects.update(approvals=2)
    trigger = asked(ana, link)
    words = together(*[lambda: approve(ben, trigger)] * 6)
    assert sorted(words) == ["", *[approvals.SAID_ALREADY] * 5]
    trigger.refresh_from_db()
    assert (Approval.objects.count(), trigger.state) == (1, "awaiting")


def test_a_refusal_and_an_approval_at_once_never_send(link, sandbox):
    ana, ben, cleo = people("ana", "ben", "cleo")
    for _ in range(8):
        trigger = asked(ana, link)
        before = len(sandbox.accepted())
        said = together(
            lambda t=trigger: approve(ben, t), lambda t=trigger: approve(cleo, t, "refuse", "No.")
        )
        assert "" in said
        dispatch.dispatch(trigger.pk)
        trigger.refresh_from_db()
        refused = Approval.objects.filter(trigger=trigger, verdict="refuse").exists()
        assert (trigger.state == "refused") == refused
        assert (len(sandbox.accepted()) == before) == refused
    assert not Trigger.objects.filter(state="awaiting").exists()
