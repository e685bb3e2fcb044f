"""What is Jenkins' own: names, the queue, parameters, branches, stages and its logs' traps."""

import json

import pytest

from pipelines.providers.base import StartRequest, State
from pipelines.providers.errors import (
    InvalidResponse,
    Misconfigured,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unsupported,
)
from pipelines.providers.jenkins import Jenkins
from pipelines.providers.logs import TAIL_BYTES
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import build_of, ended, make_adapter, until

ID = {"name": "STAGEDOOR_REQUEST_ID"}


@pytest.fixture
def jenkins(sandbox):
    return sandbox.jenkins


@pytest.fixture
def adapter(jenkins) -> Jenkins:
    return make_adapter("jenkins", jenkins.base_url, jenkins.credential)


def ask(pipeline: str, request_id: str = "r-1", **fields) -> StartRequest:
    return StartRequest(pipeline=pipeline, request_id=request_id, **fields)


def at(url: str, **options) -> Jenkins:
    return make_adapter("jenkins", url, "bot:token", **options)


# --- Jobs, folders, branches ---------------------------------------------------------------------
@pytest.mark.nasty("jenkins-1")
def test_folders_are_walked_and_can_not_run(jenkins, adapter):
    jenkins.pipeline("top")
    jenkins.pipeline("a b/ü#+%/job", disabled=True)
    listed = {pipeline.external_id: pipeline for pipeline in adapter.list_pipelines()}
    assert list(listed) == ["top", "a b", "a b/ü#+%", "a b/ü#+%/job"]
    assert [pipeline.runnable for pipeline in listed.values()] == [True, False, False, False]
    assert listed["a b/ü#+%/job"] == adapter.get_pipeline("a b/ü#+%/job")
    assert listed["a b/ü#+%/job"].web_url.endswith("/job/a%20b/job/%C3%BC%23%2B%25/job/job/")


@pytest.mark.nasty("jenkins-2")
def test_a_folder_has_no_builds_and_can_not_start(jenkins, adapter):
    jenkins.pipeline("folder/job")
    for call in (
        lambda: adapter.list_builds("folder"),
        lambda: adapter.start(ask("folder")),
    ):
        with pytest.raises(Rejected, match="folder"):
            call()


def test_the_option_folders_narrows_the_list(jenkins):
    jenkins.pipeline("ours/job")
    jenkins.pipeline("theirs/job")
    adapter = make_adapter("jenkins", jenkins.base_url, jenkins.credential, folders=["ours"])
    assert [pipeline.external_id for pipeline in adapter.list_pipelines()] == ["ours/job"]
    with pytest.raises(Misconfigured, match="folders"):
        make_adapter("jenkins", jenkins.base_url, jenkins.credential, folders="ours")


@pytest.mark.nasty("jenkins-2")
@pytest.mark.nasty("jenkins-23")
def test_a_multibranch_project_is_one_pipeline_over_its_branches(jenkins, adapter):
    jenkins.pipeline("mb", multibranch=True, branches=("main", "feature/x"), labels=True)
    [project] = adapter.list_pipelines()
    assert (project.external_id, project.runnable, project.default_branch) == ("mb", True, "main")
    first = ended(adapter, build_of(adapter, "mb", adapter.start(ask("mb", branch="feature/x"))))
    second = ended(adapter, build_of(adapter, "mb", adapter.start(ask("mb", "r-2"))))
    assert (first.external_id, first.branch) == ("feature%2Fx/1", "feature/x")
    assert (second.external_id, second.branch) == ("main/1", "main")
    assert first.web_url.endswith("/job/mb/job/feature%252Fx/1/")
    assert [build.external_id for build in adapter.list_builds("mb")] == ["main/1", "feature%2Fx/1"]
    assert adapter.list_builds("mb", limit=1) == [second]
    assert adapter.list_builds("mb", branch="feature/x") == [first]
    assert adapter.find_by_request_id("mb", "r-1", branch="feature/x").build == first
    assert "Finished: SUCCESS" in adapter.log("mb", first.external_id).text
    again = build_of(adapter, "mb", adapter.retry(ask("mb", "r-3"), first.external_id))
    assert (again.external_id, again.request_id) == ("feature%2Fx/2", "r-3")


