"""The log of one step, read from a byte on.

The byte before the offset is asked for too. So 416 ("nothing there") says one thing only: the log
is shorter than what we have, because the step ran again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipelines.providers.base import LogChunk
from pipelines.providers.bitbucket.wire import BitbucketWire
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.logs import TAIL_BYTES, left_out, part_told, unmarked
from portal.http import Response

LEFT_OUT = left_out("Bitbucket")


@dataclass(frozen=True)
class _Piece:
    start: int  # the byte of the log that `data` begins with
    data: bytes
    cut: bool  # more was there than is read at once
    ranged: bool = False  # the rest can be asked for
    total: int | None = None  # the log's length where it is told
    final: bool = False  # nothing more will come

    @property
    def end(self) -> int:
        return self.start + len(self.data)


def read_log(wire: BitbucketWire, path: str, offset: int, ended: Callable[[], bool]) -> LogChunk:
    """The log from byte `offset` on, by one request while the step talks.

    Where the log is kept tells that the step has ended. `ended()` asks for its state where that
    says nothing and nothing new came; raises NotFound when there is no such step.
    """
    chunk = _read_once(wire, path, offset, over=False)
    if chunk.done or chunk.text or not ended():
        return chunk
    return _read_once(wire, path, offset, over=True)


def _read_once(wire: BitbucketWire, path: str, offset: int, *, over: bool) -> LogChunk:
    """`over`: the step had ended before this was asked, so its last line is whole."""
    piece = _read(wire, path, max(offset - 1, 0))
    restarted = False
    if offset and (piece is None or piece.end < offset):
        piece, offset, restarted = _read(wire, path, 0), 0, True
    if piece is None:
        # Nothing printed yet, or nothing kept; that the step exists is known by now.
        return LogChunk("", 0, over, restarted=restarted)
    if piece.cut and piece.total and piece.total - TAIL_BYTES > offset:
        piece = _read(wire, path, piece.total - TAIL_BYTES) or piece
    gap = piece.start > offset
    data = piece.data if gap else piece.data[offset - piece.start :]
    if gap:
        data = data.partition(b"\n")[2]
    over = over or piece.final
    end, more, lost = piece.end, piece.cut and piece.ranged, piece.cut and not piece.ranged
    if not over or more:
        # A line or an escape that is only half there is left for the next time.
        whole = data.rfind(b"\n") + 1 or (len(data) if piece.cut else 0)
        data, end = data[:whole], end - (len(data) - whole)
    return LogChunk(
        _text(data) + (LEFT_OUT if lost else ""),
        end,
        (over and not more) or lost,
        restarted=restarted or (gap and offset > 0),
        truncated=gap,
    )


def _read(wire: BitbucketWire, path: str, start: int) -> _Piece | None:
    # A little more than is wanted: a body of just the limit would pass for one that was cut.
    answer, final = wire.log(path, start, TAIL_BYTES + 2)
    if answer.status in (404, 416):
        return None
    if answer.content_type in ("text/html", "application/json"):
        raise InvalidResponse("Bitbucket answered something else than a log.")
    if answer.status != 206:
        return _Piece(0, answer.body, answer.truncated, final=final)
    return replace(_ranged(answer), final=final)


def _ranged(answer: Response) -> _Piece:
    told = part_told(answer)
    if told is None:
        raise InvalidResponse("Bitbucket did not say which part of the log it gave.")
    return _Piece(told[0], answer.body, answer.truncated, ranged=True, total=told[2])


def _text(data: bytes) -> str:
    return unmarked(data.decode("utf-8", errors="replace"))
