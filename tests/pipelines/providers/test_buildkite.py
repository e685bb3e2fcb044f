"""What is Buildkite's own: scopes, pages, limits, blocked builds, meta-data and its logs' codes."""

import json

import pytest

from pipelines.providers.base import StartRequest, State
from pipelines.providers.buildkite import Buildkite
from pipelines.providers.errors import (
    Forbidden,
    InvalidResponse,
    Misconfigured,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
)
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import ended, make_adapter, until

PIPELINE = "acme/checkout"


@pytest.fixture
def buildkite(sandbox):
    return sandbox.buildkite


@pytest.fixture
def adapter(buildkite) -> Buildkite:
    return make_adapter("buildkite", buildkite.base_url, buildkite.credential)


def ask(request_id: str = "r-1", **fields) -> StartRequest:
    return StartRequest(
        **{"pipeline": PIPELINE, "request_id": request_id, "branch": "main", **fields}
    )


def at(url: str, **options) -> Buildkite:
    return make_adapter("buildkite", url, "token", **options)


# --- Token ---------------------------------------------------------------------------------------
def test_the_check_names_scopes_that_lack_and_that_are_unused(buildkite):
    rights = ["read_pipelines", "read_builds", "write_builds", "graphql"]
    token = buildkite.add_token("narrow", rights=rights, expires_in_days=7)
    result = make_adapter("buildkite", buildkite.base_url, token).check()
    assert [right for right, _ in result.lacks] == ["read_build_logs", "read_organizations"]
    assert [right for right, _ in result.unused] == ["graphql"]
    assert result.expires_at.tzinfo
    assert "whatever its user may" in dict(result.unused)["graphql"]
    assert (result.who_id, "read_user" in " ".join(result.notes)) == ("", True)


def test_with_the_scope_for_it_the_check_tells_the_users_id(buildkite, adapter):
    result = adapter.check()
    assert result.who_id == buildkite.instance.tokens[buildkite.token].person.id
    assert (result.unused, result.lacks, len(result.notes)) == ((), (), 1)


def test_organizations_named_in_the_options_need_no_scope(buildkite):
    buildkite.pipeline(PIPELINE)
    token = buildkite.add_token("narrow", rights=["read_pipelines"])
    with pytest.raises(Misconfigured, match='option "organizations"'):
        make_adapter("buildkite", buildkite.base_url, token).list_pipelines()
    named = make_adapter("buildkite", buildkite.base_url, token, organizations=["acme"])
    assert [pipeline.external_id for pipeline in named.list_pipelines()] == [PIPELINE]
    assert "read_organizations" not in dict(named.check().lacks)


def test_a_lacking_scope_is_named_from_the_headers(buildkite):
    buildkite.pipeline(PIPELINE)
    token = buildkite.add_token("narrow", rights=["read_pipelines"])
    with pytest.raises(Forbidden, match="lacks the scope read_builds"):
        make_adapter("buildkite", buildkite.base_url, token).list_builds(PIPELINE)


@pytest.mark.parametrize("options", [{"organizations": "acme"}, {"organizations": [1]}])
def test_wrong_options_are_said(options):
    with pytest.raises(Misconfigured, match="organizations"):
        at("http://127.0.0.1:9", **options)


def test_a_token_of_several_words_is_refused_unseen():
    with pytest.raises(Misconfigured) as caught:
        make_adapter("buildkite", "http://127.0.0.1:9", "two words")
    assert "two" not in str(caught.value)


# --- Lists and limits ----------------------------------------------------------------------------
def test_all_pages_are_read_and_archived_pipelines_can_not_run(buildkite, adapter):
    for number in range(205):
        buildkite.pipeline(f"acme/p{number:03}", archived=number == 7)
    listed = adapter.list_pipelines()
    assert len(listed) == len({pipeline.external_id for pipeline in listed}) == 205
    assert [p.external_id for p in listed if not p.runnable] == ["acme/p007"]


