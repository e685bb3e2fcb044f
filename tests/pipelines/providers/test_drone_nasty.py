"""The nasty cases of Drone's document, as the package's README numbers them."""

import json

import pytest

from pipelines.providers.base import FINAL, State
from pipelines.providers.drone.parse import parse_build, parse_steps
from pipelines.providers.errors import InvalidResponse, NotAuthorized, NotFound, Rejected
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import ended, make_adapter
from tests.pipelines.providers.test_drone import APP, GATED, adapter, ask, pushed, server, started

__all__ = ["adapter", "server"]
BASE = "https://drone.example"


@pytest.mark.nasty("drone-1")
def test_a_start_that_nothing_matches_is_no_success(adapter, server, sandbox):
    server.pipeline(APP, details={"unmatched": ["custom"]})
    with pytest.raises(Rejected, match="Nothing to run"):
        started(adapter)
    assert sandbox.accepted("drone") == []


@pytest.mark.nasty("drone-2")
def test_a_dead_token_is_noticed_though_public_builds_are_answered(server):
    server.pipeline(APP, details={"visibility": "public"})
    pushed(server)
    guest = make_adapter("drone", server.base_url, "dead")
    assert len(guest.list_builds(APP)) == 1
    for call in (guest.check, guest.list_pipelines, lambda: guest.start(ask())):
        with pytest.raises(NotAuthorized):
            call()


@pytest.mark.nasty("drone-3")
def test_not_found_says_what_else_it_may_be(adapter, server):
    server.instance.options["scm_down"] = True
    with pytest.raises(NotFound, match=r"may not see or do this.*source host"):
        adapter.list_builds(APP)
    assert [found.external_id for found in adapter.list_pipelines()] == [APP]


@pytest.mark.nasty("drone-4")
def test_a_page_is_no_answer(sandbox, server):
    wrong = make_adapter("drone", f"{server.base_url}/drone-ui", server.credential)
    for call in (wrong.check, wrong.list_pipelines, lambda: wrong.list_builds(APP)):
        with pytest.raises(InvalidResponse, match="base URL"):
            call()


@pytest.mark.nasty("drone-5")
def test_an_inactive_repository_shows_its_builds_and_starts_none(adapter, server, sandbox):
    pushed(server)
    server.instance.pipelines[APP].active = False
    assert len(adapter.list_builds(APP)) == 1
    for call in (
        lambda: started(adapter),
        lambda: adapter.retry(ask(), "1"),
        lambda: adapter.promote(ask(), "1", "staging"),
    ):
        with pytest.raises(Rejected, match="not active"):
            call()
    assert sandbox.accepted("drone") == []


@pytest.mark.nasty("drone-6")
def test_a_repository_without_builds_has_none(adapter):
    assert adapter.list_builds(APP) == []
    assert adapter.list_builds(APP, branch="main") == []
    assert adapter.feed() == []
    assert adapter.find_by_request_id(APP, "id-1") is None


@pytest.mark.nasty("drone-7")
def test_a_build_that_says_pending_and_is_blocked_waits(adapter, server):
    server.pipeline(APP, steps=GATED)
    pushed(server)
    assert [build.state for build in adapter.list_builds(APP)] == [State.WAITING]
    assert adapter.get_build(APP, "1").raw_state == "blocked"
    assert [build.state for build in adapter.feed()] == [State.QUEUED]  # it has no stages


@pytest.mark.nasty("drone-8")
def test_a_declined_build_is_over_though_it_has_no_end(adapter, server):
    server.pipeline(APP, steps=GATED)
    build = pushed(server)
    server.instance.cancel(build, "declined")
    seen = adapter.get_build(APP, "1")
    assert (seen.state, seen.raw_state, seen.finished_at) == (State.CANCELLED, "declined", None)
    assert seen.state in FINAL
    with pytest.raises(Rejected):
        adapter.cancel(APP, "1")


