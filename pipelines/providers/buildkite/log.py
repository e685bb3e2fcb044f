"""The log of one job.

Buildkite can't read from an offset: it gives the whole log, up to 1 GiB, or a number of bytes from
its end. So the end is asked for, and where it begins is told by the answer's Content-Range.
"""

import re
from dataclasses import dataclass

from pipelines.providers.base import FOLD_START, LogChunk
from pipelines.providers.buildkite.wire import BuildkiteWire
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.logs import TAIL_BYTES, left_out, part_told, unmarked
from portal.http import Response

# Timestamps (APC) and images (OSC) that only Buildkite's own page reads; colours are kept. None
# goes beyond another escape, or each of many without an end would be read to the end of the log.
_STRINGS = re.compile(r"\x1b[_\]][^\x07\x1b]*+(?:\x07|\x1b\\)")
# A line that opens a group; `^^^ +++` opens the last group on the vendor's page, and says no more.
_GROUP = re.compile(r"^(?:---|\+\+\+|~~~)[ \t]+(?=[^ \t\r\n])", re.MULTILINE)
_OPENED = re.compile(r"^\^\^\^ \+\+\+[ \t]*\r*(?:\n|\Z)", re.MULTILINE)
LEFT_OUT = left_out("Buildkite")


@dataclass(frozen=True)
class _Piece:
    start: int  # the byte of the log that `data` begins with
    data: bytes
    cut: bool = False  # the end is lacking


def read_log(wire: BuildkiteWire, job_path: str, offset: int, *, over: bool) -> LogChunk:
    """The log from byte `offset` on. `over`: the job had ended before this was asked, so nothing
    more will come and its last line is whole."""
    answer = wire.get(
        f"{job_path}/log",
        accept="text/plain",
        headers={"Range": f"bytes=-{TAIL_BYTES}", "Accept-Encoding": "identity"},
        max_bytes=TAIL_BYTES,
        truncate=True,
        expect=(404, 416),
    )
    if answer.status in (404, 416):
        # No output yet, or none at all; that the job exists is known by now.
        return LogChunk("", 0, over, restarted=offset > 0)
    piece = _piece(answer)
    end = piece.start + len(piece.data)
    if end < offset:
        return LogChunk(_text(piece.data), end, over, restarted=True, truncated=piece.start > 0)
    gap = piece.start > offset
    data = piece.data if gap else piece.data[offset - piece.start :]
    if gap:
        data = data.partition(b"\n")[2]
    if not over:
        # A line or an escape that is only half there is left for the next time.
        whole = data.rfind(b"\n") + 1
        data, end = data[:whole], end - (len(data) - whole)
    text = _text(data) + (LEFT_OUT if piece.cut else "")
    return LogChunk(text, end, over or piece.cut, restarted=gap and offset > 0, truncated=gap)


def _piece(answer: Response) -> _Piece:
    if answer.content_type != "text/plain":
        raise InvalidResponse("Buildkite answered something else than a log.")
    if answer.status == 206:
        told = part_told(answer)
        if told and told[1] - told[0] + 1 == len(answer.body):
            return _Piece(told[0], answer.body)
        if len(answer.body) >= TAIL_BYTES:
            raise InvalidResponse("Buildkite did not say which part of the log it gave.")
    return _Piece(0, answer.body, answer.truncated)


def _text(data: bytes) -> str:
    """Of a build's own text nothing can pass for a fold mark: those characters go first."""
    shown = _STRINGS.sub("", unmarked(data.decode("utf-8", errors="replace")))
    return _GROUP.sub(FOLD_START, _OPENED.sub("", shown))
