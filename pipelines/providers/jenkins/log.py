"""The console log of one run."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.providers.base import LogChunk
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.jenkins.wire import JenkinsWire
from pipelines.providers.logs import TAIL_BYTES, unmarked

# Notes hidden in raw logs; Jenkins strips its own, plugins that copy logs don't. They are Base64:
# one without an end is looked at up to the next escape, and not up to the end of the line.
_NOTES = re.compile(r"\x1b\[8mha:[^\x1b\n]*+\x1b\[0m")
_SIZE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class _Piece:
    text: str
    size: int  # where the log ends now, in Jenkins' own count
    more: bool
    cut: bool


def read_log(
    wire: JenkinsWire, run_path: str, offset: int, is_moving: Callable[[], bool]
) -> LogChunk:
    """The console from `offset` on. Jenkins counts offsets in its raw file, so the next one can't
    be told from the text's length. `is_moving` is asked only where the answer leaves it open."""
    piece = _read(wire, run_path, offset, limit=TAIL_BYTES, truncate=True)
    restarted, truncated = piece.size < offset, False
    text = piece.text
    if piece.cut:
        # Too much for one chunk: only the end is shown. Jenkins knows no negative start, so the
        # size of the first answer says where to begin. The log may grow in between.
        start = max(piece.size - TAIL_BYTES, 0)
        piece = _read(wire, run_path, start, limit=4 * TAIL_BYTES, truncate=False)
        text = piece.text.partition("\n")[2]
        restarted, truncated = restarted or offset > 0, True
    done = not piece.more
    if piece.more and piece.size == 0:
        # A log file that is missing says "more" for ever, also after the run's end.
        done = not is_moving()
    plain = unmarked(_NOTES.sub("", text))
    return LogChunk(plain, piece.size, done, restarted, truncated)


def _read(wire: JenkinsWire, run_path: str, start: int, *, limit: int, truncate: bool) -> _Piece:
    answer = wire.get(
        f"{run_path}/logText/progressiveText",
        {"start": str(start)},
        accept="text/plain",
        max_bytes=limit,
        truncate=truncate,
    )
    size = answer.headers.get("X-Text-Size", "")
    if answer.content_type != "text/plain" or not _SIZE.fullmatch(size):
        raise InvalidResponse("Jenkins answered something else than a build's log.")
    more = answer.headers.get("X-More-Data", "").lower() == "true"
    return _Piece(answer.text(), int(size), more, answer.truncated)
