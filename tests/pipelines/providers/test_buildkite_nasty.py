"""Buildkite's nasty cases as its README numbers them; 12 stands in test_buildkite_limits.py."""

import json
import uuid
from dataclasses import asdict

import pytest

from pipelines.providers.base import Cause, StartRequest, State
from pipelines.providers.buildkite import Buildkite
from pipelines.providers.buildkite.parse import parse_build, parse_job, parse_pipeline
from pipelines.providers.errors import Forbidden, InvalidResponse, NotAuthorized, NotFound, Rejected
from pipelines.providers.logs import TAIL_BYTES
from pipelines.sandbox.objects import Ask
from tests.httpd import json_reply, reply, serve
from tests.pipelines.providers.conftest import ended, make_adapter, until

PIPELINE = "acme/checkout"


@pytest.fixture
def handle(sandbox):
    sandbox.buildkite.pipeline(PIPELINE)
    return sandbox.buildkite


@pytest.fixture
def adapter(handle) -> Buildkite:
    return make_adapter("buildkite", handle.base_url, handle.credential)


def ask(**fields) -> StartRequest:
    return StartRequest(**{"pipeline": PIPELINE, "request_id": "r", "branch": "main", **fields})


def at(url: str, **options) -> Buildkite:
    return make_adapter("buildkite", url, "token", **options)


def parsed(**fields):
    return parse_build({"number": 7, **fields}, PIPELINE)


# --- Builds --------------------------------------------------------------------------------------
@pytest.mark.nasty("buildkite-1")
@pytest.mark.parametrize(
    ("state", "blocked_state", "reason"),
    [
        ("passed", "passed", "Waits at a block step."),
        ("failed", "failed", "Waits at a block step, and a job before it has failed."),
        ("running", "", "Waits at a block step."),
    ],
)
def test_what_is_blocked_waits_whatever_its_state_says(state, blocked_state, reason):
    build = parsed(state=state, blocked=True, blocked_state=blocked_state)
    assert (build.state, build.raw_state, build.reason) == (State.WAITING, "blocked", reason)


@pytest.mark.nasty("buildkite-2")
@pytest.mark.parametrize("author", [None, {}, "", "Ana", {"name": "Ana"}, {"name": 7}, 7, ["Ana"]])
def test_an_author_of_any_shape_is_a_name_or_nobody(author):
    build = parsed(author=author, creator=None)
    assert build.who == ("Ana" if author in ("Ana", {"name": "Ana"}) else "")


@pytest.mark.nasty("buildkite-3")
def test_a_push_of_somebody_unknown_has_no_account(handle, adapter):
    with handle._sandbox.world.lock:
        handle.instance.start(handle.instance.pipelines[PIPELINE], Ask(source="scm"))
    (build,) = adapter.list_builds(PIPELINE)
    assert (build.who, build.who_id, build.cause) == ("", "", Cause.PUSH)


@pytest.mark.nasty("buildkite-4")
def test_the_commit_is_unknown_until_an_agent_has_begun(handle, adapter):
    handle._sandbox.speed = 1
    assert adapter.start(ask()).build.commit == ""
    handle._sandbox.advance(5)
    assert len(adapter.get_build(PIPELINE, "1").commit) == 40


@pytest.mark.nasty("buildkite-5")
def test_a_renamed_pipeline_keeps_its_id_and_the_old_slug_is_not_found(handle, adapter):
    before = adapter.get_pipeline(PIPELINE)
    build = adapter.start(ask()).build
    with handle._sandbox.world.lock:
        handle.instance.rename(PIPELINE, "acme/till")
    (after,) = adapter.list_pipelines()
    assert (after.external_id, after.stable_id) == ("acme/till", before.stable_id)
    assert uuid.UUID(after.stable_id)
    with pytest.raises(NotFound):
        adapter.get_build(PIPELINE, build.external_id)
    assert adapter.get_build("acme/till", build.external_id).number == build.number


