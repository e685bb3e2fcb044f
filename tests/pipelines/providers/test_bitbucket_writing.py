"""What Bitbucket is asked to do: targets, custom pipelines and variables, retries, activation."""

import json

import pytest

from pipelines.providers.base import HookTarget
from pipelines.providers.bitbucket import Bitbucket
from pipelines.providers.errors import Rejected
from portal.credentials import Secret
from tests.httpd import json_reply, serve
from tests.pipelines.providers.conftest import make_adapter, until
from tests.pipelines.providers.test_bitbucket import PIPELINE, ask, at, build

nasty = pytest.mark.nasty


@pytest.fixture
def bitbucket(sandbox):
    return sandbox.instances["bitbucket"]


@pytest.fixture
def adapter(bitbucket) -> Bitbucket:
    bitbucket.pipeline(PIPELINE, branches=("main", "feature/x"))
    return make_adapter("bitbucket", bitbucket.base_url, bitbucket.credential, workspaces=["acme"])


# --- Starting ------------------------------------------------------------------------------------
def posted(httpd) -> dict:
    return json.loads(httpd.asked[-1].body)


@nasty("bitbucket-14")
def test_a_branch_with_a_slash_is_built_and_its_file_is_read_by_commit(bitbucket, adapter, sandbox):
    bitbucket.pipeline(
        "acme/slashed",
        branches=("release/2",),
        default_branch="release/2",
        parameters=[{"name": "PIPELINE", "type": "choice", "choices": ["deploy"]}],
    )
    assert [p.name for p in adapter.get_pipeline("acme/slashed").parameters] == ["PIPELINE"]
    assert "/src/release" not in sandbox.requests("bitbucket", "source")[-1].path
    assert adapter.start(ask(pipeline="acme/slashed", branch="")).build.branch == "release/2"


def test_a_custom_pipeline_runs_with_its_variables_and_the_labels(bitbucket, adapter):
    bitbucket.pipeline(
        PIPELINE,
        parameters=[
            {"name": "PIPELINE", "type": "choice", "choices": ["deploy", "smoke"]},
            {"name": "ENVIRONMENT", "type": "choice", "choices": ["staging", "production"]},
            {"name": "NOTE"},
        ],
    )
    declared = {found.name: found for found in adapter.get_pipeline(PIPELINE).parameters}
    assert declared["PIPELINE"].choices == ("(of the branch)", "deploy", "smoke")
    assert declared["ENVIRONMENT"].choices == ("staging", "production")
    given = {"PIPELINE": "deploy", "ENVIRONMENT": "production", "NOTE": "", "EXTRA": "1"}
    made = adapter.start(ask(parameters=given, labels={"person": "Ana"})).build
    assert made.request_id == "r-1"
    until(lambda: adapter.get_build(PIPELINE, "1").message == "Custom pipeline deploy")
    seen = bitbucket.build(PIPELINE, 1)
    assert seen.details["target"]["selector"] == {"type": "custom", "pattern": "deploy"}
    assert seen.env == {
        "ENVIRONMENT": "production",
        "EXTRA": "1",
        "STAGEDOOR_REQUEST_ID": "r-1",
        "STAGEDOOR_PERSON": "Ana",
    }


@nasty("bitbucket-26")
def test_a_custom_pipeline_that_is_gone_by_then_is_said(adapter, sandbox):
    with pytest.raises(Rejected, match="no custom pipeline of this name"):
        adapter.start(ask(parameters={"PIPELINE": "deploy"}))
    assert sandbox.accepted("bitbucket") == []


def test_the_choice_of_the_branch_names_no_selector_and_a_commit_is_pinned():
    with serve(json_reply(json.dumps(build()), 201)) as httpd:
        at(httpd.url).start(ask(parameters={"PIPELINE": "(of the branch)"}, commit="c" * 40))
    assert posted(httpd)["target"] == {
        "type": "pipeline_ref_target",
        "ref_type": "branch",
        "ref_name": "main",
        "commit": {"type": "commit", "hash": "c" * 40},
    }


@pytest.mark.parametrize("name", ["BITBUCKET_BRANCH", "PATH", "a-b", "STAGEDOOR_TEAM"])
def test_what_is_no_free_variable_is_refused(adapter, sandbox, name):
    with pytest.raises(Rejected):
        adapter.start(ask(parameters={name: "x"}))
    assert sandbox.accepted("bitbucket") == []


