"""The same cases over every adapter, against real HTTP: what dispatch and pages rely on."""

import uuid
from dataclasses import replace

import pytest

from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability, StartRequest, State
from pipelines.providers.errors import (
    Forbidden,
    InvalidResponse,
    Misconfigured,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    Rejected,
    Unavailable,
)
from tests.pipelines.providers.conftest import (
    MOVING,
    build_of,
    ended,
    http_client,
    make_adapter,
    until,
)
from tests.pipelines.providers.traits import traits_of

LABELS = {
    "person": "Ana Lima",
    "team": "payments",
    "service": "component:default/checkout",
    "repository": "https://git.example/payments/checkout",
    "environment": "staging",
}


def ask(pipeline: str, **fields: object) -> StartRequest:
    values = {"branch": "main", "labels": LABELS, "request_id": str(uuid.uuid4()), **fields}
    return StartRequest(pipeline=pipeline, **values)


def started(installation, **fields):
    """A build that was asked for, and the request."""
    adapter, request = installation.adapter(), ask(installation.pipeline, **fields)
    return adapter, request, build_of(adapter, request.pipeline, adapter.start(request))


# --- The whole way -------------------------------------------------------------------------------
def test_a_listed_pipeline_can_be_read_by_its_id(installation):
    adapter = installation.adapter()
    listed = {pipeline.external_id: pipeline for pipeline in adapter.list_pipelines()}
    read = adapter.get_pipeline(installation.pipeline)
    if installation.can(Capability.DETAILS):
        read = replace(read, parameters=listed[installation.pipeline].parameters)
    assert listed[installation.pipeline] == read
    assert listed[installation.pipeline].runnable
    assert listed[installation.pipeline].default_branch == "main"


def test_a_started_build_is_followed_to_its_end(installation):
    adapter, request, build = started(installation)
    assert build.state in MOVING
    assert build.request_id == request.request_id
    assert build.branch == "main"
    last = ended(adapter, build)
    assert (last.state, last.external_id) == (State.PASSED, build.external_id)
    assert last.started_at <= last.finished_at
    assert last.web_url.startswith("http")
    listed = adapter.list_builds(installation.pipeline)
    assert [found.external_id for found in listed] == [build.external_id]
    assert listed[0] == last


def test_builds_are_listed_newest_first_and_by_branch(installation):
    for branch in ("main", "feature/x", "main"):
        adapter, _, build = started(installation, branch=branch)
        ended(adapter, build)
    listed = adapter.list_builds(installation.pipeline)
    assert [found.number for found in listed] == [3, 2, 1]
    assert [found.branch for found in listed] == ["main", "feature/x", "main"]
    assert [b.number for b in adapter.list_builds(installation.pipeline, branch="main")] == [3, 1]
    assert [b.number for b in adapter.list_builds(installation.pipeline, limit=1)] == [3]
    assert adapter.list_builds(installation.pipeline, branch="none") == []


@pytest.mark.needs(Capability.STEPS, Capability.LOG)
def test_a_growing_log_read_in_pieces_is_the_whole_log(installation):
    adapter, _, build = started(installation)
    where = (installation.pipeline, build.external_id)
    log_id = until(lambda: [step.log_id for step in adapter.steps(*where) if step.log_id])[0]
    pieces, offset = [], 0

    def read():
        nonlocal offset
        chunk = adapter.log(*where, log_id, offset)
        assert not chunk.restarted
        pieces.append(chunk.text)
        offset = chunk.next_offset
        return chunk.done

    until(read)
    whole = adapter.log(*where, log_id)
    assert "".join(pieces) == whole.text
    assert "done ✓" in whole.text
    assert (whole.done, whole.next_offset, whole.truncated) == (True, offset, False)
    assert adapter.log(*where, log_id, offset).text == ""


@pytest.mark.needs(Capability.STEPS, Capability.LOG)
def test_an_offset_beyond_the_log_begins_anew(installation):
    adapter, _, build = started(installation)
    ended(adapter, build)
    where = (installation.pipeline, build.external_id)
    log_id = next(step.log_id for step in adapter.steps(*where) if step.log_id)
    chunk = adapter.log(*where, log_id, 1_000_000)
    assert chunk.restarted
    assert "done ✓" in chunk.text


@pytest.mark.needs(Capability.STEPS)
def test_steps_come_in_order_with_their_ends(installation):
    adapter, _, build = started(installation)
    ended(adapter, build)
    steps = adapter.steps(installation.pipeline, build.external_id)
    assert [step.name for step in steps if step.name != "Console"] == ["Build", "Test"]
    assert {step.state for step in steps} == {State.PASSED}
    assert all(step.started_at and step.finished_at for step in steps)


@pytest.mark.needs(Capability.CANCEL)
def test_a_running_build_is_cancelled_and_an_ended_one_refuses(installation):
    pipeline = installation.add("payments/long", steps=[{"name": "Build", "seconds": 4000}])
    adapter = installation.adapter()
    build = build_of(adapter, pipeline, adapter.start(ask(pipeline)))
    adapter.cancel(pipeline, build.external_id)
    assert ended(adapter, build).state is State.CANCELLED
    with pytest.raises(Rejected):
        adapter.cancel(pipeline, build.external_id)