@pytest.mark.nasty("buildkite-6")
def test_an_organization_in_the_wrong_case_is_not_found(handle, adapter):
    with pytest.raises(NotFound):
        adapter.get_pipeline("Acme/checkout")
    named = make_adapter(
        "buildkite", handle.base_url, handle.credential, organizations=["acme", "Acme"]
    )
    with pytest.raises(NotFound):
        named.list_pipelines()  # and not a part of them
    with pytest.raises(NotFound):
        named.feed()


@pytest.mark.nasty("buildkite-11")
def test_a_token_that_an_organization_removed_is_an_error_and_not_an_empty_list(handle):
    credential = handle.add_token("removed", login="other", only=["elsewhere"])
    for options in ({}, {"organizations": ["acme"]}):
        gone = make_adapter("buildkite", handle.base_url, credential, **options)
        with pytest.raises((Forbidden, NotFound)):
            gone.list_pipelines()
        with pytest.raises(NotFound):
            gone.list_builds(PIPELINE)


@pytest.mark.nasty("buildkite-13")
def test_an_archived_pipeline_is_listed_and_can_not_run(handle, adapter):
    handle.pipeline("acme/old", archived=True)
    listed = {found.external_id: found.runnable for found in adapter.list_pipelines()}
    assert listed == {PIPELINE: True, "acme/old": False}
    with pytest.raises(Rejected):
        adapter.start(ask(pipeline="acme/old"))


@pytest.mark.nasty("buildkite-15")
def test_a_build_that_ended_runs_again_when_a_job_is_retried(handle, adapter):
    handle.pipeline(PIPELINE, steps=[{"name": "Test", "outcomes": ["failed", "passed"]}])
    build = ended(adapter, adapter.start(ask()).build)
    assert build.state is State.FAILED
    handle._sandbox.speed = 1
    job = adapter.steps(PIPELINE, "1")[0].id
    path = "/organizations/acme/pipelines/checkout/builds/1/jobs"
    adapter._wire.write("PUT", f"{path}/{job}/retry", json={})
    again = adapter.get_build(PIPELINE, "1")
    assert (again.state, again.finished_at) == (State.RUNNING, None)
    until(lambda: adapter.get_build(PIPELINE, "1").state is State.PASSED)


@pytest.mark.nasty("buildkite-17")
def test_numbers_may_have_gaps(handle, adapter):
    adapter.start(ask(request_id="one"))
    handle.instance.pipelines[PIPELINE].next_number = 5_000
    adapter.start(ask(request_id="two"))
    assert [build.number for build in adapter.list_builds(PIPELINE)] == [5_000, 1]
    assert [build.external_id for build in adapter.feed()] == ["5000", "1"]
    assert adapter.find_by_request_id(PIPELINE, "two").build.number == 5_000
    with pytest.raises(NotFound):
        adapter.get_build(PIPELINE, "2")


@pytest.mark.nasty("buildkite-18")
def test_a_public_pipeline_answers_anybody_and_the_check_does_not_believe_it(handle):
    handle.pipeline("acme/open", details={"visibility": "public"}, history=1)
    wrong = make_adapter("buildkite", handle.base_url, "a-wrong-token")
    assert len(wrong.list_builds("acme/open")) == 1
    for call in (wrong.check, wrong.list_pipelines, lambda: wrong.list_builds(PIPELINE)):
        with pytest.raises(NotAuthorized):
            call()


@pytest.mark.nasty("buildkite-20")
def test_the_variables_of_a_build_are_not_kept(handle, adapter):
    adapter.start(ask(parameters={"TOKEN": "hunter2"}))
    for build in (adapter.get_build(PIPELINE, "1"), *adapter.list_builds(PIPELINE)):
        assert "hunter2" not in json.dumps(asdict(build), default=str)
    with serve(json_reply('{"number": "x", "env": {"TOKEN": "hunter2"}}')) as httpd:
        with pytest.raises(InvalidResponse) as caught:
            at(httpd.url).get_build(PIPELINE, "1")
        assert "hunter2" not in f"{caught.value!s}{caught.value!r}{caught.value.__cause__}"


