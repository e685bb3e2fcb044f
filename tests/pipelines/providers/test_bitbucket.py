"""What is Bitbucket's own: workspaces, the file's custom pipelines, targets, pauses, renames."""

import json

import pytest

from pipelines.providers.base import Cause, Limit, StartRequest, State
from pipelines.providers.bitbucket import Bitbucket
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
nasty = pytest.mark.nasty


@pytest.fixture
def bitbucket(sandbox):
    return sandbox.instances["bitbucket"]


@pytest.fixture
def adapter(bitbucket) -> Bitbucket:
    bitbucket.pipeline(PIPELINE, branches=("main", "feature/x"))
    return make_adapter("bitbucket", bitbucket.base_url, bitbucket.credential, workspaces=["acme"])


def ask(request_id: str = "r-1", **fields) -> StartRequest:
    return StartRequest(
        **{"pipeline": PIPELINE, "request_id": request_id, "branch": "main", **fields}
    )


def at(url: str, **options) -> Bitbucket:
    return make_adapter("bitbucket", f"{url}/2.0", "token", workspaces=["acme"], **options)


def build(number: int = 1, **fields) -> dict:
    state = {"name": "PENDING", "type": "pipeline_state_pending"}
    return {"type": "pipeline", "build_number": number, "state": state, **fields}


# --- Options -------------------------------------------------------------------------------------
@pytest.mark.parametrize("workspaces", [None, [], "acme", [1], [""]])
def test_workspaces_have_to_be_named(workspaces):
    with pytest.raises(Misconfigured, match="workspaces"):
        make_adapter("bitbucket", "http://127.0.0.1:9", "token", workspaces=workspaces)


def test_a_data_center_is_said_to_build_nothing():
    make_adapter("bitbucket", "https://proxy.example/restricted/2.0", "t", workspaces=["a"])
    with pytest.raises(Misconfigured, match="Data Center"):
        make_adapter("bitbucket", "https://git.acme.example/rest/api/latest", "t", workspaces=["a"])
    with (
        serve(reply(404, "", X_AUSERNAME="anonymous")) as httpd,
        pytest.raises(Misconfigured, match="Data Center"),
    ):
        at(httpd.url).list_pipelines()


def test_links_lead_to_bitbuckets_own_pages(adapter):
    cloud = make_adapter("bitbucket", "https://api.bitbucket.org/2.0", "token", workspaces=["a"])
    assert cloud._web == "https://bitbucket.org"
    number = adapter.start(ask()).build.number
    assert adapter.get_build(PIPELINE, str(number)).web_url.endswith(
        f"/bitbucket/{PIPELINE}/pipelines/results/{number}"
    )


# --- Repositories --------------------------------------------------------------------------------
@nasty("bitbucket-29")
def test_every_page_is_read_though_no_size_is_told(bitbucket, adapter):
    for number in range(1_100):
        bitbucket.pipeline(f"acme/r{number:04}")
    listed = adapter.list_pipelines()
    assert len(listed) == len({found.stable_id for found in listed}) == 1_101
    pages = {"values": [{"full_name": "acme/one", "uuid": "{1}"}], "size": 7, "next": ""}
    with serve(json_reply(json.dumps(pages))) as httpd:
        assert [found.external_id for found in at(httpd.url).list_pipelines()] == ["acme/one"]


def test_a_next_page_on_another_host_is_not_asked():
    page = json.dumps({"values": [], "next": "http://elsewhere.example/2.0/repositories/acme"})
    with serve(json_reply(page)) as httpd, pytest.raises(InvalidResponse, match="next page"):
        at(httpd.url).list_pipelines()
    assert len(httpd.asked) == 1


def test_a_list_that_never_ends_is_an_error_and_not_a_part():
    def behave(handler):
        address = f"http://{handler.headers['Host']}/2.0/repositories/acme?page=2"
        json_reply(json.dumps({"values": [], "next": address}))(handler)

    with serve(behave) as httpd, pytest.raises(InvalidResponse, match="more than"):
        at(httpd.url).list_pipelines()


@nasty("bitbucket-13")
def test_an_empty_repository_has_no_main_branch_and_can_not_be_started(bitbucket, adapter):
    bitbucket.pipeline("acme/empty", default_branch="", branches=())
    found = adapter.get_pipeline("acme/empty")
    assert (found.default_branch, found.parameters) == ("", ())
    with pytest.raises(Rejected, match="empty"):
        adapter.start(ask(pipeline="acme/empty", branch=""))


@nasty("bitbucket-17")
@nasty("bitbucket-18")
def test_a_renamed_repository_is_found_by_its_uuid(bitbucket, adapter, sandbox):
    before = adapter.get_pipeline(PIPELINE)
    with sandbox.world.lock:
        del bitbucket.instance.pipelines[PIPELINE]
    bitbucket.pipeline("shop/cart", details={"uuid": before.stable_id})
    with pytest.raises(NotFound):
        adapter.get_pipeline(PIPELINE)
    for written in (before.stable_id, before.stable_id.upper()):
        after = adapter.get_pipeline(written)
        assert (after.external_id, after.stable_id) == ("shop/cart", before.stable_id)
    paths = [entry.path for entry in sandbox.requests("bitbucket", "pipelines")]
    assert any(path.count("%7B") == 2 and "%25" not in path for path in paths)


