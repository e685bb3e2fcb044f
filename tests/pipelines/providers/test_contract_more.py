"""Further shared cases: what only some vendors have, sizes, names and clocks."""

import pytest

from pipelines.providers import PROVIDERS
from pipelines.providers.base import (
    FINAL,
    Capability,
    Cause,
    Hook,
    HookTarget,
    State,
)
from pipelines.providers.errors import NotFound, Rejected, Unsupported
from portal.credentials import Secret
from tests.pipelines.providers.conftest import MOVING, build_of, ended, until
from tests.pipelines.providers.test_contract import ask, started
from tests.pipelines.providers.traits import traits_of

GATED = [
    {"name": "Build", "seconds": 1},
    {"name": "Release?", "gate": True},
    {"name": "Deploy", "seconds": 1},
]
SECRET = "a-secret-of-the-hook"


# --- Gates ---------------------------------------------------------------------------------------
def waiting(installation):
    """A build that waits at its gate."""
    pipeline = installation.add("payments/gated", steps=GATED)
    adapter = installation.adapter()
    build = build_of(adapter, pipeline, adapter.start(ask(pipeline)))

    def look():
        now = adapter.get_build(pipeline, build.external_id)
        return now if now.state is State.WAITING else None

    return adapter, pipeline, until(look)


@pytest.mark.needs(Capability.UNBLOCK)
def test_a_build_waits_at_its_gate_until_it_is_unblocked(installation):
    adapter, pipeline, build = waiting(installation)
    (gate,) = adapter.gates(pipeline, build.external_id)
    assert gate.name
    adapter.unblock(ask(pipeline), build.external_id, gate.id)
    assert ended(adapter, build).state is State.PASSED
    assert list(adapter.gates(pipeline, build.external_id)) == []


@pytest.mark.needs(Capability.UNBLOCK)
def test_a_gate_that_does_not_wait_is_refused(installation):
    adapter, pipeline, build = waiting(installation)
    (gate,) = adapter.gates(pipeline, build.external_id)
    for wrong in ("none", "", "../x", f"{gate.id}0"):
        with pytest.raises((Rejected, NotFound)):
            adapter.unblock(ask(pipeline), build.external_id, wrong)
    # Where the gate is blocked from the start, what runs before it may not have begun.
    until(lambda: adapter.get_build(pipeline, build.external_id).state is State.WAITING)
    adapter.unblock(ask(pipeline), build.external_id, gate.id)
    ended(adapter, build)
    with pytest.raises((Rejected, NotFound)):
        adapter.unblock(ask(pipeline), build.external_id, gate.id)


@pytest.mark.needs(Capability.UNBLOCK)
def test_a_build_that_does_not_wait_has_no_gates(installation):
    adapter, _, build = started(installation)
    ended(adapter, build)
    assert list(adapter.gates(installation.pipeline, build.external_id)) == []


# --- Promotion and activation ------------------------------------------------------------------
@pytest.mark.needs(Capability.PROMOTE)
def test_a_promotion_is_a_new_build_under_its_own_request_id(installation):
    adapter, first, build = started(installation)
    ended(adapter, build)
    request = ask(installation.pipeline)
    promoted = build_of(
        adapter,
        installation.pipeline,
        adapter.promote(request, build.external_id, "staging"),
    )
    assert promoted.external_id != build.external_id
    assert promoted.cause is Cause.PROMOTE
    assert promoted.request_id == request.request_id != first.request_id
    assert promoted.commit == build.commit


@pytest.mark.needs(Capability.PROMOTE)
def test_a_promotion_names_its_target(installation):
    adapter, _, build = started(installation)
    ended(adapter, build)
    with pytest.raises(Rejected):
        adapter.promote(ask(installation.pipeline), build.external_id, "")
    assert len(installation.sandbox.accepted(installation.slug)) == 1


@pytest.mark.needs(Capability.ACTIVATE)
def test_an_inactive_pipeline_is_activated_once_and_again(installation):
    pipeline = installation.add("payments/new", active=False)
    adapter = installation.adapter()
    before = adapter.get_pipeline(pipeline)
    assert (before.active, before.runnable) == (False, False)
    target = HookTarget("https://stagedoor.example/hooks/ci/", Secret(SECRET))
    for _ in range(2):
        assert all(sentence.endswith(".") for sentence in adapter.activate(pipeline, target))
    after = adapter.get_pipeline(pipeline)
    assert (after.active, after.runnable) == (True, True)
    listed = {found.external_id: found.active for found in adapter.list_pipelines()}
    assert listed[pipeline] is True


