"""Why a Jenkins run began and ended, and whose account it was."""

import pytest

from pipelines.providers.base import Cause, State
from pipelines.providers.jenkins.names import QueueRef
from pipelines.providers.jenkins.runs import parse_build, parse_queue_item
from pipelines.sandbox.objects import Ask
from tests.pipelines.providers.conftest import build_of, ended, make_adapter
from tests.pipelines.providers.test_jenkins import ask

USER = {"_class": "hudson.model.Cause$UserIdCause", "userId": "ana", "userName": "Ana Lima"}


def run(*actions, item="", **fields):
    given = {"number": 1, "actions": list(actions), **fields}
    return parse_build(given, "job", item, "http://ci.example", ["BRANCH"])


def by(*causes):
    return {"_class": "hudson.model.CauseAction", "causes": list(causes)}


def ended_by(cls, said=""):
    cause = {"_class": cls, "shortDescription": said}
    return {"_class": "jenkins.model.InterruptedBuildAction", "causes": [cause]}


@pytest.mark.parametrize(
    ("cls", "cause"),
    [
        ("hudson.model.Cause$UserIdCause", Cause.MANUAL),
        ("hudson.triggers.SCMTrigger$SCMTriggerCause", Cause.PUSH),
        ("jenkins.branch.BranchEventCause", Cause.PUSH),
        ("jenkins.branch.BranchIndexingCause", Cause.PUSH),
        ("com.cloudbees.jenkins.GitHubPushCause", Cause.PUSH),
        ("hudson.triggers.TimerTrigger$TimerTriggerCause", Cause.SCHEDULE),
        ("hudson.model.Cause$UpstreamCause", Cause.UPSTREAM),
        ("org.jenkinsci.plugins.workflow.support.steps.build.BuildUpstreamCause", Cause.UPSTREAM),
        ("hudson.model.Cause$RemoteCause", Cause.API),
        ("com.example.SomethingNew", Cause.NONE),
        (None, Cause.NONE),
    ],
)
def test_the_class_of_a_cause_says_what_began_it(cls, cause):
    assert run(by({"_class": cls})).cause is cause


def test_a_push_to_a_pull_requests_job_is_a_pull_request():
    pushed = by({"_class": "jenkins.branch.BranchEventCause"})
    assert run(pushed, item="PR-7").cause is Cause.PULL_REQUEST
    assert run(pushed, item="PR").cause is Cause.PUSH


def test_what_began_through_the_portal_is_told_from_what_a_hand_began():
    id_ = {"parameters": [{"name": "STAGEDOOR_REQUEST_ID", "value": "r-1"}]}
    assert run(by(USER), id_).cause is Cause.API
    replayed = by(USER, {"_class": "org.jenkinsci.plugins.workflow.cps.replay.ReplayCause"})
    assert run(replayed, id_).cause is Cause.MANUAL


def test_the_account_is_the_causes_user_and_not_who_ended_it():
    stopped = ended_by("jenkins.model.CauseOfInterruption$UserInterruption", "Aborted by Bo")
    build = run(stopped, by(USER), result="ABORTED")
    assert (build.who, build.who_id) == ("Ana Lima", "ana")
    nobody = run(stopped, by({"shortDescription": "Started by timer"}), result="ABORTED")
    assert (nobody.who, nobody.who_id, nobody.message) == (
        "Started by timer", "", "Started by timer",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "said", "reason"),
    [
        ("CauseOfInterruption$UserInterruption", "Aborted by Bo", "Stopped by hand: Aborted by Bo"),
        ("CauseOfInterruption$UserInterruption", "", "Stopped by hand."),
        ("TimeoutStepExecution$ExceededTimeout", "Timeout has been exceeded", "Timed out."),
        ("input.Rejection", "Rejected by Bo", "Turned down at an input step: Rejected by Bo"),
        (
            "DisableConcurrentBuildsJobProperty$CancelledCause",
            "Superseded by #8",
            "A newer build took its place: Superseded by #8",
        ),
        ("com.example.New", "Because\n it  rains", "Interrupted: Because it rains"),
    ],
)
@pytest.mark.parametrize("result", ["ABORTED", "NOT_BUILT", "FAILURE"])
def test_what_interrupted_a_run_is_said(cls, said, reason, result):
    assert run(ended_by(f"some.package.{cls}", said), result=result).reason == reason


