"""Travis CI's requests and builds: what one becomes, what is told of it, how it runs again."""

import json

import pytest

from pipelines.providers.base import Cause, StartRequest, State
from pipelines.providers.errors import NotFound, Rejected
from pipelines.providers.travis import Travis
from pipelines.providers.travis.parse import request_id_of, without_id
from pipelines.sandbox.objects import Person
from tests.httpd import json_reply, serve
from tests.pipelines.providers.conftest import build_of, ended, make_adapter, until

PIPELINE = "acme/checkout"
REPO = {"@type": "repository", "id": 7, "slug": PIPELINE, "active": True}


@pytest.fixture
def travis(sandbox):
    sandbox.instances["travis"].pipeline(PIPELINE, branches=("main", "dev"))
    return sandbox.instances["travis"]


@pytest.fixture
def adapter(travis) -> Travis:
    return make_adapter("travis", travis.base_url, travis.credential)


def ask(request_id: str = "r-1", **fields) -> StartRequest:
    return StartRequest(
        **{"pipeline": PIPELINE, "request_id": request_id, "branch": "main", **fields}
    )


def at(url: str, **options) -> Travis:
    return make_adapter("travis", url, "token", **options)


def built(adapter, **fields):
    """A build that was asked for, at its end."""
    return ended(adapter, build_of(adapter, PIPELINE, adapter.start(ask(**fields))))


# --- From request to build -----------------------------------------------------------------------
def test_a_request_stands_for_its_build_until_there_is_one(sandbox, travis, adapter):
    sandbox.speed = 0.5
    ref = adapter.start(ask(labels={"person": "Ana"})).queue_ref
    waiting = adapter.get_build(PIPELINE, ref)
    assert (waiting.external_id, waiting.state, waiting.request_id) == (ref, State.QUEUED, "r-1")
    assert adapter.resolve(PIPELINE, ref).queue_ref == ref
    assert adapter.find_by_request_id(PIPELINE, "r-1").queue_ref == ref
    with pytest.raises(Rejected, match="before it has become a build"):
        adapter.cancel(PIPELINE, ref)
    sandbox.advance(10)
    build = adapter.resolve(PIPELINE, ref).build
    assert adapter.get_build(PIPELINE, ref).external_id == build.external_id
    assert build.number == 1


def test_a_rejected_request_is_a_failed_build_with_its_reason(travis, adapter):
    travis.pipeline(PIPELINE, branch_filter="release/*")
    ref = adapter.start(ask()).queue_ref
    build = adapter.resolve(PIPELINE, ref).build
    assert (build.external_id, build.state, build.raw_state) == (ref, State.FAILED, "rejected")
    assert build.request_id == "r-1"
    assert "branch not included or excluded" in build.reason
    assert adapter.find_by_request_id(PIPELINE, "r-1").build == build
    assert travis.builds(PIPELINE) == []


@pytest.mark.parametrize("ref", ["", "request:", "request:x", "nonce:r-1", "request:\u0661", "x"])
def test_what_is_no_reference_is_not_found(travis, adapter, ref):
    with pytest.raises(NotFound):
        adapter.resolve(PIPELINE, ref)


def test_an_old_request_is_looked_for_page_after_page(travis, adapter):
    first = adapter.start(ask("r-first"))
    build = ended(adapter, build_of(adapter, PIPELINE, first))
    since = adapter.get_build(PIPELINE, build.external_id).started_at
    travis.pipeline(PIPELINE, steps=[{"name": "Quick", "seconds": 0.01}], queue_seconds=0)
    for number in range(101):
        adapter._wire.write(
            "POST", "/repo/acme%2Fcheckout/requests", json={"request": {"message": str(number)}}
        )
    found = adapter.find_by_request_id(PIPELINE, "r-first", since=since)
    assert found == first


