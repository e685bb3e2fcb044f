"""A build's course, computed for any moment."""

from pipelines.sandbox.script import Course, Snapshot, Step, next_change, snapshot


def at(course: Course, now: float) -> tuple[str, list[str]]:
    seen = snapshot(course, now)
    return seen.state, [run.state for run in seen.current()]


def course(*steps: Step, **fields: object) -> Course:
    return Course(tuple(steps), starts_at=100.0, **fields)


def test_steps_follow_each_other():
    build = course(Step("a", 10), Step("b", 5))
    assert at(build, 99) == ("queued", ["pending", "pending"])
    assert at(build, 100) == ("running", ["running", "pending"])
    assert at(build, 112) == ("running", ["passed", "running"])
    assert at(build, 115) == ("passed", ["passed", "passed"])
    assert snapshot(build, 200).finished_at == 115


def test_the_next_change_is_told_before_it_comes():
    build = course(Step("a", 4), Step("b", 6))
    moments, now = [], 99.0
    while (moment := next_change(build, snapshot(build, now), now)) is not None:
        assert snapshot(build, moment - 0.001) == snapshot(build, now)
        moments.append(moment)
        now = moment
    assert moments == [100.0, 104.0, 110.0]


def test_speed_divides_durations():
    assert snapshot(course(Step("a", 10), speed=10), 101.5).finished_at == 101


def test_a_failure_skips_what_follows():
    build = course(Step("a", 10, ("failed",)), Step("b", 5))
    assert at(build, 110) == ("failed", ["failed", "skipped"])
    assert snapshot(build, 200).finished_at == 110


def test_a_soft_failure_goes_on():
    build = course(Step("a", 10, ("soft_failed",)), Step("b", 5))
    assert at(build, 115) == ("passed", ["soft_failed", "passed"])


def test_an_unstable_step_makes_the_build_unstable():
    build = course(Step("a", 10, ("unstable",)), Step("b", 5))
    assert at(build, 115) == ("unstable", ["unstable", "passed"])


def test_a_group_runs_at_the_same_time_and_is_failing_before_it_failed():
    build = course(Step("a", 2, ("failed",), group="g"), Step("b", 5, group="g"), Step("c", 1))
    assert at(build, 103) == ("failing", ["failed", "running", "pending"])
    assert at(build, 105) == ("failed", ["failed", "passed", "skipped"])


def test_a_gate_waits_until_it_is_opened():
    build = course(Step("a", 10), Step("go?", gate=True), Step("b", 5))
    assert at(build, 500) == ("waiting", ["passed", "waiting", "pending"])
    build.unblocked[1] = 600.0
    assert at(build, 599) == ("waiting", ["passed", "waiting", "pending"])
    assert at(build, 601) == ("running", ["passed", "passed", "running"])
    assert snapshot(build, 700).finished_at == 605


def test_a_retry_reopens_a_failed_build():
    build = course(Step("a", 10, ("failed", "passed")), Step("b", 5))
    build.retries[0] = [200.0]
    assert at(build, 205) == ("running", ["running", "pending"])
    assert at(build, 215) == ("passed", ["passed", "passed"])
    assert [run.state for run in snapshot(build, 215).runs] == ["failed", "passed", "passed"]


def test_a_queued_build_is_cancelled_at_once():
    build = course(Step("a", 10), cancelled_at=90.0)
    assert at(build, 91) == ("cancelled", ["cancelled"])
    assert snapshot(build, 91).started_at is None


def test_a_running_build_takes_a_moment_to_stop():
    build = course(Step("a", 10), Step("b", 5), cancelled_at=104.0)
    assert at(build, 104.5)[0] == "cancelling"
    assert at(build, 106) == ("cancelled", ["cancelled", "cancelled"])
    assert snapshot(build, 106).finished_at == 105.5


def test_a_build_is_ended_by_hand():
    build = course(Step("a", 10), Step("b", 5), forced=(103.0, "failed"))
    assert at(build, 104) == ("failed", ["failed", "skipped"])


def lines(seen: Snapshot, now: float) -> list[str]:
    return [text for run in seen.runs for _, text in run.lines(now)]


def test_lines_appear_over_time_and_never_change():
    build = course(Step("a", 10, lines=("1", "2", "3", "4"), repeat=2))
    before: list[str] = []
    for now in (100, 101, 103.3, 107, 111):
        shown = lines(snapshot(build, now), now)
        assert shown[: len(before)] == before
        before = shown
    assert before == ["1", "2", "3", "4"] * 2
