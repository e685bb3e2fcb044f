"""Bitbucket's words and shapes, without a server: states, times, files, annotations."""

import random

import pytest

from pipelines.providers.base import FINAL, Cause, State
from pipelines.providers.bitbucket import Bitbucket
from pipelines.providers.bitbucket.parse import (
    STATES,
    STEP_STATES,
    parse_build,
    parse_repository,
    parse_step,
    word_of,
)
from pipelines.providers.bitbucket.yml import BY_BRANCH, FREE, MAX_BYTES, parameters_of
from pipelines.providers.errors import InvalidResponse

nasty = pytest.mark.nasty
WEB = "https://bitbucket.org"


def read(**fields):
    return parse_build({"build_number": 1, **fields}, "acme/shop", WEB)


def state(name="", stage="", result="", kind=""):
    fields = {"name": name, "type": kind}
    fields |= {"stage": {"name": stage}} if stage else {}
    fields |= {"result": {"name": result}} if result else {}
    return fields


# --- States --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("told", "expected", "word"),
    [
        (state("PARSING"), State.QUEUED, "PARSING"),
        (state("PENDING", "PENDING"), State.QUEUED, "PENDING"),
        (state("IN_PROGRESS"), State.RUNNING, "IN_PROGRESS"),
        (state("IN_PROGRESS", "RUNNING"), State.RUNNING, "RUNNING"),
        (state("IN_PROGRESS", "PAUSED"), State.WAITING, "PAUSED"),
        (state("IN_PROGRESS", "HALTED"), State.QUEUED, "HALTED"),
        (state("COMPLETED", "", "SUCCESSFUL"), State.PASSED, "SUCCESSFUL"),
        (state("completed", "", "failed"), State.FAILED, "FAILED"),
        (state("COMPLETED", "", "ERROR"), State.FAILED, "ERROR"),
        (state("COMPLETED", "", "STOPPED"), State.CANCELLED, "STOPPED"),
        (state("COMPLETED", "", "EXPIRED"), State.FAILED, "EXPIRED"),
        (state("COMPLETED", "RUNNING", "SUCCESSFUL"), State.PASSED, "SUCCESSFUL"),
        # A result before the end is not believed, and an end without one is not known.
        (state("IN_PROGRESS", "RUNNING", "SUCCESSFUL"), State.RUNNING, "RUNNING"),
        (state("COMPLETED"), State.UNKNOWN, "COMPLETED"),
        (state("COMPLETED", "RUNNING"), State.UNKNOWN, "COMPLETED"),
        (state("NEW_WORD", "", "SUCCESSFUL"), State.UNKNOWN, "NEW_WORD"),
    ],
)
def test_a_state_is_the_word_that_tells_most(told, expected, word):
    assert (read(state=told).state, read(state=told).raw_state) == (expected, word)


@nasty("bitbucket-4")
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("pipeline_state_in_progress_halted", State.QUEUED),
        ("pipeline_state_in_progress_paused", State.WAITING),
        ("pipeline_state_completed_successful", State.PASSED),
        ("pipeline_state_in_progress", State.RUNNING),
        ("pipeline_state_parsing", State.QUEUED),
        ("pipeline_state_completed", State.UNKNOWN),
        ("something_else_successful", State.UNKNOWN),
    ],
)
def test_without_names_the_type_tells(kind, expected):
    assert read(state={"type": kind}).state is expected
    assert read(state={"stage": None, "result": [], "type": kind}).state is expected


@nasty("bitbucket-4")
@pytest.mark.parametrize("told", [None, "COMPLETED", [], {}, {"name": 7}, {"result": "SUCCESSFUL"}])
def test_a_state_of_another_shape_is_unknown(told):
    assert (read(state=told).state, read(state=told).raw_state) == (State.UNKNOWN, "")


def test_every_documented_word_is_known_and_green_comes_from_one_alone():
    words = "PARSING PENDING IN_PROGRESS RUNNING PAUSED HALTED SUCCESSFUL FAILED ERROR STOPPED"
    assert set(STATES) == {*words.split(), "EXPIRED"}
    for table in (STATES, STEP_STATES):
        assert [word for word, found in table.items() if found is State.PASSED] == ["SUCCESSFUL"]