# --- What a start may carry ----------------------------------------------------------------------
@pytest.mark.needs(Capability.VARIABLES)
def test_variables_that_no_pipeline_declares_arrive(installation):
    _, _, build = started(installation, parameters={"DRY_RUN": "yes, all of it; $HOME 'ü'"})
    seen = installation.handle.build(installation.pipeline, build.number)
    carried = traits_of(installation.slug).carried(seen)
    assert carried["DRY_RUN"] == "yes, all of it; $HOME 'ü'"


@pytest.mark.needs(Capability.VARIABLES)
@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "BASH_ENV", "1X", "a b", "X=Y", "", "x\ny"])
def test_a_variable_that_would_change_the_interpreter_is_refused(installation, name):
    with pytest.raises(Rejected):
        installation.adapter().start(ask(installation.pipeline, parameters={name: "x"}))
    assert installation.sandbox.accepted(installation.slug) == []


@pytest.mark.needs(Capability.COMMIT)
def test_a_commit_is_pinned(installation):
    commit = "ab" * 20
    _, _, build = started(installation, commit=commit)
    seen = installation.handle.build(installation.pipeline, build.number)
    assert (build.commit, seen.commit) == (commit, commit)


def test_without_a_branch_the_default_branch_is_built(installation):
    _, _, build = started(installation, branch="")
    assert installation.handle.build(installation.pipeline, build.number).branch == "main"


def test_a_branch_keeps_its_name_whatever_it_is(installation):
    names = ("feature/ä+b", "fix/100%", "a/b/c")
    pipeline = installation.add("payments/names", branches=("main", *names))
    adapter = installation.adapter()
    for name in names:
        request = ask(pipeline, branch=name)
        build = ended(adapter, build_of(adapter, pipeline, adapter.start(request)))
        assert build.branch == name
        assert [found.branch for found in adapter.list_builds(pipeline, branch=name)] == [name]


def test_a_build_says_whose_account_and_what_started_it(installation):
    adapter, _, build = started(installation)
    checked = adapter.check()
    seen = adapter.get_build(installation.pipeline, build.external_id)
    assert seen.who_id
    assert seen.who_id == checked.who_id
    assert seen.cause in {Cause.API, Cause.MANUAL}


# --- Lists ---------------------------------------------------------------------------------------
def test_a_long_list_of_pipelines_is_whole(installation):
    names = {installation.add(f"payments/service-{number:03}") for number in range(130)}
    listed = {
        found.external_id for found in installation.adapter().list_pipelines() if found.runnable
    }
    assert listed == names | {installation.pipeline}


def test_stable_ids_are_each_pipelines_own(installation):
    installation.add("payments/other")
    listed = [found.stable_id for found in installation.adapter().list_pipelines()]
    told = [stable_id for stable_id in listed if stable_id]
    assert len(set(told)) == len(told)
    assert told == [] or len(told) == len(listed)


def test_a_token_for_one_pipeline_sees_no_other(installation):
    installation.add("payments/hidden")
    credential = installation.credential("narrow", only=["payments/checkout"])
    adapter = installation.adapter(credential)
    runnable = [found.external_id for found in adapter.list_pipelines() if found.runnable]
    assert runnable == [installation.pipeline]
    with pytest.raises(NotFound):
        adapter.list_builds("payments/hidden")


@pytest.mark.needs(Capability.FEED)
def test_the_feed_holds_the_newest_builds_of_all_pipelines(installation):
    other = installation.add("payments/other")
    adapter = installation.adapter()
    made = []
    for pipeline in (installation.pipeline, other, installation.pipeline):
        build = build_of(adapter, pipeline, adapter.start(ask(pipeline)))
        made.append((pipeline, build.external_id))
        ended(adapter, build)
    assert [(found.pipeline, found.external_id) for found in adapter.feed()] == made[::-1]
    assert len(adapter.feed(limit=1)) == 1


