"""A Jenkins console: raw text with console notes, its plain form, and progressive reading."""

import heapq
import re
from collections.abc import Iterator

from ..objects import Build
from ..script import FAILED, SKIPPED, Run
from ..wire import Answer, Request, text_answer

# A console note as the raw log file holds it: counted in offsets, never shown.
_NOTE = "\x1b[8mha:////4Kcm9vdAo=AAAAkh+LCAAAAAAAAP9b85aBtbiIQTGjNKU4P08vOT+vOD8nVc83PyU1x6OyILUoJzMv\x1b[0m"
_NOTES = re.compile(rb"\x1b\[8mha:.*?\x1b\[0m", re.DOTALL)
_PARTIAL_NOTE = re.compile(rb"^[^\x1b\n]*\x1b\[0m")
LINE_CAP = 10_000  # per progressive answer, newer core

RESULTS = {
    "passed": "SUCCESS",
    "unstable": "UNSTABLE",
    "failed": "FAILURE",
    "cancelled": "ABORTED",
    "skipped": "NOT_BUILT",
}


def raw_log(build: Build, now: float) -> bytes:
    """The log file as it stands: it only ever grows."""
    seen = build.at(now)
    if seen.started_at is None or build.pipeline.log_lost:
        return b""
    head = [f"{_NOTE}{cause_text(build)}"]
    head += [f"{name}={value}" for name, value in build.shown_parameters().items()]
    pipeline = build.pipeline.kind != "freestyle"
    if pipeline:
        head.append("[Pipeline] Start of Pipeline")
    lines = [*head, *(text for _, text in _body(build, now, pipeline))]
    if seen.finished_at is not None:
        if pipeline:
            lines.append("[Pipeline] End of Pipeline")
        lines.append(f"Finished: {RESULTS[seen.state]}")
    return "".join(f"{line}\n" for line in lines).encode()


def _body(build: Build, now: float, pipeline: bool) -> Iterator[tuple[float, str]]:
    runs = [run for run in build.at(now).runs if run.started_at is not None]
    return heapq.merge(
        *(_run_lines(build, run, now, pipeline) for run in runs), key=lambda line: line[0]
    )


def _run_lines(build: Build, run: Run, now: float, pipeline: bool) -> Iterator[tuple[float, str]]:
    started = run.started_at or 0.0
    if pipeline:
        yield started, f"[Pipeline] {{ ({run.step.name})"
        if run.step.gate:
            yield started, f"{run.step.name}\nProceed or Abort"
            if run.index in build.unblocked_by:
                who = build.unblocked_by[run.index].name
                yield run.finished_at or started, f"Approved by {who}"
    yield from run.lines(now)
    if run.state == FAILED:
        yield run.finished_at or started, "ERROR: script returned exit code 1"
    if run.finished_at is not None and pipeline:
        yield run.finished_at, "[Pipeline] }"


def step_log(run: Run, now: float) -> str:
    """One stage's own lines."""
    return "".join(f"{text}\n" for _, text in run.lines(now)) if run.state != SKIPPED else ""


_SOURCES = {
    "schedule": "Started by timer",
    "upstream": 'Started by upstream project "team/first" build number 1',
    "remote": "Started by remote host 192.0.2.7",
}


def cause_text(build: Build) -> str:
    if build.source in _SOURCES:
        return _SOURCES[build.source]
    if build.source != "scm" and build.who is not None:
        return f"Started by user {build.who.name}"
    branch = build.pipeline.branch
    return f"Push event to branch {branch}" if branch else "Started by an SCM change"


def plain(raw: bytes) -> str:
    return _NOTES.sub(b"", raw).decode("utf-8", "replace")


def progressive(request: Request, build: Build, now: float) -> Answer:
    """`logText/progressiveText`: what follows `start`, the next offset and whether more comes.

    A lost log file answers size 0 and "more data" for ever, even when the run has ended.
    """
    running = not build.at(now).final
    raw = raw_log(build, now)
    if build.pipeline.log_lost:
        return text_answer("", headers={"X-Text-Size": "0", "X-More-Data": "true"})
    fields = dict(request.form())
    asked = fields.get("start", "0")
    start = int(asked) if asked.isdigit() else 0
    if start > len(raw):
        start = 0
    piece = raw[start:]
    lines = piece.splitlines(keepends=True)
    if running and len(lines) > LINE_CAP:
        piece = b"".join(lines[:LINE_CAP])
    headers = {"X-Text-Size": str(start + len(piece))}
    if running:
        headers["X-More-Data"] = "true"
    if start:
        piece = _PARTIAL_NOTE.sub(b"", piece)
    return text_answer(plain(piece), headers=headers)