@pytest.mark.needs(Capability.RETRY)
def test_a_retry_is_a_new_build_under_its_own_request_id(installation):
    adapter, first, build = started(installation, branch="feature/x")
    ended(adapter, build)
    again = ask(installation.pipeline, branch="ignored")
    second = ended(
        adapter,
        build_of(adapter, installation.pipeline, adapter.retry(again, build.external_id)),
    )
    assert second.external_id != build.external_id
    assert second.branch == "feature/x"
    if installation.can(Capability.FIND_BY_REQUEST_ID):
        old = adapter.get_build(installation.pipeline, build.external_id)
        assert (old.request_id, second.request_id) == (first.request_id, again.request_id)


# --- Exactly once --------------------------------------------------------------------------------
@pytest.mark.needs(Capability.FIND_BY_REQUEST_ID)
def test_a_request_id_is_found_and_an_unknown_one_is_not(installation):
    adapter, request, build = started(installation)
    found = adapter.find_by_request_id(installation.pipeline, request.request_id)
    assert build_of(adapter, installation.pipeline, found).external_id == build.external_id
    assert adapter.find_by_request_id(installation.pipeline, str(uuid.uuid4())) is None


@pytest.mark.needs(Capability.FIND_BY_REQUEST_ID)
def test_a_lost_answer_is_unknown_and_the_build_is_found_by_its_id(installation):
    installation.handle.fault("lose_answer", "start", times=1)
    adapter, request = installation.adapter(), ask(installation.pipeline)
    with pytest.raises(OutcomeUnknown):
        adapter.start(request)
    found = until(lambda: adapter.find_by_request_id(installation.pipeline, request.request_id))
    build = build_of(adapter, installation.pipeline, found)
    assert build.request_id == request.request_id
    assert len(installation.sandbox.accepted(installation.slug)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop"},
        {"kind": "lose_answer"},
        {"kind": "truncate"},
        {"kind": "slow", "seconds": 2},
        {"kind": "fail", "status": 500},
        {"kind": "fail", "status": 503},
    ],
    ids=str,
)
def test_a_write_without_a_clear_answer_is_unknown(installation, fault):
    installation.handle.fault(route="start", times=1, **fault)
    with pytest.raises(OutcomeUnknown):
        installation.adapter(http=http_client(patience=1)).start(ask(installation.pipeline))
    assert len(installation.sandbox.requests(installation.slug, "start")) == 1


def test_a_write_that_was_limited_was_not_carried_out(installation):
    installation.handle.fault("rate_limit", "start", times=1, seconds=7)
    with pytest.raises(RateLimited) as caught:
        installation.adapter().start(ask(installation.pipeline))
    assert 0 < caught.value.retry_after <= traits_of(installation.slug).longest_wait
    assert installation.sandbox.accepted(installation.slug) == []


def test_a_server_that_is_not_reached_was_not_asked(installation):
    installation.sandbox.stop()
    adapter = installation.adapter()
    for call in calls(adapter, installation.pipeline):
        with pytest.raises(Unavailable):
            call()


# --- Failures ------------------------------------------------------------------------------------
def calls(adapter, pipeline):
    """Every method that goes out."""
    always = [
        adapter.check,
        adapter.list_pipelines,
        lambda: adapter.get_pipeline(pipeline),
        lambda: adapter.list_builds(pipeline),
        lambda: adapter.get_build(pipeline, "1"),
    ]
    able = {
        Capability.STEPS: lambda: adapter.steps(pipeline, "1"),
        Capability.LOG: lambda: adapter.log(pipeline, "1", traits_of(adapter.slug).log_id),
        Capability.FEED: adapter.feed,
        Capability.FIND_BY_REQUEST_ID: lambda: adapter.find_by_request_id(pipeline, "x"),
        # Without a branch the default branch has to be read first.
        Capability.START: lambda: adapter.start(ask(pipeline, branch="")),
        Capability.RETRY: lambda: adapter.retry(ask(pipeline), "1"),
        Capability.CANCEL: lambda: adapter.cancel(pipeline, "1"),
        Capability.UNBLOCK: lambda: adapter.gates(pipeline, "1"),
    }
    return always + [call for needed, call in able.items() if needed in adapter.capabilities]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "rate_limit", "seconds": 3}, RateLimited),
        ({"kind": "fail", "status": 500}, Unavailable),
        ({"kind": "fail", "status": 502}, Unavailable),
        ({"kind": "drop"}, Unavailable),
        ({"kind": "html200"}, InvalidResponse),
        ({"kind": "garbage"}, InvalidResponse),
        ({"kind": "redirect"}, Misconfigured),
    ],
    ids=lambda value: (
        f"{value['kind']}{value.get('status', '')}" if isinstance(value, dict) else ""
    ),
)
def test_every_read_sorts_its_failures(installation, fault, error):
    adapter, _, _ = started(installation)
    installation.handle.fault(route="read", **fault)
    for call in calls(adapter, installation.pipeline):
        with pytest.raises(error):
            call()