def test_a_list_that_never_ends_is_an_error_and_not_a_part():
    page = json_reply('[{"slug": "p"}]', Link='<https://elsewhere.example/>; rel="next"')
    with serve(page) as httpd, pytest.raises(InvalidResponse):
        at(httpd.url, organizations=["acme"]).list_pipelines()
    assert len(httpd.asked) == 100


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"RateLimit_Reset": "12", "RateLimit_User_Reset": "40"}, "{}", 40),
        ({"rate_limit_reset": "9"}, "not json", 9),
        ({}, '{"message": "wait", "reset": 42}', 42),
        ({"RateLimit_Reset": "99999"}, "{}", 120),
        ({"RateLimit_Reset": "nan"}, "{}", None),
        ({}, "{}", None),
    ],
)
def test_the_wait_is_the_longest_that_is_told(headers, body, seconds):
    with serve(json_reply(body, 429, **headers)) as httpd, pytest.raises(RateLimited) as caught:
        at(httpd.url).get_build(PIPELINE, "1")
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (422, '{"message": "Branches have been disabled for this pipeline"}', Rejected, "branch"),
        (422, '{"message": "s3cr3t is invalid"}', Rejected, "refused"),
        (400, '{"message": "Listing builds this deep is not supported."}', Rejected, "this old"),
        (500, "<html>s3cr3t</html>", OutcomeUnknown, "500"),
        (201, "s3cr3t", OutcomeUnknown, "something else"),
        (201, '{"message": "s3cr3t"}', OutcomeUnknown, "something else"),
        (302, "", Misconfigured, "redirect"),
    ],
)
def test_answers_to_a_start_are_told_in_our_words(status, body, error, words):
    with serve(json_reply(body, status)) as httpd, pytest.raises(error, match=words) as caught:
        at(httpd.url).start(ask())
    assert len(httpd.asked) == 1
    assert "s3cr3t" not in str(caught.value)


# --- Starting ------------------------------------------------------------------------------------
def test_a_start_says_who_asked_in_the_vendors_places(buildkite, adapter):
    buildkite.pipeline(PIPELINE)
    labels = {"person": "Ana Lima", "team": "payments", "environment": ""}
    asked = ask(labels=labels, parameters={"TARGET": "blue"}, message="Deploy [skip ci] checkout")
    build = adapter.start(asked).build
    assert build.message == "Deploy  checkout (requested by Ana Lima via Stagedoor)"
    seen = buildkite.build(PIPELINE, 1)
    assert seen.author == {"name": "Ana Lima"}
    assert seen.env == {
        "TARGET": "blue",
        "STAGEDOOR_REQUEST_ID": "r-1",
        "STAGEDOOR_PERSON": "Ana Lima",
        "STAGEDOOR_TEAM": "payments",
    }
    assert seen.meta_data == {
        "stagedoor-request-id": "r-1",
        "stagedoor-person": "Ana Lima",
        "stagedoor-team": "payments",
    }


def test_without_a_commit_the_newest_is_asked_for():
    with serve(json_reply('{"number": 1}', 201)) as httpd:
        at(httpd.url).start(ask())
        at(httpd.url).start(ask(commit="abc"))
    assert [json.loads(asked.body)["commit"] for asked in httpd.asked] == ["HEAD", "abc"]


def test_without_a_branch_the_default_one_is_built(buildkite, adapter):
    buildkite.pipeline(PIPELINE, default_branch="trunk")
    assert adapter.start(ask(branch="")).build.branch == "trunk"


@pytest.mark.parametrize("name", ["a-b", "1A", "", "A=B", "BUILDKITE_BRANCH", "stagedoor_person"])
def test_what_is_no_free_variable_is_refused(buildkite, adapter, name):
    buildkite.pipeline(PIPELINE)
    with pytest.raises(Rejected):
        adapter.start(ask(parameters={name: "x"}))
    assert buildkite.builds(PIPELINE) == []


def test_a_branch_that_the_pipeline_does_not_build_is_said(buildkite, adapter):
    buildkite.pipeline(PIPELINE, branch_filter="main")
    with pytest.raises(Rejected, match="this branch"):
        adapter.start(ask(branch="feature/x"))


def test_a_retry_keeps_variables_and_meta_data_and_gets_a_new_person(buildkite, adapter):
    buildkite.pipeline(PIPELINE)
    commit = "c" * 40
    first = ask(commit=commit, labels={"person": "Ana"}, parameters={"TARGET": "blue"})
    ended(adapter, adapter.start(first).build)
    buildkite.build(PIPELINE, 1).meta_data["release"] = "7"
    build = adapter.retry(ask("r-2", labels={"person": "Bo"}), "1").build
    seen = buildkite.build(PIPELINE, 2)
    assert (build.commit, seen.rebuilt_from) == (commit, None)
    assert build.message == "Build main (requested by Bo via Stagedoor)"
    assert seen.env == {"TARGET": "blue", "STAGEDOOR_REQUEST_ID": "r-2", "STAGEDOOR_PERSON": "Bo"}
    assert seen.meta_data == {
        "release": "7",
        "stagedoor-request-id": "r-2",
        "stagedoor-person": "Bo",
    }


def test_a_tags_build_is_not_built_again_as_a_branch():
    with serve(
        json_reply('{"number": 1, "branch": "main", "tag": "main", "state": "passed"}')
    ) as httpd:
        adapter = make_adapter("buildkite", httpd.url, "token")
        with pytest.raises(Rejected, match="rebuild it in Buildkite"):
            adapter.retry(ask(), "1")
    assert {asked.method for asked in httpd.asked} == {"GET"}