def test_the_default_branch_is_found_among_many(jenkins, adapter):
    branches = [f"feature/{number:02}" for number in range(60)] + ["main"]
    parameters = [{"name": "TARGET", "type": "choice", "choices": ["a", "b"]}]
    jenkins.pipeline("mb", multibranch=True, branches=branches, parameters=parameters, labels=True)
    [project] = adapter.list_pipelines()
    assert project.default_branch == "main"
    assert [parameter.name for parameter in project.parameters] == ["TARGET"]
    assert project == adapter.get_pipeline("mb")


def test_a_look_up_on_a_branch_that_is_gone_can_not_tell(jenkins, adapter):
    jenkins.pipeline("mb", multibranch=True, branches=("main",), labels=True)
    with pytest.raises(Unsupported):
        adapter.find_by_request_id("mb", "r-1", branch="gone")


def test_a_branch_without_a_job_is_refused_before_anything_is_sent(sandbox, jenkins, adapter):
    jenkins.pipeline("mb", multibranch=True, branches=("main",))
    with pytest.raises(Rejected, match="no job for the branch new"):
        adapter.start(ask("mb", branch="new"))
    assert sandbox.requests("jenkins", "start") == []


# --- Parameters ----------------------------------------------------------------------------------
def test_parameters_are_read_and_what_the_portal_fills_is_not_asked_for(jenkins, adapter):
    jenkins.pipeline(
        "job",
        labels=True,
        parameters=[
            {"name": "BRANCH", "default": "origin/main"},
            {"name": "TARGET", "type": "choice", "choices": ["staging", "production"]},
            {"name": "DRY", "type": "boolean", "default": "true"},
            {"name": "KEY", "type": "password"},
        ],
    )
    job = adapter.get_pipeline("job")
    assert [(p.name, p.type) for p in job.parameters] == [
        ("TARGET", "choice"),
        ("DRY", "boolean"),
        ("KEY", "password"),
    ]
    assert job.parameters[0].choices == ("staging", "production")
    assert job.parameters[1].default == "true"
    assert job.default_branch == "main"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"parameters": {"NONE": "x"}}, "does not declare NONE"),
        ({"parameters": {"TARGET": "moon"}}, "one of staging, production"),
        ({"parameters": {"BRANCH": "main"}}, "give it as the branch"),
        ({"parameters": {"BRANCH": "other"}, "branch": "main"}, "another branch"),
        ({"commit": "a" * 40}, "commit_parameter"),
    ],
)
def test_what_jenkins_would_drop_is_refused(sandbox, jenkins, adapter, fields, words):
    choice = {"name": "TARGET", "type": "choice", "choices": ["staging", "production"]}
    jenkins.pipeline("job", parameters=["BRANCH", choice])
    with pytest.raises(Rejected, match=words):
        adapter.start(ask("job", **fields))
    assert sandbox.requests("jenkins", "start") == []


def test_a_branch_needs_a_parameter_to_travel_in(jenkins, adapter):
    jenkins.pipeline("job", parameters=["WHICH"])
    with pytest.raises(Rejected, match="branch_parameter"):
        adapter.start(ask("job", branch="main"))
    chosen = make_adapter("jenkins", jenkins.base_url, jenkins.credential, branch_parameter="WHICH")
    build_of(chosen, "job", chosen.start(ask("job", branch="main")))
    assert jenkins.build("job", 1).parameters == {"WHICH": "main"}


def test_a_job_without_parameters_is_started_by_its_own_route(jenkins, adapter):
    jenkins.pipeline("plain", kind="freestyle")
    build = ended(adapter, build_of(adapter, "plain", adapter.start(ask("plain"))))
    assert (build.state, build.request_id, build.who) == (State.PASSED, "", "Stagedoor")
    [console] = adapter.steps("plain", build.external_id)
    assert (console.log_id, console.state) == ("console", State.PASSED)


@pytest.mark.nasty("jenkins-3")
def test_a_disabled_job_is_refused(jenkins, adapter):
    jenkins.pipeline("job", disabled=True)
    with pytest.raises(Rejected, match="disabled"):
        adapter.start(ask("job"))