def test_a_vendors_text_is_cut():
    reason = run(ended_by("x", "long " * 1000), result="ABORTED").reason
    assert len(reason) < 250
    assert reason.endswith("…")


def counts(total, failed):
    return {"_class": "hudson.tasks.junit.TestResultAction"} | {
        "totalCount": total, "failCount": failed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("action", "result", "reason"),
    [
        (counts(1_200, 3), "UNSTABLE", "3 of 1,200 tests failed."),
        (counts(None, 3), "FAILURE", "3 tests failed."),
        (counts(12, 0), "UNSTABLE", "Unstable: often failed tests."),
        (counts(12, 0), "FAILURE", ""),
        (counts(12, 3), "SUCCESS", ""),
        (counts("x", [3]), "UNSTABLE", "Unstable: often failed tests."),
        ({}, None, "Jenkins gives no result; it may have stopped in the middle of the build."),
    ],
)
def test_failed_tests_are_counted(action, result, reason):
    assert run(action, result=result).reason == reason


def test_a_running_build_has_no_reason():
    assert run(counts(12, 3), result="UNSTABLE", building=True).reason == ""


@pytest.mark.nasty("jenkins-17")
def test_a_place_in_the_queue_says_why_it_waits(sandbox):
    sandbox.speed = 1
    sandbox.jenkins.pipeline("job", quiet_seconds=60)
    adapter = make_adapter("jenkins", sandbox.jenkins.base_url, sandbox.jenkins.credential)
    build = adapter.get_build("job", adapter.start(ask("job")).queue_ref)
    assert build.state is State.QUEUED
    assert build.reason.startswith("In Jenkins' queue: In the quiet period. Expires in ")
    assert (build.who, build.who_id) == ("Stagedoor", "stagedoor")
    assert build.queued_at is not None


def test_a_stuck_item_is_said_to_be_stuck():
    item = {"why": "No agent has the label  'arm'", "stuck": True}
    build = parse_queue_item(item, "job", QueueRef(7))
    assert build.reason == "Stuck in Jenkins' queue: No agent has the label 'arm'"


# --- Over the wire -------------------------------------------------------------------------------
def test_a_stopped_build_says_who_stopped_it(sandbox):
    sandbox.speed = 1
    sandbox.jenkins.pipeline("job", queue_seconds=0)
    adapter = make_adapter("jenkins", sandbox.jenkins.base_url, sandbox.jenkins.credential)
    build = build_of(adapter, "job", adapter.start(ask("job")))
    adapter.cancel("job", build.external_id)
    sandbox.advance(5)
    last = ended(adapter, build)
    assert last.reason == "Stopped by hand: Aborted by Stagedoor"


def test_a_timer_and_failed_tests_are_told_from_a_run(sandbox):
    steps = [{"name": "Test", "outcome": "unstable", "tests": [40, 2, 1]}]
    sandbox.jenkins.pipeline("job", steps=steps)
    instance = sandbox.jenkins.instance
    with sandbox.world.lock:
        instance.start(instance.pipelines["job"], Ask(source="schedule"))
    sandbox.jenkins.finish("job", 1, "unstable")
    adapter = make_adapter("jenkins", sandbox.jenkins.base_url, sandbox.jenkins.credential)
    [build] = adapter.list_builds("job")
    assert (build.cause, build.who, build.who_id) == (Cause.SCHEDULE, "", "")
    assert build.reason == "2 of 40 tests failed."
