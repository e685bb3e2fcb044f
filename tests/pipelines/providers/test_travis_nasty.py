"""The nasty cases of Travis CI that have no better place; their numbers are those of the README."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.providers.base import Cause, Receipt, State
from pipelines.providers.errors import (
    Forbidden,
    InvalidResponse,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
)
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import build_of, ended, make_adapter
from tests.pipelines.providers.test_travis import PIPELINE, ask, at

PAGE = {"limit": 100, "offset": 0, "is_last": True, "next": None}


@pytest.fixture
def travis(sandbox):
    sandbox.instances["travis"].pipeline(PIPELINE, branches=("main", "dev"))
    return sandbox.instances["travis"]


@pytest.fixture
def adapter(travis):
    return make_adapter("travis", travis.base_url, travis.credential)


def built(adapter, **fields):
    return ended(adapter, build_of(adapter, PIPELINE, adapter.start(ask(**fields))))


def text(body: str, status: int):
    return reply(status, body, Content_Type="text/plain")


# --- Names ---------------------------------------------------------------------------------------
@pytest.mark.nasty("travis-1")
def test_a_slug_goes_out_as_one_encoded_part_and_a_page_in_its_place_is_not_found(travis, adapter):
    assert adapter.get_pipeline(PIPELINE.upper()).external_id == PIPELINE
    for page in (reply(404, "<h1>404</h1>", Content_Type="text/html"), text("", 404)):
        with serve(page) as httpd, pytest.raises(NotFound):
            at(httpd.url).list_builds("acme/with space")
        assert httpd.asked[0].path.startswith("/repo/acme%2Fwith%20space/builds?")
    for name in ("123", "acme/", "/acme"):  # would be an id, or somebody else
        with pytest.raises(NotFound):
            adapter.get_pipeline(name)


@pytest.mark.nasty("travis-2")
def test_a_build_whose_branch_was_deleted_has_none(travis, adapter):
    build = built(adapter)
    travis.build(PIPELINE, 1).details["branch_deleted"] = True
    assert adapter.get_build(PIPELINE, build.external_id).branch == ""
    assert [b.branch for b in adapter.list_builds(PIPELINE)] == [""]
    assert adapter.list_builds(PIPELINE, branch="main") == []


@pytest.mark.nasty("travis-11")
def test_a_repository_that_is_off_moved_or_renamed_is_said(sandbox, travis, adapter):
    number = adapter.get_pipeline(PIPELINE).stable_id
    travis.pipeline(PIPELINE, active=False)
    with pytest.raises(Rejected, match="activate it first"):
        adapter.start(ask())
    travis.pipeline(PIPELINE, archived=True)
    with pytest.raises(Rejected, match="has moved"):
        adapter.start(ask())
    row = {"id": int(number), "slug": "acme/till", "active": True}
    page = {"@pagination": PAGE, "repositories": [row]}
    with serve(json_reply(json.dumps(page))) as httpd:
        assert at(httpd.url).list_pipelines()[0].stable_id == number


# --- Refusals ------------------------------------------------------------------------------------
@pytest.mark.nasty("travis-3")
def test_a_plain_refusal_is_the_token_and_one_with_a_type_is_a_right():
    cases = [
        (text("access denied", 403), NotAuthorized),
        (text(" Access Denied\n", 403), NotAuthorized),
        (text("something else", 403), Forbidden),
        (json_reply('{"@type": "error", "error_type": "insufficient_access"}', 403), Forbidden),
    ]
    for answer, error in cases:
        with serve(answer) as httpd, pytest.raises(error):
            at(httpd.url).get_pipeline(PIPELINE)


@pytest.mark.nasty("travis-3")
def test_a_token_that_has_run_out_is_not_accepted(sandbox, travis):
    token = travis.add_token("short", expires_in_days=90)
    adapter = make_adapter("travis", travis.base_url, token)
    assert adapter.check().who == "stagedoor"
    sandbox.advance(91 * 86_400)
    with pytest.raises(NotAuthorized, match="expired"):
        adapter.check()


@pytest.mark.nasty("travis-4")
def test_a_limit_without_a_time_waits_for_the_window(sandbox):
    handle = sandbox.add("travis", "travis-busy", limit=2)
    adapter = make_adapter("travis", handle.base_url, handle.credential)
    assert adapter.list_pipelines() == adapter.list_pipelines() == []
    with pytest.raises(RateLimited) as caught:
        adapter.list_pipelines()
    assert caught.value.retry_after == 60


@pytest.mark.nasty("travis-20")
def test_a_bot_that_is_shut_out_asks_again_later_and_wrote_nothing(sandbox):
    handle = sandbox.add("travis", "travis-ban", post_limit=3)
    handle.pipeline(PIPELINE)
    adapter = make_adapter("travis", handle.base_url, handle.credential)
    for number in range(3):
        adapter.start(ask(f"r-{number}"))
    with pytest.raises(RateLimited, match="an hour") as caught:
        adapter.start(ask("r-3"))
    assert caught.value.retry_after == 120
    with pytest.raises(RateLimited, match="an hour"):  # reading too
        adapter.check()
    assert len(sandbox.accepted("travis-ban")) == 3


# --- Requests ------------------------------------------------------------------------------------
@pytest.mark.nasty("travis-5")
def test_an_answer_without_an_id_is_followed_by_what_was_sent(sandbox):
    handle = sandbox.add("travis", "travis-old", old_enterprise=True)
    handle.pipeline(PIPELINE)
    adapter = make_adapter("travis", handle.base_url, handle.credential)
    receipt = adapter.start(ask("r-5"))
    assert receipt.queue_ref.startswith("nonce:r-5:")
    build = build_of(adapter, PIPELINE, receipt)
    assert (build.number, build.request_id) == (1, "r-5")
    assert adapter.find_by_request_id(PIPELINE, "r-5").queue_ref.startswith("request:")


@pytest.mark.nasty("travis-5")
def test_what_was_sent_without_an_id_and_is_nowhere_is_given_up_in_time():
    def behave(handler):
        key = "requests" if "/requests" in handler.path else "builds"
        json_reply(json.dumps({"@pagination": PAGE, key: [], "id": 1}))(handler)

    now = datetime.now(UTC)
    with serve(behave) as httpd:
        fresh = f"nonce:r-5:{int(now.timestamp())}"
        assert at(httpd.url).resolve(PIPELINE, fresh) == Receipt(queue_ref=fresh)
        with pytest.raises(NotFound):
            at(httpd.url).resolve(PIPELINE, f"nonce:r-5:{int(now.timestamp()) - 3600}")


@pytest.mark.nasty("travis-5")
def test_a_lost_answer_that_was_only_an_error_is_unknown():
    for body in ("{}", "[]", '{"@type": "error"}', '{"request": {"id": 3}}'):
        with serve(json_reply(body, 202)) as httpd, pytest.raises(OutcomeUnknown):
            at(httpd.url).start(ask())


@pytest.mark.nasty("travis-6")
def test_a_request_that_waits_for_ever_becomes_unknown_with_a_reason(sandbox):
    handle = sandbox.add("travis", "travis-broke", no_credits=True)
    handle.pipeline(PIPELINE)
    adapter = make_adapter("travis", handle.base_url, handle.credential)
    ref = adapter.start(ask()).queue_ref
    assert adapter.resolve(PIPELINE, ref).queue_ref == ref
    sandbox.advance(660)
    build = adapter.resolve(PIPELINE, ref).build
    assert (build.state, build.external_id, build.request_id) == (State.UNKNOWN, ref, "r-1")
    assert "credits" in build.reason


@pytest.mark.nasty("travis-7")
def test_an_approved_request_without_a_build_is_followed_further(sandbox, travis, adapter):
    sandbox.speed = 0.1
    ref = adapter.start(ask()).queue_ref
    sandbox.advance(6)
    assert adapter.get_build(PIPELINE, ref).raw_state == "approved"
    assert adapter.resolve(PIPELINE, ref) == Receipt(queue_ref=ref)
    sandbox.advance(6)
    assert adapter.resolve(PIPELINE, ref).build.number == 1


@pytest.mark.nasty("travis-7")
@pytest.mark.parametrize("result", [None, "approved", "odd"])
def test_a_build_is_believed_before_the_result(result):
    moment = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = {"id": 9, "state": "pending", "result": result, "created_at": moment}
    build = {"id": 4, "number": "2", "state": "started", "repository": {"slug": PIPELINE}}

    def behave(handler):
        row = build if handler.path.startswith("/build/4") else {**asked, "builds": [{"id": 4}]}
        json_reply(json.dumps(row))(handler)

    with serve(behave) as httpd:
        found = at(httpd.url).resolve(PIPELINE, "request:9").build
    assert (found.external_id, found.state) == ("4", State.RUNNING)


# --- Builds --------------------------------------------------------------------------------------
@pytest.mark.nasty("travis-9")
def test_numbers_are_numbers_and_the_newest_comes_first(travis, adapter):
    travis.pipeline(PIPELINE, history=11)
    assert [build.number for build in adapter.list_builds(PIPELINE, limit=11)] == [
        *range(11, 0, -1)
    ]
    with serve(json_reply('{"builds": []}')) as httpd:
        at(httpd.url).list_builds(PIPELINE)
    assert "sort_by=id%3Adesc" in httpd.asked[0].path


@pytest.mark.nasty("travis-10")
def test_a_build_lasted_from_its_begin_to_its_end_whatever_its_jobs_took(travis, adapter):
    group = [{"name": name, "seconds": 40, "group": "all"} for name in ("a", "b", "c")]
    travis.pipeline(PIPELINE, steps=group)
    build = built(adapter)
    row = adapter._wire.ask(f"/build/{build.external_id}").data
    assert row["duration"] >= 2
    assert (build.finished_at - build.started_at).total_seconds() < row["duration"]


@pytest.mark.nasty("travis-12")
def test_an_object_that_stood_there_before_is_found_by_its_link(travis, adapter):
    for number in (1, 2):
        built(adapter, request_id=f"r-{number}")
    rows = adapter._wire.ask("/repo/acme%2Fcheckout/builds", {"include": "build.created_by"}).data[
        "builds"
    ]
    assert rows[1]["created_by"].keys() == rows[1]["branch"].keys() == {"@href"}
    first, second = adapter.list_builds(PIPELINE)
    assert (second.who, second.branch) == (first.who, first.branch) == ("Stagedoor", "main")


@pytest.mark.nasty("travis-12")
def test_a_link_to_nothing_is_nothing():
    row = {"id": 1, "branch": {"@href": "/gone"}, "created_by": {"@href": 3}}
    with serve(json_reply(json.dumps({"builds": [row]}))) as httpd:
        build = at(httpd.url).list_builds(PIPELINE)[0]
    assert (build.branch, build.who) == ("", "")


@pytest.mark.nasty("travis-15")
def test_an_enterprise_below_api_is_read_without_following_its_links(sandbox, travis):
    base = f"{travis.base_url}/api"
    adapter = make_adapter("travis", base, travis.credential)
    assert adapter._wire.ask("/user").data["@href"].startswith("/travis/api/user/")
    build = built(adapter)
    assert build.web_url.startswith(f"{travis.base_url}/github/{PIPELINE}/builds/")
    assert adapter.list_pipelines()[0].external_id == PIPELINE
    assert all("/api/api" not in entry.path for entry in sandbox.requests("travis"))


@pytest.mark.nasty("travis-16")
def test_a_list_that_nobody_counted_ends_with_an_empty_page(sandbox):
    def behave(handler):
        offset = int(handler.path.partition("offset=")[2].partition("&")[0])
        rows = [
            {"id": number, "slug": f"acme/p{number}", "active": True}
            for number in range(offset, min(offset + 100, 150))
        ]
        page = {"limit": 100, "offset": offset, "next": {"@href": "/repos?more"}}
        json_reply(json.dumps({"@pagination": page, "repositories": rows}))(handler)

    with serve(behave) as httpd:
        assert len(at(httpd.url).list_pipelines()) == 150
    assert len(httpd.asked) == 3


@pytest.mark.nasty("travis-16")
def test_a_list_that_never_ends_is_an_error_and_not_a_part():
    def behave(handler):
        offset = int(handler.path.partition("offset=")[2].partition("&")[0])
        row = {"id": offset, "slug": "acme/p", "active": True}
        page = {"limit": 100, "next": {"@href": "/more"}}
        json_reply(json.dumps({"@pagination": page, "repositories": [row]}))(handler)

    with serve(behave) as httpd, pytest.raises(InvalidResponse):
        at(httpd.url).list_pipelines()


@pytest.mark.nasty("travis-17")
def test_a_pull_request_is_no_build_of_the_branch_it_would_go_to(travis, adapter):
    build = built(adapter)
    travis.build(PIPELINE, 1).details |= {
        "event": "pull_request",
        "pull_request": {"number": 31, "title": "Drop the till"},
    }
    seen = adapter.get_build(PIPELINE, build.external_id)
    assert (seen.branch, seen.cause) == ("refs/pull/31/merge", Cause.PULL_REQUEST)
    assert (seen.message, seen.request_id) == ("Drop the till", "")
    assert adapter.list_builds(PIPELINE, branch="main") == []
    with pytest.raises(Rejected, match="pull request"):  # its code would see the secrets
        adapter.retry(ask("r-2"), build.external_id)


@pytest.mark.nasty("travis-18")
def test_a_build_without_jobs_failed_for_its_configuration(travis, adapter):
    build = built(adapter)
    travis.build(PIPELINE, 1).details["config_error"] = True
    seen = adapter.get_build(PIPELINE, build.external_id)
    assert (seen.state, seen.raw_state, seen.started_at) == (State.FAILED, "errored", None)
    assert "configuration" in seen.reason
    assert adapter.steps(PIPELINE, build.external_id) == []