@nasty("bitbucket-8")
def test_a_page_of_html_is_not_shown(adapter, bitbucket):
    page = reply(404, "<html>viewer: s3cr3t</html>", Content_Type="text/html")
    with serve(page) as httpd, pytest.raises(NotFound) as caught:
        at(httpd.url).get_build(PIPELINE, "1")
    assert "s3cr3t" not in f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r}"


@nasty("bitbucket-10")
def test_a_removed_address_is_an_error_and_no_empty_list():
    body = '{"type": "error", "error": {"message": "see CHANGE-2770"}}'
    with serve(json_reply(body, 410)) as httpd, pytest.raises(NotFound, match="no longer"):
        at(httpd.url).list_pipelines()


@nasty("bitbucket-21")
def test_a_refusal_without_a_time_lets_a_minute_pass():
    limited = reply(
        429, "Rate limit for this resource has been exceeded", Content_Type="text/plain"
    )
    with serve(limited) as httpd, pytest.raises(RateLimited) as caught:
        at(httpd.url).list_pipelines()
    assert caught.value.retry_after == 60


def test_limits_are_told_by_headers_where_there_are_any():
    told = {"x-ratelimit-limit": "1200", "X-RateLimit-NearLimit": "true"}
    assert Bitbucket.read_limits(told) == (Limit("repositories", 1200, 3600, remaining=240),)
    told["X-RateLimit-NearLimit"] = "false"
    assert Bitbucket.read_limits(told)[0].remaining is None
    assert Bitbucket.read_limits({}) == ()


# --- Refusals ------------------------------------------------------------------------------------
@nasty("bitbucket-9")
@pytest.mark.parametrize(
    ("status", "error", "raised", "words"),
    [
        (
            403,
            {"detail": {"required": ["pipeline:write"], "granted": ["pipeline"]}},
            Forbidden,
            "scope pipeline:write",
        ),
        (403, {"detail": {"required": "x", "granted": {}}}, Forbidden, "lacks a right"),
        (403, {"detail": {"required": ["<b>s3cr3t</b>"]}}, Forbidden, "lacks a right"),
        (
            400,
            {"detail": "Requested selector is not found in bitbucket-pipelines.yml."},
            Rejected,
            "custom pipeline",
        ),
        (400, {"data": {"key": "result-service.pipeline.selector-not-found"}}, Rejected, "custom"),
        (404, {"detail": "Could not find last reference for branch s3cr3t"}, Rejected, "branch"),
        (400, {"detail": {"a": ["s3cr3t"]}, "fields": {"ref": ["s3cr3t"]}}, Rejected, "refused"),
        (400, {"fields": {"ref": "s3cr3t"}, "message": 7}, Rejected, "refused"),
        (555, {}, OutcomeUnknown, "555"),
    ],
)
def test_refusals_are_told_in_our_words(status, error, raised, words):
    body = json.dumps({"type": "error", "error": error})
    with serve(json_reply(body, status)) as httpd, pytest.raises(raised, match=words) as caught:
        at(httpd.url).start(ask())
    assert len(httpd.asked) == 1
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("answer", ['{"message": "s3cr3t"}', "s3cr3t", "[]"])
def test_a_start_that_answers_no_build_is_unknown(answer):
    with serve(json_reply(answer, 201)) as httpd, pytest.raises(OutcomeUnknown) as caught:
        at(httpd.url).start(ask())
    assert "s3cr3t" not in str(caught.value)


@nasty("bitbucket-12")
def test_a_token_that_may_write_and_not_read_lacks_the_right_to_read(bitbucket, adapter):
    rights = ["read:repository:bitbucket", "write:pipeline:bitbucket"]
    bitbucket.add_token("narrow", login="ana", rights=rights)
    narrow = make_adapter(
        "bitbucket", bitbucket.base_url, "ana@ci.example:narrow", workspaces=["acme"]
    )
    assert [right for right, _ in narrow.check().lacks] == ["read:pipeline:bitbucket"]
    with pytest.raises(Forbidden, match="read:pipeline:bitbucket"):
        narrow.list_builds(PIPELINE)


# --- Builds --------------------------------------------------------------------------------------
@nasty("bitbucket-1")
def test_the_newest_builds_come_first_whatever_the_order_of_the_answer(adapter, sandbox):
    for _ in range(3):
        adapter.start(ask())
    assert [found.number for found in adapter.list_builds(PIPELINE, limit=2)] == [3, 2]
    assert "sort=-created_on" in sandbox.requests("bitbucket", "builds")[-1].path
    rows = json.dumps({"values": [build(1), build(2)]})
    with serve(json_reply(rows)) as httpd:
        assert [found.number for found in at(httpd.url).list_builds(PIPELINE)] == [2, 1]