def test_a_retry_keeps_the_parameters_that_are_still_declared(jenkins, adapter):
    jenkins.pipeline("job", parameters=["BRANCH", "OLD", "KEPT"], labels=True)
    asked = ask("job", branch="b", parameters={"OLD": "1", "KEPT": "2"})
    ended(adapter, build_of(adapter, "job", adapter.start(asked)))
    jenkins.pipeline("job", parameters=["BRANCH", "KEPT"], labels=True)
    again = ask("job", "r-2", labels={"person": "Bo"})
    build_of(adapter, "job", adapter.retry(again, "1"))
    sent = jenkins.build("job", 2).parameters
    assert {name: value for name, value in sent.items() if value} == {
        "BRANCH": "b",
        "KEPT": "2",
        "STAGEDOOR_REQUEST_ID": "r-2",
        "STAGEDOOR_PERSON": "Bo",
    }


# --- Queue ---------------------------------------------------------------------------------------
def test_a_waiting_request_is_followed_found_and_cancelled(sandbox, jenkins, adapter):
    sandbox.speed = 1
    jenkins.pipeline("job", parameters=[ID], quiet_seconds=60)
    ref = adapter.start(ask("job")).queue_ref
    assert adapter.resolve("job", ref).queue_ref == ref
    assert adapter.find_by_request_id("job", "r-1").queue_ref == ref
    assert adapter.get_build("job", ref).state is State.QUEUED
    adapter.cancel("job", ref)
    cancelled = adapter.resolve("job", ref).build
    assert (cancelled.external_id, cancelled.state) == (ref, State.CANCELLED)
    assert cancelled.request_id == "r-1"
    with pytest.raises(Rejected, match="ended already"):
        adapter.cancel("job", ref)
    assert jenkins.builds("job") == []


@pytest.mark.nasty("jenkins-15")
def test_a_forgotten_queue_item_is_found_by_its_id(sandbox, jenkins, adapter):
    jenkins.pipeline("job")
    ref = adapter.start(ask("job")).queue_ref
    until(lambda: jenkins.builds("job"))
    sandbox.advance(600)
    with pytest.raises(NotFound):
        adapter._wire.tree("/queue/item/1", "id")
    assert adapter.resolve("job", ref).build.number == 1
    with pytest.raises(NotFound, match="no build came of it"):
        adapter.resolve("job", "queue:999")


@pytest.mark.nasty("jenkins-16")
@pytest.mark.parametrize("parameters", [[], ["TARGET"]], ids=["build", "buildWithParameters"])
def test_a_request_that_jenkins_folds_into_a_waiting_one_is_refused(
    sandbox, jenkins, adapter, parameters
):
    sandbox.speed = 1
    jenkins.pipeline("job", parameters=parameters, quiet_seconds=60)
    adapter.start(ask("job"))
    with pytest.raises(Rejected, match="waits in Jenkins' queue already"):
        adapter.start(ask("job", "r-2"))


def test_a_job_without_the_request_id_can_not_be_looked_up(jenkins, adapter):
    jenkins.pipeline("job", parameters=["BRANCH"])
    with pytest.raises(Unsupported, match="STAGEDOOR_REQUEST_ID"):
        adapter.find_by_request_id("job", "r-1")


def test_a_build_that_copied_the_parameters_does_not_carry_the_request_id(jenkins, adapter):
    jenkins.pipeline("job", parameters=[ID])
    first = ended(adapter, build_of(adapter, "job", adapter.start(ask("job"))))
    adapter._wire.write("POST", "/job/job/1/replay/rebuild", expect=(302,))
    until(lambda: len(jenkins.builds("job")) == 2)
    assert [build.request_id for build in adapter.list_builds("job")] == ["", "r-1"]
    assert adapter.find_by_request_id("job", "r-1").build == first


JOB = '{"_class": "org.jenkinsci.plugins.workflow.job.WorkflowJob", "buildable": true}'


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(201, Location="http://other:8080/ctx/queue/item/7/"), None),
        (reply(201), OutcomeUnknown),
        (reply(200, "<html>", Content_Type="text/html"), OutcomeUnknown),
        (reply(302, Location="/job/a/"), Rejected),
        (reply(302, Location="/securityRealm/commenceLogin"), Misconfigured),
        (reply(302, Location="https://idp.example/"), Misconfigured),
        (reply(400, "Nothing is submitted"), Rejected),
        (reply(409, "a is not buildable"), Rejected),
        (reply(404), NotFound),
    ],
)
def test_answers_to_a_start_are_sorted(answer, error):
    def behave(handler):
        (json_reply(JOB) if handler.command == "GET" else answer)(handler)

    with serve(behave) as httpd:
        if error is None:
            assert at(httpd.url).start(ask("a")).queue_ref == "queue:7"
        else:
            with pytest.raises(error):
                at(httpd.url).start(ask("a"))
    assert [asked.method for asked in httpd.asked] == ["GET", "POST"]