def any_shape(chance: random.Random, depth: int = 3):
    """A state as no document has it: words at the wrong level, other types, too little."""
    words = [*STATES, *STEP_STATES, "COMPLETED", "completed_successful", "", "x"]
    kinds = [f"pipeline_state_{chance.choice(words).lower()}", *words]
    plain = [None, True, 7, chance.choice(kinds), chance.choice(words)]
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(plain)
    if chance.random() < 0.1:
        return [any_shape(chance, depth - 1)]
    keys = chance.sample(["name", "type", "stage", "result"], chance.randrange(5))
    return {key: any_shape(chance, depth - 1) for key in keys}


def test_no_shape_of_a_state_breaks_the_reading_or_is_green_without_its_word():
    chance = random.Random("bitbucket")
    green = 0
    for _ in range(5_000):
        shape = any_shape(chance)
        seen = read(state=shape).state
        assert seen is STATES.get(word_of(shape), State.UNKNOWN)
        assert seen is not State.PASSED or "successful" in str(shape).lower()
        assert parse_step({"state": shape}, 1).state in State
        green += seen is State.PASSED
    assert green > 10  # or nothing was proven


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (state("PENDING"), State.QUEUED),
        (state("READY"), State.QUEUED),
        (state("PENDING", "PAUSED"), State.WAITING),
        (state("PENDING", "HALTED"), State.QUEUED),
        (state("IN_PROGRESS", "PENDING"), State.RUNNING),
        (state("IN_PROGRESS", "HALTED"), State.QUEUED),
        (state("COMPLETED", "", "NOT_RUN"), State.SKIPPED),
        (state("COMPLETED", "", "SKIPPED"), State.SKIPPED),
        (state("", kind="pipeline_step_state_pending_paused"), State.WAITING),
        (state("", kind="pipeline_step_state_completed_successful"), State.PASSED),
    ],
)
def test_a_step_has_words_of_its_own(told, expected):
    assert parse_step({"uuid": "{1}", "state": told}, 1).state is expected


def test_a_step_without_a_name_is_counted_and_one_that_never_ran_has_no_log():
    skipped = {"uuid": "{1}", "name": None, "state": state("COMPLETED", "", "NOT_RUN")}
    step = parse_step({**skipped, "completed_on": "2026-10-06T12:00:05Z"}, 3)
    assert (step.name, step.log_id, step.seconds) == ("Step 3", "", None)


# --- Builds --------------------------------------------------------------------------------------
@nasty("bitbucket-24")
@pytest.mark.parametrize(
    "created",
    ["2026-10-06T12:00:05Z", "2026-10-06T12:00:05.12345+00:00", "2026-10-06T12:00:05.123456789Z"],
)
def test_times_have_any_number_of_digits_and_an_end_before_the_beginning_is_none(created):
    done = state("COMPLETED", "", "SUCCESSFUL")
    found = read(state=done, created_on=created, completed_on="2026-10-06T11:59:59Z")
    assert (found.started_at.year, found.started_at.second) == (2026, 5)
    assert found.finished_at == found.started_at


def test_what_has_not_ended_has_no_end():
    moving = read(
        state=state("IN_PROGRESS"), created_on="2026-10-06T12:00:05Z", completed_on="2026-10-06"
    )
    assert moving.state not in FINAL
    assert moving.finished_at is None


@pytest.mark.parametrize("number", [None, "1", True, -1, 1.5])
def test_a_build_without_a_number_is_no_build(number):
    with pytest.raises(InvalidResponse):
        read(build_number=number)


@pytest.mark.parametrize(
    ("trigger", "target", "cause"),
    [
        ("PUSH", {}, Cause.PUSH),
        ("PUSH", {"ref_type": "tag"}, Cause.TAG),
        ("PUSH", {"ref_type": "annotated_tag"}, Cause.TAG),
        ("PUSH", {"type": "pipeline_pullrequest_target"}, Cause.PULL_REQUEST),
        ("MANUAL", {"ref_type": "tag"}, Cause.MANUAL),
        ("SCHEDULED", {}, Cause.SCHEDULE),
        ("PARENT_STEP", {}, Cause.UPSTREAM),
        ("OTHER", {}, Cause.NONE),
        (None, {}, Cause.NONE),
    ],
)
def test_why_a_build_runs(trigger, target, cause):
    assert read(trigger={"name": trigger}, target=target).cause is cause


