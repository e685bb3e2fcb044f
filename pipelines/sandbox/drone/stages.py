"""A build's stages and steps: what Drone splits a run into.

A gate of the sandbox begins a stage that is blocked until it is approved. `clone` is the first step
of every stage unless the pipeline disables it (`details["clone"]`, off unless it is set).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .. import script
from ..objects import Build
from ..script import Run, Snapshot, Step

CLONE = Step("clone", lines=("+ git init", "Initialized empty Git repository", "+ git checkout"))
STEP_WORDS = {
    script.PENDING: "pending",
    script.QUEUED: "pending",
    script.RUNNING: "running",
    script.PASSED: "success",
    script.UNSTABLE: "success",
    script.FAILED: "failure",
    script.SOFT_FAILED: "failure",
    script.CANCELLED: "killed",
    script.SKIPPED: "skipped",
}


@dataclass(frozen=True)
class Stage:
    """One stage at a moment. `gate` is what has to be approved first, and its index."""

    number: int
    name: str
    runs: tuple[Run, ...]
    gate: Run | None = None

    @property
    def started(self) -> float | None:
        return min((r.started_at for r in self.runs if r.started_at is not None), default=None)

    @property
    def stopped(self) -> float | None:
        if any(run.state in (script.PENDING, script.RUNNING) for run in self.runs):
            return None
        return max((r.finished_at for r in self.runs if r.finished_at is not None), default=None)


def stages_of(build: Build, seen: Snapshot) -> list[Stage]:
    """In order; none for a build whose configuration is broken."""
    if build.details.get("error"):
        return []
    groups: list[tuple[Run | None, list[Run]]] = []
    for run in seen.current():
        if run.step.gate:
            groups.append((run, []))
        else:
            if not groups:
                groups.append((None, []))
            groups[-1][1].append(run)
    clone = bool(build.pipeline.details.get("clone"))
    first = str(build.pipeline.details.get("stage", "default"))
    return [
        Stage(number, gate.step.name if gate else first, tuple(_cloned(runs, clone)), gate)
        for number, (gate, runs) in enumerate(groups, 1)
    ]


def _cloned(runs: Sequence[Run], clone: bool) -> Iterator[Run]:
    if clone and runs:
        first = runs[0]
        begun = first.started_at
        state = first.state if begun is None else script.PASSED
        yield replace(
            first, index=-1, step=CLONE, state=state, finished_at=begun, ends_at=begun or 0.0
        )
    yield from runs


def stage_word(build: Build, stage: Stage, before: Sequence[str]) -> str:
    """The stage's status; `before` are those of the stages in front of it."""
    ended = build.cancel_reason == "declined", build.course.cancelled_at is not None
    if stage.gate is not None and stage.gate.state in (script.PENDING, script.WAITING):
        return "blocked"
    if stage.gate is not None and stage.gate.state == script.CANCELLED and any(ended):
        return "declined" if ended[0] else "skipped"
    states = {run.state for run in stage.runs}
    for state in (script.RUNNING, script.CANCELLED, script.FAILED):
        if state in states:
            killed_unstarted = state == script.CANCELLED and stage.started is None
            return "skipped" if killed_unstarted else STEP_WORDS[state]
    if script.PENDING in states:
        if stage.started is not None:
            return "running"
        waits = any(word not in ("success", "failure") for word in before)
        return "waiting_on_dependencies" if waits else "pending"
    if states == {script.SKIPPED}:
        return "skipped"
    return "success"


def build_word(build: Build, seen: Snapshot) -> str:
    """The build's status. It is "pending" or "running" while a stage is blocked."""
    if build.details.get("error"):
        return "error"
    match seen.state:
        case script.QUEUED:
            return "pending"
        case script.RUNNING | script.FAILING:
            return "running"
        case script.WAITING:
            begun = any(run.started_at for run in seen.current() if not run.step.gate)
            return "running" if begun else "pending"
        case script.CANCELLED | script.CANCELLING:
            return "declined" if build.cancel_reason == "declined" else "killed"
        case script.FAILED:
            return "failure"
        case script.SKIPPED:
            return "skipped"
    return "success"