# --- Sizes ---------------------------------------------------------------------------------------
@pytest.mark.needs(Capability.STEPS, Capability.LOG)
def test_of_a_huge_log_only_a_part_is_read_and_that_is_said(installation):
    twenty_megabytes = {"name": "Build", "seconds": 1, "lines": ["x" * 1_000], "repeat": 20_000}
    pipeline = installation.add("payments/chatty", steps=[twenty_megabytes])
    adapter = installation.adapter()
    build = ended(adapter, build_of(adapter, pipeline, adapter.start(ask(pipeline))))
    where = (pipeline, build.external_id)
    log_id = next(step.log_id for step in adapter.steps(*where) if step.log_id)
    chunk = adapter.log(*where, log_id)
    assert chunk.done
    assert len(chunk.text) < 1_100_000
    assert chunk.truncated or "too large to show here" in chunk.text


# --- Clocks and names --------------------------------------------------------------------------
def test_a_server_whose_clock_is_wrong_is_read_all_the_same(installation):
    installation.handle.instance.skew = -3600.0
    adapter, _, build = started(installation)
    last = ended(adapter, build)
    assert last.state is State.PASSED
    steps = adapter.steps(installation.pipeline, build.external_id)
    assert all(step.seconds is None or step.seconds >= 0 for step in steps)


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
@pytest.mark.parametrize("value", ["", ",", ":", ":::", "a" * 10_000, "\x00", "é/ü", "//", "a/b/c"])
def test_no_annotation_breaks_the_reading_of_others(slug, value):
    adapter = PROVIDERS[slug]
    found = adapter.parse_annotations(dict.fromkeys(adapter.annotation_keys, value))
    assert all(isinstance(claim.pipeline, str) and claim.pipeline for claim in found)


# --- What a vendor lacks -------------------------------------------------------------------------
OPTIONAL = {
    Capability.START: lambda adapter: adapter.start(ask("a/b")),
    Capability.CANCEL: lambda adapter: adapter.cancel("a/b", "1"),
    Capability.RETRY: lambda adapter: adapter.retry(ask("a/b"), "1"),
    Capability.STEPS: lambda adapter: adapter.steps("a/b", "1"),
    Capability.LOG: lambda adapter: adapter.log("a/b", "1"),
    Capability.WEBHOOK: lambda adapter: adapter.parse_webhook(Hook({}, b"")),
    Capability.UNBLOCK: lambda adapter: adapter.unblock(ask("a/b"), "1", "x"),
    Capability.PROMOTE: lambda adapter: adapter.promote(ask("a/b"), "1", "x"),
    Capability.ACTIVATE: lambda adapter: adapter.activate("a/b", None),
    Capability.FEED: lambda adapter: adapter.feed(),
    Capability.FIND_BY_REQUEST_ID: lambda adapter: adapter.find_by_request_id("a/b", "x"),
}


def test_what_a_vendor_lacks_is_unsupported_and_asks_nothing(installation):
    adapter = installation.adapter()
    for capability, call in OPTIONAL.items():
        if not installation.can(capability):
            with pytest.raises(Unsupported):
                call(adapter)
    assert installation.sandbox.requests(installation.slug) == []


# --- Limits --------------------------------------------------------------------------------------
@pytest.mark.parametrize("slug", sorted(PROVIDERS))
@pytest.mark.parametrize("value", ["", "x", "-1", "1e999", "nan", "9" * 400, "1,2", "\x00"])
def test_headers_that_make_no_sense_tell_no_limits(slug, value):
    names = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "X-RateLimit-Limit")
    for limit in PROVIDERS[slug].read_limits(dict.fromkeys(names, value)):
        assert limit.limit > 0
        assert limit.remaining is None or limit.remaining >= 0


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
def test_known_limits_can_be_counted(slug):
    for limit in PROVIDERS[slug].limits:
        assert limit.limit > 0
        assert limit.seconds > 0
        assert limit.remaining is None


def test_every_final_state_comes_from_some_word():
    """A vendor without a word for success could never render green, and one without a word for
    failure would hide it."""
    for adapter in PROVIDERS.values():
        states = set(adapter.states.values())
        assert {State.PASSED, State.FAILED, State.CANCELLED} <= states & set(FINAL)
        assert states & set(MOVING)
