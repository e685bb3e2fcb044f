"""A Buildkite job's log: ANSI colours, APC timestamps, group marks; as JSON, text or HTML."""

import re
from html import escape

from .. import script
from ..objects import Build
from ..script import Run
from ..wire import Answer, Request, html_answer, json_answer, text_answer
from . import errors
from .model import Model, command_of, millis

_RANGE = re.compile(r"bytes=-(\d+)$")


def content(build: Build, run: Run, now: float) -> str:
    """What the agent has uploaded until now; the end of each line is `\\r\\n`."""
    if run.started_at is None or build.pipeline.log_lost:
        return ""
    started = run.started_at
    lines = [
        (started, "~~~ Preparing working directory"),
        (started, f"\x1b[90m$\x1b[0m git checkout -f {build.commit}"),
        (started, "~~~ Running commands"),
        (started, f"\x1b[90m$\x1b[0m {command_of(run.step.name)}"),
        *run.lines(now),
    ]
    if run.state in {script.FAILED, script.SOFT_FAILED} and run.finished_at is not None:
        lines.append((run.finished_at, "\x1b[31m🚨 Error: The command exited with status 1\x1b[0m"))
        lines.append((run.finished_at, "^^^ +++"))
    return "".join(f"\x1b_bk;t={millis(at)}\x07{text}\r\n" for at, text in lines)


def answer(request: Request, build: Build, run: Run | None, form: str) -> Answer:
    """`log`, `log.txt` and `log.html`; 404 for a block step, which has none."""
    if run is None or run.step.gate:
        return errors.not_found("job")
    text = content(build, run, request.instance.now())
    accept = request.headers.get("Accept", "")
    if form == "log.txt" or (form == "log" and "text/plain" in accept):
        return _text(request, text.encode())
    if form == "log.html" or (form == "log" and "text/html" in accept):
        return html_answer(f"<pre>{escape(plain(text))}</pre>")
    model = Model(request.instance, request.base)
    times = [round((run.started_at or 0) * 1_000_000_000)] if text else []
    return json_answer(
        {
            "url": f"{model.job_url(build, run)}/log",
            "content": text,
            "size": len(text.encode()),
            "header_times": times,
        }
    )


def _text(request: Request, raw: bytes) -> Answer:
    """Plain text, whole or its end: only the suffix form of Range exists."""
    wanted = request.headers.get("Range")
    if wanted is None:
        return text_answer(raw.decode(), headers={"Accept-Ranges": "bytes"})
    match = _RANGE.match(wanted)
    if match is None:
        return errors.message(400, "Only suffix byte ranges (bytes=-N) are supported")
    if not raw:
        return Answer(416, headers={"Content-Range": "bytes */0"})
    tail = raw[-int(match.group(1)) :] if int(match.group(1)) else b""
    first = len(raw) - len(tail)
    headers = {
        "Content-Type": "text/plain;charset=utf-8",
        "Content-Range": f"bytes {first}-{len(raw) - 1}/{len(raw)}",
    }
    return Answer(206, tail, headers)


def plain(text: str) -> str:
    """Without APC timestamps and colours, for people."""
    return re.sub(r"\x1b_.*?\x07|\x1b\[[0-9;]*m", "", text).replace("\r\n", "\n")