def test_a_filter_that_is_ignored_is_made_up_for():
    rows = [build(n, target={"ref_name": name}) for n, name in enumerate(("main", "other"))]
    with serve(json_reply(json.dumps({"values": rows}))) as httpd:
        found = at(httpd.url).list_builds(PIPELINE, branch="main")
    assert [one.branch for one in found] == ["main"]
    assert "target.branch=main" in httpd.asked[0].path


@nasty("bitbucket-2")
@nasty("bitbucket-25")
def test_a_paused_build_waits_says_where_to_go_and_is_not_stopped(bitbucket, adapter, sandbox):
    steps = ["Build", {"name": "Release", "gate": True}, "Deploy"]
    bitbucket.pipeline("acme/gated", steps=steps)
    adapter.start(ask(pipeline="acme/gated"))
    until(lambda: adapter.get_build("acme/gated", "1").state is State.WAITING)
    paused = adapter.get_build("acme/gated", "1")
    assert (paused.raw_state, paused.finished_at) == ("PAUSED", None)
    assert "only Bitbucket's own page" in paused.reason
    assert [s.state for s in adapter.steps("acme/gated", "1")][1] is State.WAITING
    with pytest.raises(Rejected, match="can't stop"):
        adapter.cancel("acme/gated", "1")
    assert sandbox.requests("bitbucket", "cancel") == []


@nasty("bitbucket-3")
def test_a_halted_build_is_queued_with_a_reason_and_may_be_stopped(bitbucket, adapter):
    bitbucket.instance.options["halted"] = True
    bitbucket.pipeline(PIPELINE, steps=[{"name": "Build", "seconds": 4_000}])
    adapter.start(ask())
    until(lambda: adapter.get_build(PIPELINE, "1").raw_state == "HALTED")
    halted = adapter.get_build(PIPELINE, "1")
    assert (halted.state, halted.finished_at) == (State.QUEUED, None)
    assert "build minutes" in halted.reason
    adapter.cancel(PIPELINE, "1")
    assert ended(adapter, halted).state is State.CANCELLED


def test_a_build_said_to_run_waits_when_only_a_manual_step_is_next():
    running = build(state={"name": "IN_PROGRESS", "stage": {"name": "RUNNING"}})
    manual = {"type": "pipeline_step_trigger_manual"}
    paused = {"name": "PENDING", "stage": {"name": "PAUSED"}}
    steps = [{"uuid": "{1}", "state": {"name": "COMPLETED", "result": {"name": "SUCCESSFUL"}}}]
    steps.append({"uuid": "{2}", "state": paused, "trigger": manual})

    def behave(handler):
        answer = {"values": steps} if "/steps" in handler.path else running
        json_reply(json.dumps(answer))(handler)

    with serve(behave) as httpd:
        assert at(httpd.url).get_build(PIPELINE, "1").state is State.WAITING
        steps.append({"uuid": "{3}", "state": {"name": "IN_PROGRESS"}})
        assert at(httpd.url).get_build(PIPELINE, "1").state is State.RUNNING


@nasty("bitbucket-19")
@nasty("bitbucket-30")
def test_who_started_a_build_may_be_unknown_and_links_are_not_shown(adapter, bitbucket):
    bitbucket.pipeline("acme/cron", history=1)  # pushed by nobody that is known
    found = adapter.list_builds("acme/cron")[0]
    assert (found.who, found.who_id, found.cause) == ("", "", Cause.PUSH)
    assert "internal" not in f"{found!r}"
    started = adapter.start(ask()).build
    assert started.who == "Stagedoor"
    assert started.who_id.startswith("{")


@nasty("bitbucket-23")
def test_a_run_that_goes_on_under_its_number_is_shown_as_running_again():
    answers = [
        build(7, state={"name": "COMPLETED", "result": {"name": "FAILED"}}, run_number=1),
        build(7, state={"name": "IN_PROGRESS", "stage": {"name": "RUNNING"}}, run_number=2),
    ]

    def behave(handler):
        answer = {"values": []} if "/steps" in handler.path else answers[0]
        json_reply(json.dumps(answer))(handler)

    with serve(behave) as httpd:
        first = at(httpd.url).get_build(PIPELINE, "7")
        answers.pop(0)
        second = at(httpd.url).get_build(PIPELINE, "7")
    assert (first.external_id, first.state) == ("7", State.FAILED)
    assert (second.external_id, second.state, second.finished_at) == ("7", State.RUNNING, None)


def test_a_server_that_fails_is_unavailable_whatever_it_says():
    with serve(reply(503, "<html>", Content_Type="text/html")) as httpd, pytest.raises(Unavailable):
        at(httpd.url).list_builds(PIPELINE)