@pytest.mark.parametrize("name", ["login", "team/login-service", "securityRealm/x"])
def test_a_job_that_is_named_like_a_page_of_jenkins_is_stopped(sandbox, jenkins, adapter, name):
    sandbox.speed = 1
    jenkins.pipeline(name, queue_seconds=0)
    build = build_of(adapter, name, adapter.start(ask(name)))
    adapter.cancel(name, build.external_id)
    sandbox.advance(5)
    assert ended(adapter, build).state is State.CANCELLED


# --- Stages and logs -----------------------------------------------------------------------------
@pytest.mark.nasty("jenkins-19")
@pytest.mark.parametrize("plugins", [["wfapi"], ["graph"], []])
def test_stages_come_from_whichever_plugin_there_is(sandbox, plugins):
    handle = sandbox.add("jenkins", "other", plugins=plugins)
    handle.pipeline("job", steps=[{"name": "Build"}, {"name": "Test", "outcome": "unstable"}])
    adapter = make_adapter("jenkins", handle.base_url, handle.credential)
    build = ended(adapter, build_of(adapter, "job", adapter.start(ask("job"))))
    assert (build.state, build.raw_state) == (State.FAILED, "UNSTABLE")
    stages = [(step.name, step.state) for step in adapter.steps("job", "1")]
    named = [("Build", State.PASSED), ("Test", State.FAILED)] if plugins else []
    assert stages == [("Console", State.FAILED), *named]


def test_a_run_that_waits_for_a_person_is_waiting(jenkins, adapter):
    jenkins.pipeline("job", steps=[{"name": "Deploy?", "gate": True}])
    build = build_of(adapter, "job", adapter.start(ask("job")))
    seen = until(lambda: (b := adapter.get_build("job", "1")).state is State.WAITING and b)
    assert seen.raw_state == "PAUSED_PENDING_INPUT"
    assert adapter.steps("job", build.external_id)[1].state is State.WAITING
    adapter.cancel("job", build.external_id)
    assert ended(adapter, build).state is State.CANCELLED


def test_a_lost_log_of_an_ended_run_is_done(jenkins, adapter):
    jenkins.pipeline("job", log_lost=True)
    ended(adapter, build_of(adapter, "job", adapter.start(ask("job"))))
    chunk = adapter.log("job", "1")
    assert (chunk.text, chunk.done) == ("", True)


def test_of_a_huge_log_the_end_is_shown_and_followed(jenkins, adapter):
    line = "x" * 999
    jenkins.pipeline("job", steps=[{"name": "Loud", "lines": [line], "repeat": 3000}])
    ended(adapter, build_of(adapter, "job", adapter.start(ask("job"))))
    chunk = adapter.log("job", "1")
    assert chunk.truncated
    assert chunk.done
    assert not chunk.restarted
    assert TAIL_BYTES * 0.9 < len(chunk.text) <= TAIL_BYTES
    assert chunk.text.endswith("Finished: SUCCESS\n")
    assert chunk.text.startswith(line)
    assert adapter.log("job", "1", "", chunk.next_offset).text == ""
    assert adapter.log("job", "1", "", 10).restarted


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, "<html>", Content_Type="text/html", X_Text_Size="3"),
        reply(200, "text", Content_Type="text/plain"),
        reply(200, "text", Content_Type="text/plain", X_Text_Size="-1"),
        reply(200, "text", Content_Type="text/plain", X_Text_Size="9" * 5_000),
    ],
)
def test_what_is_no_log_is_not_shown_as_one(answer):
    with serve(answer) as httpd, pytest.raises(InvalidResponse):
        at(httpd.url).log("job", "1")


# --- The rest ------------------------------------------------------------------------------------
def test_annotation_names_may_be_percent_encoded():
    [claim] = Jenkins.parse_annotations({"jenkins.io/job-full-name": "ci:/a%20b/c/"})
    assert (claim.server, claim.pipeline) == ("ci", "a b/c")


def test_only_the_named_fields_are_asked_for():
    with serve(json_reply(json.dumps({"jobs": []}))) as httpd:
        assert at(httpd.url + "/ctx").list_pipelines() == []
    assert httpd.asked[0].path.startswith("/ctx/api/json?tree=jobs%5Bname%2C")
