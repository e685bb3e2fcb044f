"""A step's log: a JSON array once the step has ended, a stream of events while it runs."""

import json
import time
from collections.abc import Iterator
from typing import Any

from .. import script
from ..objects import Build
from ..script import Run
from ..wire import Answer, Request, json_answer
from . import errors
from .stages import Stage, stages_of

ENDED = frozenset({script.PASSED, script.UNSTABLE, script.FAILED, script.SOFT_FAILED})
LOOK_EVERY = 0.03
LONGEST = 3_600.0
EOF = b"event: error\ndata: eof\n\n"


def find(request: Request, build: Build, stage: str, step: str) -> Run | None:
    """The run of a step by its numbers; None when there is none."""
    found = stages_of(build, build.at(request.instance.now()))
    number, place = int(stage), int(step)
    if not 0 < number <= len(found) or not _begun(found[number - 1]):
        return None
    runs = found[number - 1].runs
    return runs[place - 1] if 0 < place <= len(runs) else None


def _begun(stage: Stage) -> bool:
    return stage.started is not None


def pieces(run: Run, now: float) -> list[dict[str, Any]]:
    """What it has printed until now."""
    if run.started_at is None:
        return []
    shown = [(run.started_at, f"+ {run.step.name.lower()}"), *run.lines(now)]
    if run.state in (script.FAILED, script.SOFT_FAILED) and run.step.lines == ():
        shown.append((run.finished_at or now, "exit 1"))
    return [
        {"pos": pos, "out": f"{text}\n", "time": int(at - run.started_at)}
        for pos, (at, text) in enumerate(shown)
    ]


def answer(request: Request, build: Build, stage: str, step: str) -> Answer:
    """`GET …/logs/{stage}/{step}`: 404 until the step has ended, and for one that was skipped."""
    for text in (stage, step):
        if not text.isdigit():
            return errors.no_number(text)
    run = find(request, build, stage, step)
    has_log = run is not None and (
        run.state in ENDED or (run.state == script.CANCELLED and run.started_at is not None)
    )
    if run is None or not has_log or build.pipeline.log_lost:
        return errors.no_rows()
    # A runner keeps the last lines only, so the first need not be number 0.
    cut = int(build.pipeline.details.get("log_cut", 0))
    return json_answer(pieces(run, request.instance.now())[cut:], headers=errors.NO_CACHE)


def stream(request: Request, build: Build, stage: str, step: str) -> Answer:
    """`GET /api/stream/…`: what has been printed, then what follows, until the step ends."""
    if not (stage.isdigit() and step.isdigit()):
        return errors.no_number(stage)
    headers = {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache",
        "X-Accel-Buffering": "no",
    }
    if find(request, build, stage, step) is None:
        return errors.no_rows()
    return Answer(200, _events(request, build, stage, step), headers)


def _events(request: Request, build: Build, stage: str, step: str) -> Iterator[bytes]:
    """Runs after the server has let go of the world's lock, and takes it for each look."""
    yield b": ping\n\n"
    sent, until = 0, time.monotonic() + LONGEST
    while time.monotonic() < until:
        with request.world.lock:
            run = find(request, build, stage, step)
            running = run is not None and run.state == script.RUNNING
            shown = pieces(run, request.instance.now()) if run is not None and running else []
        for piece in shown[sent:]:
            yield b"data: " + json.dumps(piece, ensure_ascii=False).encode() + b"\n\n\n"
        sent = max(sent, len(shown))
        if not running:
            yield EOF
            return
        time.sleep(LOOK_EVERY)


def plain(build: Build, now: float) -> str:
    """Every step's log, for people."""
    runs = [run for stage in stages_of(build, build.at(now)) for run in stage.runs]
    return "".join(piece["out"] for run in runs for piece in pieces(run, now))