def test_a_rebuild_in_buildkite_is_not_what_was_asked_for(buildkite, adapter):
    buildkite.pipeline(PIPELINE)
    first = ended(adapter, adapter.start(ask()).build)
    adapter._wire.write("PUT", "/organizations/acme/pipelines/checkout/builds/1/rebuild")
    with_meta = buildkite.build(PIPELINE, 2)
    with_meta.meta_data["stagedoor-request-id"] = "r-1"
    assert adapter.find_by_request_id(PIPELINE, "r-1").build == first
    assert adapter.get_build(PIPELINE, "2").request_id == ""


def test_a_server_that_ignores_the_filter_finds_nothing_wrong():
    rows = json.dumps([{"number": 3, "meta_data": {"stagedoor-request-id": "other"}}])
    with serve(json_reply(rows)) as httpd:
        assert at(httpd.url).find_by_request_id(PIPELINE, "r-1") is None
    assert "meta_data%5Bstagedoor-request-id%5D=r-1" in httpd.asked[0].path


def test_the_feed_asks_once_for_each_organization_that_is_named(sandbox, buildkite):
    for name in ("acme/one", "acme/two", "other/three", "hidden/four"):
        buildkite.pipeline(name, history=2)
    secret = buildkite.credential
    named = make_adapter("buildkite", buildkite.base_url, secret, organizations=["acme", "other"])
    builds = named.feed()
    assert {build.pipeline for build in builds} == {"acme/one", "acme/two", "other/three"}
    moments = [build.queued_at for build in builds]
    assert moments == sorted(moments, reverse=True)
    assert len(named.feed(limit=3)) == 3
    assert len(sandbox.requests("buildkite", "builds")) == 4
    every = make_adapter("buildkite", buildkite.base_url, secret).feed()
    assert len(every) == 8
    assert len(sandbox.requests("buildkite", "builds")) == 5


def test_a_build_that_the_plan_keeps_no_longer_is_not_found(buildkite, adapter):
    buildkite.pipeline(PIPELINE, keep_builds=1)
    for request_id in ("r-1", "r-2"):
        adapter.start(ask(request_id))
    with pytest.raises(NotFound):
        adapter.get_build(PIPELINE, "1")


# --- Jobs and logs -------------------------------------------------------------------------------
def test_a_blocked_build_waits_until_it_is_cancelled(buildkite, adapter):
    buildkite.pipeline(PIPELINE, steps=[{"name": "Build"}, {"name": "Go?", "gate": True}])
    build = adapter.start(ask()).build
    until(lambda: adapter.get_build(PIPELINE, "1").state is State.WAITING)
    gate = adapter.steps(PIPELINE, "1")[-1]
    assert (gate.name, gate.state) == ("Go?", State.WAITING)
    with pytest.raises(NotFound):
        adapter.log(PIPELINE, "1", gate.id)
    adapter.cancel(PIPELINE, "1")
    assert ended(adapter, build).state is State.CANCELLED


JOB = {"id": "j-1", "type": "script", "state": "running"}


def test_jobs_are_read_by_pages_and_only_the_cursor_of_a_link_is_believed():
    def behave(handler):
        page = {"items": [{**JOB, "id": "b" if "after=c2" in handler.path else "a"}], "links": {}}
        if "after" not in handler.path:
            page["links"] = {"next": "http://elsewhere.example/jobs?after=c2&per_page=9"}
        json_reply(json.dumps(page))(handler)

    with serve(behave) as httpd:
        assert [step.id for step in at(httpd.url).steps(PIPELINE, "1")] == ["a", "b"]
    assert len(httpd.asked) == 2


def test_of_a_job_that_was_retried_the_last_attempt_is_shown(buildkite, adapter):
    buildkite.pipeline(PIPELINE, steps=[{"name": "Test", "outcomes": ["failed", "passed"]}])
    ended(adapter, adapter.start(ask()).build)
    adapter._wire.write("PUT", "/organizations/acme/pipelines/checkout/builds/1/retry_failed_jobs")
    until(lambda: adapter.get_build(PIPELINE, "1").state is State.PASSED)
    assert [step.state for step in adapter.steps(PIPELINE, "1")] == [State.PASSED]


def test_an_api_without_the_list_of_jobs_has_them_in_the_build():
    def behave(handler):
        missing = handler.path.partition("?")[0].endswith("/jobs")
        answer = json_reply("{}", 404) if missing else json_reply(json.dumps({"jobs": [JOB]}))
        answer(handler)

    with serve(behave) as httpd:
        assert [step.id for step in at(httpd.url).steps(PIPELINE, "1")] == ["j-1"]


def test_a_server_that_fails_is_unavailable_whatever_it_says():
    with serve(reply(503, "<html>", Content_Type="text/html")) as httpd, pytest.raises(Unavailable):
        at(httpd.url).list_builds(PIPELINE)