@pytest.mark.nasty("drone-10")
def test_a_log_whose_beginning_was_dropped_says_so(adapter, server):
    lines = [f"line {n}" for n in range(9)]
    server.pipeline(APP, steps=[{"name": "Build", "lines": lines}], details={"log_cut": 5})
    ended(adapter, started(adapter))
    chunk = adapter.log(APP, "1", "1/1")
    assert (chunk.text.splitlines()[0], chunk.truncated, chunk.next_offset) == ("line 4", True, 10)
    assert not adapter.log(APP, "1", "1/1", 6).truncated


@pytest.mark.nasty("drone-11")
def test_a_build_without_a_commit_and_with_a_long_message_is_read():
    row = {"number": 1, "status": "error", "after": "", "message": "🚀 Ship it\n\nBecause\n"}
    build = parse_build({**row, "event": "cron"}, APP, BASE)
    assert (build.commit, build.message) == ("", "🚀 Ship it")


@pytest.mark.nasty("drone-12")
@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        ("killed", 130, State.CANCELLED),
        ("failure", 137, State.FAILED),
        ("success", 78, State.PASSED),  # "stop early": the build is green, the rest is skipped
    ],
)
def test_the_word_decides_and_the_exit_code_is_shown(status, code, state):
    steps = [
        {"number": 1, "name": "a", "status": status, "exit_code": code},
        {"number": 2, "name": "b", "status": "skipped", "exit_code": 0},
    ]
    first, second = parse_steps({"stages": [{"number": 1, "name": "x", "steps": steps}]})
    assert (first.state, first.exit_code) == (state, code)
    assert (second.state, second.exit_code, second.log_id) == (State.SKIPPED, None, "")


@pytest.mark.nasty("drone-14")
def test_a_repository_in_a_subgroup_is_listed_and_not_asked_for(adapter, server, sandbox):
    server.pipeline("acme/team/app")
    found = {pipeline.external_id: pipeline for pipeline in adapter.list_pipelines()}
    nested = found["acme/team/app"]
    assert (nested.runnable, "not reachable" in nested.name) == (False, True)
    before = len(sandbox.requests("drone"))
    for call in (
        lambda: adapter.get_pipeline("acme/team/app"),
        lambda: adapter.list_builds("acme/team/app"),
        lambda: adapter.start(ask(pipeline="acme/team/app")),
        lambda: adapter.activate("acme/team/app", None),
    ):
        with pytest.raises(NotFound, match="subgroup"):
            call()
    assert len(sandbox.requests("drone")) == before


@pytest.mark.nasty("drone-15")
def test_more_than_a_page_is_never_asked_for_at_once(adapter, server):
    for _ in range(260):
        server.finish(APP, pushed(server).number)
    assert len(adapter.list_builds(APP, limit=250)) == 250


@pytest.mark.nasty("drone-16")
def test_a_renamed_repository_keeps_its_stable_id(adapter, server):
    server.pipeline("acme/old", details={"uid": "77"})
    before = adapter.get_pipeline("acme/old")
    del server.instance.pipelines["acme/old"]
    server.pipeline("acme/new", details={"uid": "77"})
    after = adapter.get_pipeline("acme/new")
    assert (before.stable_id, before.external_id) == ("77", "acme/old")
    assert (after.stable_id, after.external_id) == ("77", "acme/new")
    with pytest.raises(NotFound):
        adapter.get_pipeline("acme/old")


@pytest.mark.nasty("drone-17")
def test_a_cancellation_that_met_another_change_is_asked_once_more(adapter, server, sandbox):
    sandbox.speed = 0.01
    build = started(adapter)
    server.fault("fail", "cancel", times=1, status=409)
    adapter.cancel(APP, build.external_id)
    assert adapter.get_build(APP, build.external_id).raw_state == "killed"
    assert len(sandbox.requests("drone", "cancel")) == 2
    other = started(adapter, "id-2")
    server.fault("fail", "cancel", times=5, status=409)
    with pytest.raises(Rejected):
        adapter.cancel(APP, other.external_id)
    assert len(sandbox.requests("drone", "cancel")) == 4