# --- Builds --------------------------------------------------------------------------------------
def test_causes_and_people_are_told(travis, adapter):
    pusher = Person("bo", "Bo Berg", "bo@ci.example")
    built(adapter)
    words = {"push": Cause.PUSH, "cron": Cause.SCHEDULE, "api": Cause.API, "odd": Cause.NONE}
    for number, word in enumerate(words, start=2):
        built(adapter, request_id=f"r-{number}")
        seen = travis.build(PIPELINE, number)
        seen.who, seen.details["event"] = pusher, word
    builds = {build.number: build for build in adapter.list_builds(PIPELINE)}
    assert [builds[number].cause for number in range(2, 6)] == list(words.values())
    assert {builds[number].who for number in range(2, 6)} == {"Bo Berg"}
    assert len({builds[number].who_id for number in range(1, 6)}) == 2
    assert builds[2].request_id == ""  # a message alone is no proof: it came by a push
    travis.build(PIPELINE, 2).details["tag"] = "v1"
    tagged = adapter.list_builds(PIPELINE)[3]
    assert (tagged.cause, tagged.branch) == (Cause.TAG, "refs/tags/v1")


def test_an_organization_is_no_person_whatever_its_number(adapter):
    rows = [
        {"id": n, "created_by": {"@type": kind, "id": 7, "login": "acme"}}
        for n, kind in enumerate(("user", "organization"))
    ]
    with serve(json_reply(json.dumps({"builds": rows}))) as httpd:
        builds = at(httpd.url).list_builds(PIPELINE)
    assert [(build.who, build.who_id) for build in builds] == [("acme", "7"), ("acme", "")]


def test_a_cancel_is_asked_for_and_one_that_came_too_late_is_refused():
    row = {"id": 1, "number": "1", "state": "started", "repository": REPO}
    late = '{"@type": "error", "error_type": "build_not_cancelable"}'
    for status, body in ((202, '{"@type": "pending"}'), (409, late)):

        def behave(handler, status=status, body=body):
            asked = handler.command == "GET"
            json_reply(json.dumps(row) if asked else body, 200 if asked else status)(handler)

        with serve(behave) as httpd:
            if status == 202:
                at(httpd.url).cancel(PIPELINE, "1")
            else:
                with pytest.raises(Rejected, match="ended already"):
                    at(httpd.url).cancel(PIPELINE, "1")
        assert [(a.method, a.path.partition("?")[0]) for a in httpd.asked] == [
            ("GET", "/build/1"),
            ("POST", "/build/1/cancel"),
        ]


def test_an_id_that_begins_like_another_is_not_that_one(travis, adapter):
    built(adapter, request_id="r-10")
    assert adapter.find_by_request_id(PIPELINE, "r-1") is None
    assert adapter.find_by_request_id(PIPELINE, "r-10")


def test_a_request_that_never_became_a_build_can_not_run_again(travis, adapter):
    travis.pipeline(PIPELINE, branch_filter="release/*")
    ref = adapter.start(ask()).queue_ref
    with pytest.raises(Rejected, match="start one"):
        adapter.retry(ask("r-2"), ref)


def test_a_message_of_spaces_is_read_in_no_time():
    assert request_id_of(" " * 1_000_000 + "x") == ""
    assert request_id_of("Started  [stagedoor a] [stagedoor b] ") == "b"
    assert without_id("Started [stagedoor a] [stagedoor b] now") == "Started  now"


def test_a_build_of_another_repository_is_not_found(travis, adapter):
    travis.pipeline("acme/other")
    build = built(adapter)
    for call in (
        lambda: adapter.get_build("acme/other", build.external_id),
        lambda: adapter.cancel("acme/other", build.external_id),
        lambda: adapter.steps("acme/other", build.external_id),
        lambda: adapter.retry(ask(pipeline="acme/other"), build.external_id),
    ):
        with pytest.raises(NotFound):
            call()
    job = adapter.steps(PIPELINE, build.external_id)[0].log_id
    with pytest.raises(NotFound):
        adapter.log("acme/other", build.external_id, job)


def test_errored_is_a_failure_with_a_reason(travis, adapter):
    travis.pipeline(PIPELINE, steps=[{"name": "Broken", "outcome": "unstable"}])
    build = built(adapter)
    assert (build.state, build.raw_state) == (State.FAILED, "errored")
    assert "set-up" in build.reason


