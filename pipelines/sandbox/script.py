"""What a build does over time: its state, steps and log lines as a pure function of the clock.

Nothing runs in the background. A build stores when it began and what was done to it (cancelled,
unblocked, retried); everything else is computed from that for any moment asked for, so thousands
of builds cost nothing while nobody looks at them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

# A step's outcome, by which later steps run or don't.
PASSED, FAILED, UNSTABLE, SOFT_FAILED = "passed", "failed", "unstable", "soft_failed"
# Further states of a step or a build. "cancelling" and "failing" are a build's only.
PENDING, QUEUED, RUNNING, WAITING = "pending", "queued", "running", "waiting"
CANCELLED, SKIPPED, CANCELLING, FAILING = "cancelled", "skipped", "cancelling", "failing"

FINAL = frozenset({PASSED, FAILED, UNSTABLE, SOFT_FAILED, CANCELLED, SKIPPED})
CANCEL_GRACE = 1.5  # seconds between asking a running build to stop and its end, at speed 1


@dataclass(frozen=True)
class Step:
    """One stage. `outcomes` are those of the first attempt, the second, and so on."""

    name: str
    seconds: float = 4.0
    outcomes: tuple[str, ...] = (PASSED,)
    lines: tuple[str, ...] = ()
    repeat: int = 1  # the lines are printed this often: for large logs
    gate: bool = False  # waits for a person instead of running
    group: str = ""  # neighbours of one group run at the same time
    inputs: tuple[Mapping[str, Any], ...] = ()  # what a gate asks for: fields of objects.Parameter
    tests: tuple[int, ...] = ()  # total, failed and skipped ones that it reports at its end

    def line_count(self) -> int:
        return len(self.lines or (self.name,)) * self.repeat

    def line(self, index: int) -> str:
        lines = self.lines or (self.name,)
        return lines[index % len(lines)]

    def outcome(self, attempt: int) -> str:
        return self.outcomes[min(attempt, len(self.outcomes) - 1)]


@dataclass
class Course:
    """What is stored about one build's course. Times are epoch seconds of the sandbox's clock."""

    steps: tuple[Step, ...]
    starts_at: float
    speed: float = 1.0
    retries: dict[int, list[float]] = field(default_factory=dict)  # step -> when asked again
    unblocked: dict[int, float] = field(default_factory=dict)  # gate -> when
    cancelled_at: float | None = None
    forced: tuple[float, str] | None = None  # ended by hand at this time, with this outcome

    def stops_at(self) -> float | None:
        """When a cancelled build has really stopped."""
        if self.cancelled_at is None:
            return None
        if self.cancelled_at <= self.starts_at:
            return self.cancelled_at
        return self.cancelled_at + CANCEL_GRACE / self.speed


@dataclass(frozen=True)
class Run:
    """One attempt at one step, as it stands at a moment."""

    index: int
    attempt: int
    step: Step
    state: str
    reached_at: float | None = None  # when the steps before it let it begin
    started_at: float | None = None
    finished_at: float | None = None
    ends_at: float = 0.0  # when it ends if nobody interferes
    retried: bool = False

    def lines(self, now: float) -> Iterator[tuple[float, str]]:
        """(time, text) of what it has printed until now."""
        if self.started_at is None or self.step.gate:
            return
        until = min(now, self.finished_at if self.finished_at is not None else now)
        count = self.step.line_count()
        pause = max(self.ends_at - self.started_at, 0.0) / (count + 1)
        for index in range(count):
            at = self.started_at + pause * (index + 1)
            if at > until:
                return
            yield at, self.step.line(index)


@dataclass(frozen=True)
class Snapshot:
    """A build at a moment."""

    state: str
    runs: tuple[Run, ...]
    started_at: float | None
    finished_at: float | None

    def current(self) -> tuple[Run, ...]:
        """The latest attempt of every step."""
        return tuple(run for run in self.runs if not run.retried)

    @property
    def final(self) -> bool:
        return self.state in FINAL


def snapshot(course: Course, now: float) -> Snapshot:
    """The course as it stands at `now`."""
    runs: list[Run] = []
    opens_at: float | None = course.starts_at
    for _, group in groupby(enumerate(course.steps), key=_group_key):
        ends: list[float | None] = []
        for index, step in group:
            attempts = _attempts(course, index, step, opens_at, now)
            runs.extend(attempts)
            ends.append(_lets_on_at(attempts))
        known = [end for end in ends if end is not None]
        opens_at = max(known) if opens_at is not None and len(known) == len(ends) else None
    return _summary(course, _skip_after_failure(runs), now)


def next_change(course: Course, seen: Snapshot, after: float) -> float | None:
    """The first moment later than `after` at which `seen` may no longer hold."""
    known = [course.starts_at, course.cancelled_at, course.stops_at(), *course.unblocked.values()]
    known += [at for again in course.retries.values() for at in again]
    known += [course.forced[0]] if course.forced is not None else []
    for run in seen.runs:
        known += [run.reached_at, run.started_at, run.finished_at, run.ends_at]
    return min((at for at in known if at is not None and at > after), default=None)


def _group_key(item: tuple[int, Step]) -> object:
    index, step = item
    return step.group or index


def _attempts(
    course: Course, index: int, step: Step, opens_at: float | None, now: float
) -> list[Run]:
    if opens_at is None:
        return [_closed(course, Run(index, 0, step, PENDING), now)]
    if step.gate:
        return [_closed(course, _gate(course, index, step, opens_at, now), now)]
    starts = [opens_at, *course.retries.get(index, [])]
    runs = []
    for attempt, start in enumerate(starts):
        end = start + step.seconds / course.speed
        last = attempt == len(starts) - 1
        run = Run(index, attempt, step, PENDING, opens_at, None, None, end, retried=not last)
        if now >= start:
            done = now >= end
            run = replace(
                run,
                state=step.outcome(attempt) if done else RUNNING,
                started_at=start,
                finished_at=end if done else None,
            )
        runs.append(_closed(course, run, now))
    return runs


def _gate(course: Course, index: int, step: Step, opens_at: float, now: float) -> Run:
    opened = course.unblocked.get(index)
    if opened is not None and now >= opened:
        done = max(opened, opens_at)
        return Run(index, 0, step, PASSED, opens_at, opens_at, done, done)
    state = WAITING if now >= opens_at else PENDING
    started = opens_at if state == WAITING else None
    return Run(index, 0, step, state, opens_at, started, None, opens_at)


def _closed(course: Course, run: Run, now: float) -> Run:
    """The run after a cancellation or an end by hand, when that came before its own end."""
    if course.forced is not None and now >= course.forced[0]:
        at, outcome = course.forced
        if run.finished_at is None or run.finished_at > at:
            if run.started_at is None:
                return replace(run, state=SKIPPED)
            return replace(run, state=outcome, finished_at=at)
    stop = course.stops_at()
    if course.cancelled_at is None or stop is None or now < course.cancelled_at:
        return run
    if run.finished_at is not None and run.finished_at <= stop:
        return run
    if run.started_at is None or run.started_at >= course.cancelled_at:
        return replace(run, state=CANCELLED, started_at=None, finished_at=course.cancelled_at)
    return replace(run, state=CANCELLED, finished_at=stop) if now >= stop else run


def _lets_on_at(attempts: list[Run]) -> float | None:
    """When the first attempt that lets the next steps begin has ended; None if none has."""
    for run in attempts:
        good = run.state in {PASSED, UNSTABLE, SOFT_FAILED}
        if good and run.finished_at is not None:
            return run.finished_at
        if run.state == RUNNING and run.step.outcome(run.attempt) != FAILED:
            return run.ends_at
    return None


def _skip_after_failure(runs: list[Run]) -> tuple[Run, ...]:
    failed = any(run.state == FAILED and not run.retried for run in runs)
    busy = any(run.state == RUNNING for run in runs)
    if not failed or busy:
        return tuple(runs)
    return tuple(replace(r, state=SKIPPED) if r.state == PENDING else r for r in runs)


def _summary(course: Course, runs: tuple[Run, ...], now: float) -> Snapshot:
    started = course.starts_at if now >= course.starts_at else None
    state = _state({run.state for run in runs if not run.retried}, started is not None)
    stop = course.stops_at()
    if course.cancelled_at is not None and stop is not None and now >= course.cancelled_at:
        started = course.starts_at if course.cancelled_at > course.starts_at else None
        state = CANCELLED if now >= stop else CANCELLING
        return Snapshot(state, runs, started, stop if state == CANCELLED else None)
    if course.forced is not None and now >= course.forced[0]:
        return Snapshot(course.forced[1], runs, started, course.forced[0])
    ended = [run.finished_at for run in runs if run.finished_at is not None]
    finished = max([*ended, course.starts_at]) if state in FINAL else None
    return Snapshot(state, runs, started, finished)


def _state(states: set[str], started: bool) -> str:
    if not started:
        return QUEUED
    moving = states & {PENDING, RUNNING}
    if FAILED in states:
        return FAILING if moving else FAILED
    if WAITING in states and RUNNING not in states:
        return WAITING
    if moving:
        return RUNNING
    return UNSTABLE if UNSTABLE in states else PASSED