@nasty("bitbucket-28")
@pytest.mark.parametrize("why", ["no file", "switched off"])
def test_a_repository_where_nothing_starts_says_so(bitbucket, adapter, why):
    fields = {"details": {"yml": None}} if why == "no file" else {"active": False}
    bitbucket.pipeline("acme/quiet", **fields)
    with pytest.raises(Rejected, match=r"no usable|switched off"):
        adapter.start(ask(pipeline="acme/quiet"))
    assert adapter.list_builds("acme/quiet") == []


# --- Retrying ------------------------------------------------------------------------------------
def retried(old: dict, **fields) -> dict:
    def behave(handler):
        status = 201 if handler.command == "POST" else 200
        json_reply(json.dumps(build(2) if status == 201 else old), status)(handler)

    with serve(behave) as httpd:
        at(httpd.url).retry(ask("r-2", branch="ignored", **fields), "1")
    return posted(httpd)


@nasty("bitbucket-15")
@pytest.mark.parametrize("name", ["v1#2", "100%", "a+b", "v1"])
@pytest.mark.parametrize("kind", ["tag", "annotated_tag", "branch"])
def test_a_retry_runs_the_same_ref_and_commit(name, kind):
    target = {"type": "pipeline_ref_target", "ref_type": kind, "ref_name": name}
    selector = {"type": "tags", "pattern": "v*"}
    commit = {"hash": "a" * 40, "links": {"self": "x"}}
    sent = retried(build(target={**target, "commit": commit, "selector": selector, "x": 1}))
    assert sent["target"] == {**target, "commit": {"type": "commit", "hash": "a" * 40}}
    assert [v["key"] for v in sent["variables"]] == ["STAGEDOOR_REQUEST_ID"]


@nasty("bitbucket-20")
def test_a_retry_of_a_pull_request_needs_no_repository_of_its_source():
    target = {
        "type": "pipeline_pullrequest_target",
        "source": "fix",
        "destination": "main",
        "destination_commit": {"hash": "b" * 12},
        "commit": {"hash": "a" * 40},
        "pullrequest": {"id": 7, "title": "Fix", "source": {"repository": None}},
        "selector": {"type": "pull-requests", "pattern": "**"},
    }
    assert retried(build(target=target))["target"] == {
        "type": "pipeline_pullrequest_target",
        "source": "fix",
        "destination": "main",
        "commit": {"type": "commit", "hash": "a" * 40},
        "destination_commit": {"type": "commit", "hash": "b" * 12},
        "selector": {"type": "pull-requests", "pattern": "**"},
        "pullrequest": {"id": "7"},
    }


def test_a_custom_pipeline_is_retried_only_with_the_variables_that_it_ran_with():
    custom = {"type": "custom", "pattern": "deploy"}
    old = build(target={"type": "pipeline_ref_target", "ref_name": "main", "selector": custom})
    with pytest.raises(Rejected, match="with which variables"):
        retried(old)
    sent = retried(old, parameters={"PIPELINE": "deploy", "ENVIRONMENT": "staging"})
    assert sent["target"]["selector"] == custom
    keys = {variable["key"]: variable["value"] for variable in sent["variables"]}
    assert keys == {"ENVIRONMENT": "staging", "STAGEDOOR_REQUEST_ID": "r-2"}


def test_a_build_that_does_not_say_what_it_ran_on_is_not_retried():
    with pytest.raises(Rejected, match="what this build ran on"):
        retried(build(target=None))


# --- Activation ----------------------------------------------------------------------------------
def test_only_what_lacks_is_written_when_a_repository_is_activated(bitbucket, adapter, sandbox):
    bitbucket.pipeline("acme/new", active=False)
    hook = HookTarget("https://portal.example/hooks/bb/", Secret("s3cr3t"))
    assert adapter.activate("acme/new", hook) == [
        "Pipelines was switched on.",
        "A webhook was registered.",
    ]
    written = [entry.method for entry in sandbox.requests("bitbucket") if entry.method != "GET"]
    assert written == ["PUT", "POST"]
    adapter.activate("acme/new", hook)
    (known,) = bitbucket.instance.hooks.values()
    assert (known.url, known.secret) == (hook.url, "s3cr3t")
    again = [entry.method for entry in sandbox.requests("bitbucket") if entry.method != "GET"]
    assert again == written


def test_a_webhook_without_its_secret_is_mended(bitbucket, adapter):
    url = "https://portal.example/hooks/bb/"
    bitbucket.instance.add_hook(url, "", PIPELINE, {"events": ["repo:push"], "active": True})
    done = adapter.activate(PIPELINE, HookTarget(url, Secret("s3cr3t")))
    assert done[1] == "The webhook was there and was mended."
    (known,) = bitbucket.instance.hooks.values()
    assert known.secret == "s3cr3t"
    assert "repo:commit_status_updated" in known.details["events"]