@nasty("bitbucket-20")
def test_a_pull_request_whose_fork_is_gone_is_read():
    pull = {"id": 7, "title": "Fix\nit", "source": {"repository": None}}
    found = read(target={"source": "fix", "pullrequest": pull, "commit": None})
    assert (found.branch, found.message, found.commit) == ("refs/pull/7", "Fix", "")


@pytest.mark.parametrize(
    ("target", "branch"),
    [
        ({"ref_type": "branch", "ref_name": "main"}, "main"),
        ({"ref_type": "tag", "ref_name": "main"}, "refs/tags/main"),
        ({"ref_type": "annotated_tag", "ref_name": "main"}, "refs/tags/main"),
        ({"type": "pipeline_pullrequest_target", "source": "main"}, "refs/pull/"),
        ({"ref_type": "tag"}, ""),
        ({}, ""),
    ],
)
def test_no_tag_and_no_forks_branch_passes_for_a_branch(target, branch):
    assert read(target=target).branch == branch


def test_why_a_build_ended_is_said():
    error = {"name": "COMPLETED", "result": {"name": "ERROR", "error": {"message": "No yml."}}}
    assert read(state=error).reason == "Bitbucket could not run it. No yml."
    stopped = {"name": "STOPPED", "terminator": {"display_name": "Ana"}}
    assert read(state={"name": "COMPLETED", "result": stopped}).reason == "Stopped by Ana."
    assert "not started in time" in read(state=state("COMPLETED", "", "EXPIRED")).reason


@nasty("bitbucket-19")
@pytest.mark.parametrize("creator", [None, "x", {}, {"type": "AppUser", "display_name": None}])
def test_a_creator_may_be_missing(creator):
    assert (read(creator=creator).who, read(creator=creator).who_id) == ("", "")
    former = {"display_name": "Former user", "type": "user"}
    assert (read(creator=former).who, read(creator=former).who_id) == ("Former user", "")


@pytest.mark.parametrize("name", [None, "", "one", "a/b/c", "/b", "a/"])
def test_a_repository_without_its_name_is_none(name):
    with pytest.raises(InvalidResponse):
        parse_repository({"full_name": name}, WEB)


# --- bitbucket-pipelines.yml ---------------------------------------------------------------------
FILE = b"""
definitions:
  steps:
    - step: &deploy {name: Deploy, script: [./deploy]}
    - variables: &where
        - name: ENVIRONMENT
          default: staging
          allowed-values: [staging, production]
          description: Where to.
pipelines:
  default: [step: *deploy]
  custom:
    deploy:
      - variables: *where
      - step: *deploy
    smoke:
      - variables:
          - {name: VERBOSE, default: yes}
          - {name: ENVIRONMENT, allowed-values: [test]}
      - step: {<<: *deploy, name: Smoke}
    2024: [step: *deploy]
    shared: {import: "tools:main:shared"}
"""


def test_custom_pipelines_are_a_choice_and_their_variables_parameters():
    chooser, environment, verbose = parameters_of(FILE)
    assert (chooser.name, chooser.type, chooser.default) == ("PIPELINE", "choice", BY_BRANCH)
    assert chooser.choices == (BY_BRANCH, "deploy", "smoke", "2024", "shared")
    assert environment.choices == ("", "staging", "production", "test")
    assert (environment.default, environment.description) == ("", "Where to. (for deploy, smoke)")
    assert (verbose.name, verbose.type, verbose.default) == ("VERBOSE", "string", "yes")


@pytest.mark.parametrize(
    "data",
    [
        b"pipelines: [",
        b"pipelines: {custom: {import: x}}",
        b"pipelines: {import: x, custom: {a: []}}",
        b"pipelines: {custom: {<<: {a: []}}}",
        b"a: !!python/object/apply:os.system [x]\n? {}\n: 1\n? []\n: [",
        b"\xff\xfe\x00",
        b"[" * 20_000,
        b"x: " + b"y" * MAX_BYTES,
    ],
)
def test_a_file_that_can_not_be_resolved_leaves_the_name_free(data):
    assert parameters_of(data) == (FREE,)


