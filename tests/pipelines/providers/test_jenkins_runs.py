"""Jenkins' JSON of runs: any field may be missing, early, doubled or of another type."""

import pytest

from pipelines.providers.base import State
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.jenkins.runs import parse_build


def run(**fields):
    return parse_build({"number": 1, **fields}, "job", "", "http://ci.example", ["BRANCH"])


@pytest.mark.nasty("jenkins-11")
@pytest.mark.parametrize(
    ("fields", "state", "raw"),
    [
        ({"result": "SUCCESS"}, State.PASSED, "SUCCESS"),
        ({"result": "SUCCESS", "building": True}, State.RUNNING, "BUILDING"),
        ({"result": "FAILURE", "inProgress": True}, State.RUNNING, "BUILDING"),
        ({"result": "NOT_BUILT"}, State.SKIPPED, "NOT_BUILT"),
        ({"result": "ABORTED"}, State.CANCELLED, "ABORTED"),
        ({"result": None}, State.UNKNOWN, ""),
        ({"result": "SPLENDID"}, State.UNKNOWN, "SPLENDID"),
        ({"result": ["SUCCESS"]}, State.UNKNOWN, ""),
    ],
)
def test_results_become_states(fields, state, raw):
    build = run(**fields)
    assert (build.state, build.raw_state) == (state, raw)


@pytest.mark.parametrize("wrong", [None, 1, "x", [None, 1, {}], {"a": None}, [{"causes": "x"}]])
def test_a_run_of_any_shape_is_read(wrong):
    build = run(actions=wrong, changeSets=wrong, timestamp=wrong, duration=wrong, displayName=wrong)
    assert build.state is State.UNKNOWN
    with pytest.raises(InvalidResponse):
        run(number=wrong if wrong != 1 else "1")


def data(branch: str, commit: str, remote: str = "") -> dict:
    revision = {"SHA1": commit, "branch": [{"SHA1": commit, "name": branch}]}
    return {"lastBuiltRevision": revision, "remoteUrls": [remote]}


@pytest.mark.nasty("jenkins-12")
def test_branch_and_commit_come_from_the_checkout():
    build = run(actions=[{}, None, data("refs/remotes/origin/feature/x", "abc")])
    assert (build.branch, build.commit) == ("feature/x", "abc")


@pytest.mark.nasty("jenkins-12")
@pytest.mark.parametrize(
    "library",
    [
        data("main", "lib", "https://git.example/ci/jenkins-library.git"),
        data("dev", "lib", "git@git.example:ci/shared-libs.git"),
    ],
)
def test_a_shared_librarys_checkout_does_not_count(library):
    build = run(actions=[library, data("origin/dev", "ours", "https://git.example/till.git")])
    assert (build.branch, build.commit) == ("dev", "ours")


def test_of_two_checkouts_the_one_of_the_asked_branch_counts():
    asked = {"parameters": [{"name": "BRANCH", "value": "origin/dev"}]}
    assert run(actions=[asked, data("origin/main", "a"), data("origin/dev", "b")]).commit == "b"


def test_of_two_checkouts_the_one_that_is_named_like_the_job_counts():
    other, ours = data("main", "a", "git.example/other"), data("main", "b", "git.example/JOB.git")
    assert run(actions=[other, ours]).commit == "b"


@pytest.mark.nasty("jenkins-12")
def test_of_checkouts_that_can_not_be_told_apart_none_counts():
    build = run(actions=[data("main", "a", "git.example/x"), data("dev", "b", "git.example/y")])
    assert (build.branch, build.commit) == ("", "")


@pytest.mark.nasty("jenkins-21")
def test_durations_are_never_negative():
    build = run(timestamp=1_700_000_000_000, duration=-5, result="SUCCESS")
    assert build.finished_at == build.started_at


def test_the_message_is_one_line_and_leaves_people_to_who():
    cause = {"causes": [{"shortDescription": "Started by timer"}]}
    assert run(actions=[cause]).who == "Started by timer"
    change = {"items": [{"msg": "Mend the till\n\nlong"}]}
    assert run(actions=[cause], changeSets=[change]).message == "Mend the till"
    assert run(actions=[cause], displayName="#1").message == "Started by timer"
    by_hand = {"causes": [{"userId": "bot", "shortDescription": "Started by user Bot"}]}
    assert run(actions=[by_hand], displayName="#1").message == ""