def test_an_answer_without_end_is_cut_off(installation):
    installation.handle.fault("endless", "read", seconds=0.01)
    with pytest.raises((InvalidResponse, Unavailable)):
        installation.adapter(http=http_client(patience=0.5)).list_pipelines()


def test_a_bad_token_is_said(installation):
    adapter = installation.adapter(traits_of(installation.slug).wrong_credential)
    for call in calls(adapter, installation.pipeline):
        with pytest.raises(NotAuthorized):
            call()


def test_a_token_that_may_only_read_can_not_write(installation):
    rights = list(traits_of(installation.slug).read_only)
    _, _, build = started(installation)
    adapter = installation.adapter(installation.credential("readonly", rights=rights))
    assert adapter.list_builds(installation.pipeline)
    for write in (
        lambda: adapter.start(ask(installation.pipeline)),
        lambda: adapter.retry(ask(installation.pipeline), build.external_id),
    ):
        with pytest.raises(Forbidden):
            write()
    assert len(installation.sandbox.accepted(installation.slug)) == 1


@pytest.mark.parametrize("name", ["none/none", "../admin", "a/..", "", "/", "a//b", "a\x00/b", "."])
def test_a_pipeline_that_is_not_there_is_not_found(installation, name):
    adapter = installation.adapter()
    for call in (
        lambda: adapter.get_pipeline(name),
        lambda: adapter.list_builds(name),
        lambda: adapter.start(ask(name)),
    ):
        with pytest.raises(NotFound):
            call()


@pytest.mark.parametrize("build", ["999", "", "..", "1/../2", "x", "-1", "\uff11"])
def test_a_build_that_is_not_there_is_not_found(installation, build):
    adapter = installation.adapter()
    for call in (
        lambda: adapter.get_build(installation.pipeline, build),
        lambda: adapter.cancel(installation.pipeline, build),
        lambda: adapter.log(installation.pipeline, build, "console"),
        lambda: adapter.retry(ask(installation.pipeline), build),
    ):
        with pytest.raises(NotFound):
            call()


def test_the_labels_are_the_portals_own(installation):
    request = ask(installation.pipeline, parameters={"STAGEDOOR_PERSON": "someone else"})
    with pytest.raises(Rejected):
        installation.adapter().start(request)
    assert installation.sandbox.accepted(installation.slug) == []


def test_the_labels_arrive_with_the_build(installation):
    _, request, build = started(installation)
    seen = installation.handle.build(installation.pipeline, build.number)
    carried = traits_of(installation.slug).carried(seen)
    assert {name: value for name, value in carried.items() if name.startswith("STAGEDOOR_")} == {
        "STAGEDOOR_REQUEST_ID": request.request_id,
        **{f"STAGEDOOR_{name.upper()}": value for name, value in LABELS.items()},
    }


def test_no_credential_shows_in_any_failure(installation):
    """Every fault on every call; the sandbox's pages repeat much of what they are sent."""
    secret = installation.handle.token
    adapter, _, _ = started(installation)
    shown = []
    for kind in ("drop", "html200", "garbage", "redirect", "truncate", "rate_limit", "fail"):
        installation.handle.fault(kind)
        for call in calls(adapter, installation.pipeline):
            try:
                call()
            except ProviderError as error:
                shown.append(f"{error!s} {error!r} {error.args} {error.__cause__}")
        installation.handle.clear_faults()
    assert len(shown) > 50
    assert not [text for text in shown if secret in text]
    assert secret not in f"{adapter!r} {vars(adapter)!r}"


# --- The rest of the contract --------------------------------------------------------------------
def test_the_connection_test_says_who_the_credential_is(installation):
    result = installation.adapter().check()
    assert result.who.lower() == "stagedoor"
    assert result.lacks == ()


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
def test_a_provider_tells_what_it_is(slug):
    adapter = PROVIDERS[slug]
    assert adapter.slug == slug
    assert adapter.label
    assert adapter.annotation_keys
    assert adapter.capabilities <= frozenset(Capability)
    assert set(adapter.states.values()) <= set(State) - {State.UNKNOWN}


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
def test_annotations_name_pipelines_with_or_without_a_server(slug):
    adapter = PROVIDERS[slug]
    for key in set(adapter.annotation_keys) - set(traits_of(slug).by_address):
        found = adapter.parse_annotations({key: "org/one, ci-2:org/two ,org/one,,", "other": "x/y"})
        assert [(c.annotation, c.server, c.pipeline) for c in found] == [
            (key, "", "org/one"),
            (key, "ci-2", "org/two"),
        ]
    assert adapter.parse_annotations({}) == []


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
def test_a_server_behind_a_private_address_is_misconfigured_not_down(slug):
    adapter = make_adapter(slug, "http://10.0.0.1", "user:token", **traits_of(slug).options)
    with pytest.raises(Misconfigured, match="OUTGOING_ALLOW"):
        adapter.list_pipelines()