@pytest.mark.nasty("drone-18")
def test_an_owner_whose_login_lapsed_stops_starts_and_not_reads(adapter, server):
    pushed(server)
    server.instance.pipelines[APP].details["owner_lapsed"] = True
    assert len(adapter.list_builds(APP)) == 1
    with pytest.raises(NotFound, match="source host"):
        started(adapter)


@pytest.mark.nasty("drone-19")
def test_a_runner_whose_clock_is_behind_starts_nothing_before_it_was_asked():
    times = {"created": 1000, "started": 990, "finished": 995}
    build = parse_build({"number": 1, "status": "success", **times}, APP, BASE)
    assert build.queued_at == build.started_at == build.finished_at
    steps = [{"number": 1, "name": "a", "status": "success", "started": 990, "stopped": 985}]
    (step,) = parse_steps({"created": 1000, "stages": [{"number": 1, "steps": steps}]})
    assert step.seconds == 0


@pytest.mark.nasty("drone-20")
def test_an_update_without_a_change_is_the_same_build():
    row = {"number": 1, "status": "running", "created": 1000, "updated": 1001, "version": 1}
    later = {**row, "updated": 2000, "version": 9}
    assert parse_build(row, APP, BASE) == parse_build(later, APP, BASE)


@pytest.mark.nasty("drone-21")
def test_numbers_are_each_repositorys_own(adapter, server):
    server.pipeline("acme/other")
    pushed(server)
    pushed(server, "acme/other")
    pushed(server)
    numbers = {
        name: [b.external_id for b in adapter.list_builds(name)] for name in (APP, "acme/other")
    }
    assert numbers == {APP: ["2", "1"], "acme/other": ["1"]}
    assert {(b.pipeline, b.external_id) for b in adapter.feed()} == {
        (APP, "1"),
        (APP, "2"),
        ("acme/other", "1"),
    }


@pytest.mark.nasty("drone-22")
def test_a_tags_build_is_not_the_default_branchs(adapter, server):
    """Its target is the default branch; a tag called main must not pass for it either."""
    pushed(server, branch="main", details={"event": "tag", "ref": "refs/tags/main"})
    assert adapter.get_build(APP, "1").branch == "refs/tags/main"
    assert adapter.list_builds(APP, branch="main") == []


@pytest.mark.nasty("drone-23")
def test_thousands_of_repositories_come_in_one_large_answer(adapter, server, sandbox):
    for number in range(2_500):
        server.pipeline(f"acme/service-{number:04}")
    assert len(adapter.list_pipelines()) == 2_501
    assert len(sandbox.requests("drone")) == 1


@pytest.mark.nasty("drone-24")
@pytest.mark.parametrize(
    "stream",
    [
        reply(504, "<html>timeout</html>", Content_Type="text/html"),
        reply(200, "<html>sign in</html>", Content_Type="text/html"),
        reply(404, "{}"),
        reply(200, b"data: {broken\n\ndata: eof\n\n: ping\n", Content_Type="text/event-stream"),
    ],
    ids=["5xx", "html", "404", "broken"],
)
def test_a_stream_that_a_proxy_spoils_leaves_the_log_for_later(stream):
    steps = [{"number": 1, "name": "a", "status": "running"}]
    build = {"number": 1, "status": "running", "stages": [{"number": 1, "steps": steps}]}

    def behave(handler):
        if handler.path.startswith("/api/stream/"):
            stream(handler)
        elif "/logs/" in handler.path:
            json_reply('{"message":"sql: no rows in result set"}', 404)(handler)
        else:
            json_reply(json.dumps(build))(handler)

    with serve(behave) as httpd:
        chunk = make_adapter("drone", httpd.url, "token").log(APP, "1", "1/1", 3)
    assert (chunk.text, chunk.next_offset, chunk.done, chunk.restarted) == ("", 3, False, False)
