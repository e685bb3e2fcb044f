"""Reads a build's steps and log from its server and turns log text into lines of safe HTML.

Every reading is kept for a moment, so that a hundred viewers of one log cost the vendor what one
costs.
"""

import hashlib
import re
from dataclasses import dataclass

from ansi2html import Ansi2HTMLConverter
from django.core.cache import cache
from django.utils.safestring import SafeString, mark_safe

from pipelines.models import Build
from pipelines.providers.base import Capability, LogChunk, State, Step
from pipelines.servers import client_for

# Seconds that a reading of a moving build serves all viewers.
SHARED_SECONDS = 2
# A finished step's log does not change; kept long enough for a review.
FINISHED_SECONDS = 300
# Cut lines that no person reads and that would stall a browser.
MAX_LINE = 5_000

# OSC, APC, DCS, PM and SOS strings: titles, hyperlinks, images; none of them belongs in a page.
# All escapes before one go with it: one left behind would make a new string of what follows.
_STRINGS = re.compile(r"\x1b+[\]_PX^].*?(?:\x07|\x1b\\|$)", re.DOTALL)
_SPAN = re.compile(r"<span class=\"[^\"]*\">|</span>")
_converter = Ansi2HTMLConverter(inline=False, escaped=True)


@dataclass(frozen=True)
class LogLine:
    """One line, numbered from 1; `html` is escaped but for colour spans."""

    number: int
    html: SafeString


@dataclass(frozen=True)
class LogPage:
    """The lines that follow what a viewer has; `next_offset` and `next_line` continue them."""

    lines: list[LogLine]
    next_offset: int
    next_line: int
    done: bool
    restarted: bool = False
    truncated: bool = False


def steps_of(build: Build) -> list[Step]:
    """The build's steps, newest knowledge; raises ProviderError."""
    key = _key("steps", build.pk, build.state)
    steps: list[Step] | None = cache.get(key)
    if steps is None:
        client = client_for(build.pipeline.server)
        if Capability.STEPS not in client.capabilities:
            return []
        steps = list(client.steps(build.pipeline.external_id, build.external_id))
        cache.set(key, steps, FINISHED_SECONDS if build.is_final else SHARED_SECONDS)
    return steps


def step_to_show(steps: list[Step], wanted: str = "") -> Step | None:
    """The step that was asked for; else what a person looks for: failed, running, the last."""
    with_log = [step for step in steps if step.log_id]
    for step in with_log:
        if step.id == wanted:
            return step
    for state in (State.FAILED, State.RUNNING):
        for step in with_log:
            if step.state is state:
                return step
    return with_log[-1] if with_log else None


def read(build: Build, log_id: str, offset: int = 0, first_line: int = 1) -> LogPage:
    """The log from `offset` on, as numbered lines; raises ProviderError.

    A chunk may end within a line: the rest is held back until the line is whole, and kept under
    the next offset so that whoever asks for that continues it.
    """
    chunk = _chunk(build, log_id, offset)
    if chunk.restarted:
        offset, first_line = 0, 1
    text = cache.get(_key("tail", build.pk, log_id, offset), "") + chunk.text
    if not chunk.done:
        text, _, tail = text.rpartition("\n")
        text += "\n" if text else ""
        key = _key("tail", build.pk, log_id, chunk.next_offset)
        # Whoever began within the line, as an address may ask for, holds only a part of it.
        known = cache.get(key, "") if offset else ""
        cache.set(key, max(tail, known, key=len), FINISHED_SECONDS)
    lines = render(text, first_line)
    return LogPage(
        lines=lines,
        next_offset=chunk.next_offset,
        next_line=first_line + len(lines),
        done=chunk.done,
        restarted=chunk.restarted,
        truncated=chunk.truncated,
    )


def render(text: str, first_line: int = 1) -> list[LogLine]:
    """Log text to safe HTML lines; colours that span lines are closed and opened again."""
    if not text:
        return []
    text = _STRINGS.sub("", text.replace("\r\n", "\n").removesuffix("\n"))
    # A progress bar writes over its own line: what stood last is what a terminal shows.
    kept = [line.rstrip("\r").rpartition("\r")[2][:MAX_LINE] for line in text.split("\n")]
    html = _converter.convert("\n".join(kept), full=False, ensure_trailing_newline=False)
    lines, open_spans = [], ""
    for number, line in enumerate(html.split("\n"), start=first_line):
        whole = open_spans + line
        open_spans = _left_open(whole)
        whole += "</span>" * open_spans.count("<span")
        lines.append(LogLine(number, mark_safe(whole)))  # noqa: S308  escaped by the converter
    return lines


def _left_open(html: str) -> str:
    spans: list[str] = []
    for match in _SPAN.finditer(html):
        if match[0] == "</span>":
            if spans:
                spans.pop()
        else:
            spans.append(match[0])
    return "".join(spans)


def _chunk(build: Build, log_id: str, offset: int) -> LogChunk:
    key = _key("log", build.pk, log_id, offset)
    chunk: LogChunk | None = cache.get(key)
    if chunk is None:
        client = client_for(build.pipeline.server)
        chunk = client.log(build.pipeline.external_id, build.external_id, log_id, offset)
        cache.set(key, chunk, FINISHED_SECONDS if chunk.done else SHARED_SECONDS)
    return chunk


def _key(*parts: object) -> str:
    # Hashed, because a step's id is the vendor's word and a cache key allows few characters.
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