@pytest.mark.parametrize(
    "data", [b"", b"7", b"[]", b"pipelines:", b"pipelines: {custom: }", b"pipelines: {default: []}"]
)
def test_a_file_without_custom_pipelines_asks_for_nothing(data):
    assert parameters_of(data) == ()


@pytest.mark.parametrize("name", ["STAGEDOOR_PERSON", "PIPELINE", "a-b", "", "1A", "[x]"])
def test_a_variable_of_a_name_that_can_not_be_sent_is_left_out(name):
    data = f"pipelines: {{custom: {{d: [variables: [{{name: {name!r}}}, {{name: OK}}]]}}}}"
    assert [found.name for found in parameters_of(data.encode())] == ["PIPELINE", "OK"]


def test_aliases_are_not_walked_through_without_end():
    """The same 200 variables, 200 times in each of 200 pipelines, and four times as many lines."""
    variables = "".join(f"- {{name: V{number}}}\n" for number in range(200))
    shared = f"v: &v\n{variables}s: &s\n" + "- variables: *v\n" * 8_000
    custom = "".join(f"  p{number}: *s\n" for number in range(200))
    found = parameters_of(f"{shared}pipelines:\n custom:\n{custom}".encode())
    assert len(found) == 1 + 200
    assert max(len(parameter.description) for parameter in found) < 1_000


def test_aliases_that_would_grow_without_end_cost_nothing():
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    bomb = f"a0: &a0 [x]\n{levels}pipelines: {{custom: {{d: *a39}}}}"
    assert [found.name for found in parameters_of(bomb.encode())] == ["PIPELINE"]
    merges = "".join(f"b{n}: &b{n}\n  <<: [*b{n - 1}, *b{n - 1}]\n" for n in range(1, 60))
    assert parameters_of(f"b0: &b0 {{x: y}}\n{merges}".encode()) == ()
    cycle = b"pipelines: &p {custom: {d: &d [variables: *d]}}"
    assert [found.name for found in parameters_of(cycle)] in (["PIPELINE"],)


# --- Annotations ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("bitbucket.org/repo-slug", "acme/shop", ("", "acme/shop", False)),
        ("bitbucket.com/repo-slug", "bb-2: Acme/Shop ", ("bb-2", "acme/shop", False)),
        ("bitbucket.org/repo-url", f"{WEB}/acme/shop.git", ("", "acme/shop", False)),
        ("bitbucket.com/project-slug", "acme/shop", ("", "acme/shop", True)),
        (
            "backstage.io/source-location",
            f"url:{WEB}/acme/shop/src/main/",
            ("", "acme/shop", True),
        ),
        ("backstage.io/source-location", f"url:{WEB}/acme", None),
        ("backstage.io/source-location", "url:https://github.com/acme/shop/", None),
        ("backstage.io/source-location", "url:https://bitbucket.org.evil.example/a/b/", None),
        ("backstage.io/source-location", "url:https://[::1/a/b", None),
        ("bitbucket.org/repo-url", 7, None),
    ],
)
def test_annotations_name_repositories(key, value, expected):
    found = [
        (one.server, one.pipeline, one.implied) for one in Bitbucket.parse_annotations({key: value})
    ]
    assert found == ([expected] if expected else [])


def test_what_is_said_twice_counts_once_and_before_what_is_implied():
    annotations = {
        "bitbucket.org/repo-slug": "acme/shop,acme/cart",
        "bitbucket.com/repo-slug": "acme/shop",
        "bitbucket.org/repo-url": f"{WEB}/acme/shop",
        "backstage.io/source-location": f"url:{WEB}/acme/other/",
    }
    found = Bitbucket.parse_annotations(annotations)
    assert [one.pipeline for one in found] == ["acme/shop", "acme/cart"]
    assert {one.annotation for one in found} == {"bitbucket.org/repo-slug"}
