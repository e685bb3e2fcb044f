"""Answers of a real Drone 2.25 server, served again to the adapter over HTTP."""

import pytest

from pipelines.providers.base import Cause, ServerConfig, StartRequest, State
from pipelines.providers.drone import Drone
from pipelines.providers.drone.parse import parse_build, parse_pipeline, slug_of
from pipelines.providers.drone.wire import DroneWire
from pipelines.providers.errors import (
    Forbidden,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    Rejected,
)
from portal.credentials import Secret
from tests.httpd import reply, serve
from tests.pipelines.providers.conftest import http_client
from tests.pipelines.providers.drone_recordings import (
    ANSWERS,
    answer,
    asked,
    recorded,
    replay,
    stream,
)

CHECKOUT, PROTECTED, WEBHOOKS = "acme/checkout", "acme/protected", "acme/webhooks"
ASK = StartRequest(CHECKOUT, "id-1", branch="main", labels={"person": "Ana"})


def drone(url: str) -> Drone:
    return Drone(ServerConfig("drone", url), http_client(), Secret("token"))


def of(pipeline):
    return StartRequest(pipeline, "id-1", branch="main", labels={"person": "Ana"})


# name -> (what is read besides, the call, what it gives or raises)
READ_CHECKOUT = {"repos/acme/checkout": "repo_find"}
BUILD_3 = READ_CHECKOUT | {"repos/acme/checkout/builds/3": "build_find_success"}
CALLS = {
    "user": ({"user/repos": "user_repos"}, lambda d: d.check().who, "portal-bot"),
    "user_nonadmin": ({"user/repos": "user_repos"}, lambda d: d.check().unused, ()),
    "user_anonymous": ({}, lambda d: d.check(), NotAuthorized),
    "user_bad_token": ({}, lambda d: d.check(), NotAuthorized),
    "user_repos": ({}, lambda d: [p.active for p in d.list_pipelines()], [False] * 3),
    "user_repos_before_sync": ({}, lambda d: d.list_pipelines(), []),
    "repos_latest": ({}, lambda d: [p.stable_id for p in d.list_pipelines()], ["11", "12"]),
    "repo_find": ({}, lambda d: d.get_pipeline(CHECKOUT).runnable, True),
    "repo_find_inactive": ({}, lambda d: d.get_pipeline(CHECKOUT).runnable, False),
    "repo_find_disabled": ({}, lambda d: d.get_pipeline(WEBHOOKS).active, False),
    "repo_find_missing": ({}, lambda d: d.get_pipeline("acme/nope"), NotFound),
    "user_builds": (
        {
            "repos/acme/checkout/builds/7": "build_rollback",
            "repos/acme/checkout/builds/6": "build_find_promote",
            "repos/acme/checkout/builds/5": "build_restart",
        },
        lambda d: d.feed()[0].external_id,
        "7",
    ),
    "builds_empty": ({}, lambda d: d.list_builds(CHECKOUT), []),
    "builds_inactive": ({}, lambda d: d.list_builds(CHECKOUT), []),
    "builds_list_private_anonymous": ({}, lambda d: d.list_builds(PROTECTED), NotAuthorized),
    "builds_list": ({}, lambda d: [b.number for b in d.list_builds(CHECKOUT)][:3], [10, 9, 8]),
    "builds_list_branch": (
        {},
        lambda d: [b.number for b in d.list_builds(CHECKOUT, branch="main")],
        [3, 1],
    ),
    "builds_list_tag": ({}, lambda d: d.list_builds(CHECKOUT, branch="v1"), []),
    "build_find_success": ({}, lambda d: d.get_build(CHECKOUT, "3").state, State.PASSED),
    "build_find_pending": ({}, lambda d: d.get_build(CHECKOUT, "3").state, State.QUEUED),
    "build_find_running": ({}, lambda d: d.get_build(PROTECTED, "2").state, State.RUNNING),
    "build_find_blocked": ({}, lambda d: d.get_build(PROTECTED, "2").state, State.WAITING),
    "build_find_failure": ({}, lambda d: d.get_build(WEBHOOKS, "1").state, State.FAILED),
    "build_find_error_yaml": ({}, lambda d: d.get_build(CHECKOUT, "1").raw_state, "error"),
    "build_find_killed": ({}, lambda d: d.get_build(CHECKOUT, "4").state, State.CANCELLED),
    "build_find_killed_running": ({}, lambda d: d.get_build(PROTECTED, "2").raw_state, "killed"),
    "build_find_declined": ({}, lambda d: d.get_build(PROTECTED, "3").state, State.CANCELLED),
    "build_find_promote": ({}, lambda d: d.get_build(CHECKOUT, "6").cause, Cause.PROMOTE),
    "build_find_pull_request": (
        {},
        lambda d: d.get_build(CHECKOUT, "10").branch,
        "refs/pull/7/head",
    ),
    "build_find_tag": ({}, lambda d: d.get_build(CHECKOUT, "11"), NotFound),
    "build_find_missing": ({}, lambda d: d.get_build(CHECKOUT, "999"), NotFound),
    "build_create": (READ_CHECKOUT, lambda d: d.start(of(CHECKOUT)).build.number, 3),
    "build_create_branch": (
        READ_CHECKOUT,
        lambda d: d.start(of(CHECKOUT)).build.branch,
        "feature/pay",
    ),
    "build_create_bad_branch": (READ_CHECKOUT, lambda d: d.start(of(CHECKOUT)), NotFound),
    "build_create_bad_commit": (READ_CHECKOUT, lambda d: d.start(of(CHECKOUT)), NotFound),
    "build_create_inactive": (
        {"repos/acme/checkout": "repo_find_inactive"},
        lambda d: d.start(of(CHECKOUT)),
        Rejected,
    ),
    "build_create_failing": (
        {"repos/acme/webhooks": "repo_reactivate"},
        lambda d: d.start(of(WEBHOOKS)).build.number,
        1,
    ),
    "build_restart_missing": (READ_CHECKOUT, lambda d: d.retry(of(CHECKOUT), "999"), NotFound),
    "build_promote": (BUILD_3, lambda d: d.promote(of(CHECKOUT), "3", "staging").build.number, 6),
    "build_promote_no_target": (
        BUILD_3,
        lambda d: d.promote(of(CHECKOUT), "3", "x"),
        Rejected,
    ),
    "build_approve": (
        {
            "repos/acme/protected": "repo_patch_protected",
            "repos/acme/protected/builds/2": "build_find_blocked",
        },
        lambda d: d.unblock(of(PROTECTED), "2", "1"),
        None,
    ),
    "build_cancel_running": (
        {"repos/acme/protected/builds/2": "build_find_running"},
        lambda d: d.cancel(PROTECTED, "2"),
        None,
    ),
    "build_cancel_pending": (
        {"repos/acme/checkout/builds/4": "build_create_branch"},
        lambda d: d.cancel(CHECKOUT, "4"),
        None,
    ),
    "build_cancel_finished": (BUILD_3, lambda d: d.cancel(CHECKOUT, "3"), Rejected),
    "repo_activate": (
        {"repos/acme/checkout": "repo_find_inactive"},
        lambda d: d.activate(CHECKOUT, None),
        ["acme/checkout is switched on in Drone."],
    ),
    "repo_activate_again": (
        READ_CHECKOUT,
        lambda d: d.activate(CHECKOUT, None),
        ["acme/checkout was switched on already."],
    ),
}
# name -> (pipeline, build, log, beginning); None where there is no log to read
LOGS = {
    "build_logs_1_1_clone": (CHECKOUT, "3", "1/1", "+ git init\n"),
    "build_logs_1_2_compile": (
        CHECKOUT,
        "3",
        "1/2",
        "+ echo compiling\ncompiling\n+ printf 'unicode é ✓ \x1b[32mgreen\x1b[0m\n'\n\nunicode é ✓",
    ),
    "build_logs_1_3_test": (CHECKOUT, "3", "1/3", "+ echo running 3 tests\n"),
    "build_logs_failed_step": (WEBHOOKS, "1", "1/3", "+ echo boom\nboom\n+ exit 3\n"),
}
# Answers to what the adapter does not ask: only how their status is sorted counts.
OTHER_ERRORS = {
    "users_forbidden_nonadmin": Forbidden,
    "build_create_forbidden_nonwriter": NotAuthorized,
    "build_approve_again": Rejected,
    "build_approve_bad_stage": NotFound,
    "build_latest_empty": NotFound,
    "build_logs_bad_number": Rejected,
    "build_logs_missing_stage": NotFound,
    "build_logs_missing_step": NotFound,
    "build_logs_running_step": NotFound,
    "build_logs_skipped_step": NotFound,
    "hook_push_bad_signature": Rejected,
    "repo_patch_bad": Rejected,
    "users_create_dup": OutcomeUnknown,
    "build_find_not_number": Rejected,
    "build_promote_no_target": Rejected,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_recorded_answer_is_read_or_sorted(name):
    """Whatever the status is, it becomes parsed JSON or one of our errors."""
    method, path = asked(name)
    status = recorded(name)["status"]
    with serve(replay(name)) as httpd:
        wire = DroneWire(http_client(), httpd.url, Secret("token"))
        if status >= 400:
            error = OTHER_ERRORS.get(name) or {401: NotAuthorized, 404: NotFound}[status]
            with pytest.raises(error) as caught:
                wire.get(path) if method == "GET" else wire.write(method, path)
            assert "sql:" not in str(caught.value)
            return
        response = wire.get(path) if method == "GET" else wire.write(method, path)
    if response.content_type != "application/json":
        assert recorded(name).get("json") is None
        return
    rows = wire.json(response) if response.body else []
    for row in rows if isinstance(rows, list) else [rows]:
        if "config_path" in row:
            assert parse_pipeline(row, httpd.url).external_id == slug_of(row) != ""
        elif "event" in row and "number" in row:
            assert parse_build(row, CHECKOUT, httpd.url).state is not State.UNKNOWN


@pytest.mark.parametrize("name", sorted(CALLS))
def test_the_adapter_gives_what_the_server_said(name):
    places, call, wanted = CALLS[name]
    with serve(replay(name, **places)) as httpd:
        adapter = drone(httpd.url)
        if isinstance(wanted, type):
            with pytest.raises(wanted):
                call(adapter)
        else:
            assert call(adapter) == wanted


@pytest.mark.parametrize("name", sorted(LOGS))
def test_a_recorded_log_is_read_as_it_was_printed(name):
    pipeline, build, log_id, beginning = LOGS[name]
    with serve(replay(name)) as httpd:
        chunk = drone(httpd.url).log(pipeline, build, log_id)
        rest = drone(httpd.url).log(pipeline, build, log_id, chunk.next_offset)
    assert chunk.text.startswith(beginning)
    assert (chunk.done, chunk.truncated, chunk.restarted) == (True, False, False)
    assert (rest.text, rest.next_offset) == ("", chunk.next_offset)


@pytest.mark.nasty("drone-9")
@pytest.mark.parametrize(("log_id", "done"), [("1/2", False), ("1/3", True)])
def test_a_log_that_is_not_there_yet_is_streamed_or_over(log_id, done):
    """The running step's log is 404; what it has printed comes as a stream."""
    running = {"repos/acme/protected/builds/2": "build_find_running"}

    def behave(handler):
        if handler.path.startswith("/api/stream/acme/protected/2/1/2"):
            body = stream("stream_logs_running")
            reply(200, body, Content_Type="text/event-stream")(handler)
        else:
            replay("build_logs_running_step", **running)(handler)

    with serve(behave) as httpd:
        if done:
            with pytest.raises(NotFound):
                drone(httpd.url).log(PROTECTED, "2", log_id)
            return
        chunk = drone(httpd.url).log(PROTECTED, "2", log_id)
        later = drone(httpd.url).log(PROTECTED, "2", log_id, chunk.next_offset - 1)
    assert chunk.text.endswith("tick 1\ntick 2\ntick 3\ntick 4\n")
    assert (chunk.done, chunk.next_offset, later.text) == (False, 6, "tick 4\n")


def test_a_skipped_step_has_no_log():
    places = {"repos/acme/webhooks/builds/1": "build_find_failure"}
    with serve(replay("build_logs_skipped_step", **places)) as httpd:
        adapter = drone(httpd.url)
        assert adapter.log(WEBHOOKS, "1", "1/4").done
        steps = {step.id: step for step in adapter.steps(WEBHOOKS, "1")}
    assert (steps["1/4"].state, steps["1/4"].log_id) == (State.SKIPPED, "")
    assert (steps["1/3"].exit_code, steps["1/3"].log_id) == (3, "1/3")


def test_steps_of_several_stages_say_whose_they_are():
    with serve(replay("build_find_success")) as httpd:
        steps = drone(httpd.url).steps(CHECKOUT, "3")
    assert [(step.id, step.name) for step in steps] == [
        ("1/1", "build / clone"),
        ("1/2", "build / compile"),
        ("1/3", "build / test"),
        ("2/1", "publish / clone"),
        ("2/2", "publish / push"),
    ]
    assert {step.state for step in steps} == {State.PASSED}


def test_who_caused_a_build_is_told_by_account():
    with serve(replay("build_find_blocked")) as httpd:
        pushed = drone(httpd.url).get_build(PROTECTED, "2")
    assert (pushed.who, pushed.who_id, pushed.cause) == ("Octo Cat", "octocat", Cause.PUSH)
    assert pushed.web_url.endswith("/acme/protected/2")
    with serve(replay(**{"repos/acme/checkout/builds/12": "cron_exec"})) as httpd:
        cron = drone(httpd.url).get_build(CHECKOUT, "12")
    assert (cron.who, cron.who_id, cron.cause) == ("", "", Cause.SCHEDULE)
    with serve(replay("build_find_promote")) as httpd:
        promoted = drone(httpd.url).get_build(CHECKOUT, "6")
    assert (promoted.who_id, promoted.cause) == ("portal-bot", Cause.PROMOTE)


def test_the_connection_test_names_rights_that_are_never_used():
    with serve(replay("user", "version", "user_repos")) as httpd:
        result = drone(httpd.url).check()
    assert (result.who, result.who_id, result.version) == ("portal-bot", "portal-bot", "2.25.0")
    assert [right for right, _ in result.unused] == ["server admin"]
    assert result.expires_at is None


def test_pages_end_with_a_short_one():
    """Drone gives neither a total nor links."""
    with serve(answer("builds_list_per_page")) as httpd:
        adapter = drone(httpd.url)
        assert len(adapter.list_builds(CHECKOUT, limit=2)) == 2
        assert [a.path.partition("?")[2] for a in httpd.asked] == ["page=1&per_page=2"]
        assert len(adapter.list_builds(CHECKOUT, limit=50)) == 2
        assert len(httpd.asked) == 2