def test_an_allowed_failure_does_not_count_and_keeps_its_word(travis, adapter):
    travis.pipeline(
        PIPELINE,
        steps=[
            {"name": "Unit", "group": "Tests"},
            {"name": "Nightly", "group": "Tests", "outcome": "soft_failed"},
            "Deploy",
        ],
    )
    build = built(adapter)
    assert build.state is State.PASSED
    steps = adapter.steps(PIPELINE, build.external_id)
    assert [(s.name, s.raw_state) for s in steps] == [
        ("Unit", "passed"),
        ("Nightly", "allowed failure"),
        ("Deploy", "passed"),
    ]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        *[(word, State.QUEUED) for word in ("created", "queued", "received", "booting")],
        ("started", State.RUNNING),
        ("passed", State.PASSED),
        ("failed", State.FAILED),
        ("errored", State.FAILED),
        ("canceled", State.CANCELLED),
        *[(word, State.UNKNOWN) for word in ("finished", "cancelled", "PASSED", "", None, 1)],
    ],
)
def test_states_of_builds(word, state):
    row = {"id": 1, "number": "1", "state": word, "repository": REPO}
    with serve(json_reply(json.dumps(row))) as httpd:
        assert at(httpd.url).get_build(PIPELINE, "1").state is state


@pytest.mark.parametrize("value", [None, 1, "x", [], [[]], {}, {"@href": "/x"}, True, 1e400])
def test_fields_of_any_shape_break_nothing(value):
    names = ("number", "state", "branch", "commit", "created_by", "tag", "started_at", "event_type")
    row = {"id": 1, **dict.fromkeys(names, value)}
    with serve(json_reply(json.dumps({"builds": [row]}))) as httpd:
        build = at(httpd.url).list_builds(PIPELINE)[0]
    assert (build.external_id, build.state) == ("1", State.UNKNOWN)


# --- Again ---------------------------------------------------------------------------------------
def test_a_retry_keeps_commit_and_variables_and_gets_a_new_person(travis, adapter):
    first = built(adapter, labels={"person": "Ana"}, parameters={"A": "1 2", "B": "it's"})
    again = ask("r-2", labels={"person": "Bo"}, message="Retried by Bo")
    build = build_of(adapter, PIPELINE, adapter.retry(again, first.external_id))
    seen = travis.build(PIPELINE, 2)
    assert (build.commit, build.request_id) == (first.commit, "r-2")
    assert {name: seen.env[name] for name in ("A", "B", "STAGEDOOR_PERSON")} == {
        "A": "1 2",
        "B": "it's",
        "STAGEDOOR_PERSON": "Bo",
    }


def test_a_pushed_build_runs_again_without_variables(travis, adapter):
    first = built(adapter)
    travis.build(PIPELINE, 1).details |= {"event": "push"}
    build_of(adapter, PIPELINE, adapter.retry(ask("r-2"), first.external_id))
    assert travis.build(PIPELINE, 2).env == {"STAGEDOOR_REQUEST_ID": "r-2"}


@pytest.mark.parametrize(
    "details",
    [
        {"event": "pull_request", "pull_request": {"number": 4}},
        {"event": "push", "tag": "v1"},
        {"branch_deleted": True},
        {"config": {"env": {"global": ["A=1"]}}},
        {"config": None},
    ],
    ids=str,
)
def test_what_can_not_run_again_the_same_is_refused(travis, adapter, details):
    first = built(adapter, parameters={"A": "1"})
    travis.build(PIPELINE, 1).details |= details
    with pytest.raises(Rejected, match="Restart it in Travis CI"):
        adapter.retry(ask("r-2"), first.external_id)
    assert len(travis.builds(PIPELINE)) == 1


def test_a_build_that_another_client_asked_for_is_not_run_again(travis, adapter):
    adapter._wire.write(
        "POST", "/repo/acme%2Fcheckout/requests", json={"request": {"message": "Nightly"}}
    )
    build = until(lambda: adapter.list_builds(PIPELINE))[0]
    with pytest.raises(Rejected, match="Another client"):
        adapter.retry(ask(), build.external_id)