# --- Jobs and names ------------------------------------------------------------------------------
@pytest.mark.nasty("buildkite-7")
@pytest.mark.parametrize("waiter", [{"id": "w", "type": "waiter"}, {"type": "waiter"}, {}])
def test_a_waiter_is_no_step(waiter):
    assert parse_job(waiter) is None


@pytest.mark.nasty("buildkite-8")
def test_a_block_step_has_no_log_and_none_is_asked_for(handle, adapter):
    handle.pipeline(PIPELINE, steps=[{"name": "Go?", "gate": True}])
    adapter.start(ask())
    (gate,) = adapter.steps(PIPELINE, "1")
    assert gate.log_id == ""
    with pytest.raises(NotFound):
        adapter.log(PIPELINE, "1", gate.id)
    assert handle._sandbox.requests("buildkite", "log") == []


@pytest.mark.nasty("buildkite-14")
@pytest.mark.parametrize(
    ("job", "name"),
    [
        ({"name": ":docker: Bauen ✓"}, "Bauen ✓"),
        ({"name": "Größe 大"}, "Größe 大"),
        ({"name": ":rocket:", "command": "make ship\nmake tea"}, "make ship"),
        ({"name": None, "label": None, "step_key": "lint"}, "lint"),
        ({"name": None, "command": None}, "script"),
    ],
)
def test_a_step_has_a_name_that_people_can_read(job, name):
    assert parse_job({"id": "j", "type": "script", **job}).name == name


@pytest.mark.nasty("buildkite-14")
def test_a_pipeline_of_nothing_but_emoji_is_called_by_its_slug():
    assert parse_pipeline({"slug": "shop", "name": ":rocket: :tada:"}, "acme").name == "shop"


@pytest.mark.nasty("buildkite-16")
@pytest.mark.parametrize(
    ("state", "ours"), [("running", State.RUNNING), ("failed", State.FAILED), ("x", State.UNKNOWN)]
)
def test_a_trigger_step_is_a_step_without_a_log(state, ours):
    child = {"id": "b", "number": 3, "url": "https://api.buildkite.com/v2/…"}
    job = {"id": "j", "type": "trigger", "name": "Deploy", "state": state, "triggered_build": child}
    step = parse_job(job)
    assert (step.name, step.state, step.log_id) == ("Deploy", ours, "")
    assert parse_job({**job, "triggered_build": None}).state is ours


# --- Logs ----------------------------------------------------------------------------------------
def log_of(answer, offset: int = 0):
    def behave(handler):
        job = {"id": "j", "type": "script", "state": "passed"}
        jobs = json_reply(json.dumps({"items": [job], "links": {}}))
        (answer if handler.path.endswith("/log") else jobs)(handler)

    with serve(behave) as httpd:
        return at(httpd.url).log(PIPELINE, "1", "j", offset)


@pytest.mark.nasty("buildkite-9")
def test_of_a_log_of_a_gigabyte_the_end_is_read():
    size = 1_073_741_824
    tail = ("x" * 99 + "\n") * (TAIL_BYTES // 100)
    told = f"bytes {size - TAIL_BYTES}-{size - 1}/{size}"
    chunk = log_of(reply(206, tail, Content_Type="text/plain", Content_Range=told))
    assert (chunk.next_offset, chunk.truncated, chunk.done) == (size, True, True)
    assert len(chunk.text) <= TAIL_BYTES
    rest = log_of(reply(206, tail, Content_Type="text/plain", Content_Range=told), size)
    assert (rest.text, rest.restarted) == ("", False)


@pytest.mark.nasty("buildkite-10")
def test_no_timestamp_is_left_in_the_text(handle, adapter):
    ended(adapter, adapter.start(ask()).build)
    chunk = adapter.log(PIPELINE, "1", adapter.steps(PIPELINE, "1")[0].log_id)
    assert "42 passed" in chunk.text or "Compiling" in chunk.text
    assert "bk;t=" not in chunk.text
    assert "\x1b_" not in chunk.text
