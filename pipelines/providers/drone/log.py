"""A step's log: whole once the step has ended, a stream of events while it runs.

A log is a list of pieces `{pos, out, time}`; an offset is the `pos` of the next piece. The runner
keeps the last 5 MB of a step, so the first piece need not be number 0; and of one document, which
Drone can only give whole, no more than its end is kept here.
"""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.providers.base import MOVING, LogChunk
from pipelines.providers.drone.parse import parse_steps
from pipelines.providers.drone.wire import DroneWire
from pipelines.providers.errors import InvalidResponse, NotFound
from pipelines.providers.logs import TAIL_BYTES, left_out, unmarked
from pipelines.providers.wire import integer, mapping, text

MAX_BYTES = 24_000_000  # of JSON: 5 MB of text with what stands around each line
LINGER = 2.0  # seconds for what a running step has printed so far
LEFT_OUT = left_out("Drone")
_JSON = json.JSONDecoder()
_BETWEEN = " \t\r\n,"  # what stands in front of an item


@dataclass(frozen=True)
class Piece:
    pos: int
    out: str


def read_log(wire: DroneWire, build_path: str, log_id: str, offset: int) -> LogChunk:
    """The log of `stage/step` from `offset` on."""
    path = _path(log_id)
    if path:
        response = wire.get(
            f"{build_path}/logs/{path}", max_bytes=MAX_BYTES, truncate=True, expect=(404,)
        )
        if response.status != 404:
            if response.content_type == "text/html":
                wire.json(response)  # which says that it is none
            return _chunk(_pieces(response.body, response.truncated), offset, done=True)
    return _unfinished(wire, build_path, path, offset)


def _unfinished(wire: DroneWire, build_path: str, path: str, offset: int) -> LogChunk:
    """404 stands for a step that runs, has not begun, was skipped, or does not exist."""
    steps = {step.id: step for step in parse_steps(wire.one(build_path))}
    step = steps.get(path)
    if step is None:
        raise NotFound("Drone has no log of this name in the build.")
    if step.state not in MOVING:
        return LogChunk("", offset, done=True)
    if not step.log_id:
        return LogChunk("", offset, done=False)
    stream = wire.stream(
        build_path.replace("/api/repos/", "/api/stream/").replace("/builds/", "/") + f"/{path}",
        LINGER,
        MAX_BYTES,
    )
    # Even an ended stream is not the end: what it held back stands in the log that comes now.
    return _chunk(_events(stream), offset, done=False)


def _path(log_id: str) -> str:
    """`stage/step` when it is one, else empty."""
    parts = log_id.split("/")
    good = len(parts) == 2 and all(p.isascii() and p.isdigit() and len(p) < 6 for p in parts)
    return log_id if good else ""


def _chunk(pieces: Iterator[Piece], offset: int, *, done: bool) -> LogChunk:
    """What stands behind `offset`; all of it when the log has become shorter than that.

    A stream that was left early may not have come as far as `offset`: that is no shorter log.
    """
    kept: deque[Piece] = deque()
    size, next_offset = 0, 0
    for piece in pieces:
        next_offset = max(next_offset, piece.pos + 1)
        kept.append(piece)
        size += len(piece.out)
        while size > TAIL_BYTES and len(kept) > 1:
            size -= len(kept.popleft().out)
    if next_offset <= offset and not done:
        return LogChunk("", offset, done=False)
    restarted = offset > next_offset
    begin = 0 if restarted else offset
    return LogChunk(
        text="".join(piece.out for piece in kept if piece.pos >= begin),
        next_offset=next_offset,
        done=done,
        restarted=restarted,
        truncated=bool(kept) and kept[0].pos > begin,
    )


def _pieces(body: bytes, cut: bool) -> Iterator[Piece]:
    """The pieces of a JSON array, of JSON lines, or of `null`; one by one, so that a document of
    many MB does not become as many objects. Raises InvalidResponse for anything else."""
    document = body.decode("utf-8", errors="replace").strip()
    if document in ("null", ""):
        return
    array = document.startswith("[")
    place, pos, end = int(array), -1, len(document)
    while (place := _next_item(document, place)) < end and document[place] != "]":
        try:
            item, place = _JSON.raw_decode(document, place)
        except (ValueError, RecursionError):
            if not cut or pos < 0:
                raise InvalidResponse("Drone answered a log that can't be read.") from None
            break
        piece = _piece(item, pos + 1)
        pos = piece.pos
        yield piece
    if cut:
        yield Piece(pos + 1, LEFT_OUT)
    elif array != (document[place:] == "]"):
        raise InvalidResponse("Drone answered a log that breaks off.")


def _next_item(document: str, place: int) -> int:
    while place < len(document) and document[place] in _BETWEEN:
        place += 1
    return place


def _piece(item: object, otherwise: int) -> Piece:
    row = mapping(item)
    if "out" not in row:
        raise InvalidResponse("Drone answered a log of another shape than its API gives.")
    pos = integer(row.get("pos"))
    out = unmarked(text(row.get("out")))
    return Piece(max(pos if pos is not None else otherwise, 0), out)


def _events(stream: bytes) -> Iterator[Piece]:
    """The pieces of a stream; comments, the end mark and what is cut off are left out."""
    lines = stream.decode("utf-8", errors="replace").split("\n")
    for line in lines[:-1]:
        if not line.startswith("data:"):
            continue
        try:
            item = json.loads(line[5:])
        except (ValueError, RecursionError):
            continue
        if "out" in mapping(item):
            yield _piece(item, 0)
