"""The log of one job.

While it runs it is read in numbered parts, which may come late or out of order; once it has ended
it is one text. A restart erases it. An offset holds the bytes that were read and, for a log in
parts, the part that holds the last line break among them, so that only what follows is asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipelines.providers.base import LogChunk
from pipelines.providers.errors import InvalidResponse, NotFound
from pipelines.providers.logs import TAIL_BYTES, left_out
from pipelines.providers.travis.folds import readable
from pipelines.providers.travis.wire import TravisWire
from pipelines.providers.wire import integer, mappings, text

# Travis' own limit is 4 MB; an Enterprise may have raised it. What is shown is the end.
MAX_BYTES = 8_000_000
LEFT_OUT = left_out("Travis CI")
# A part that is still missing so long after the job's end was lost.
LATE = timedelta(minutes=5)
# 20 bits for the part and 29 for the bytes stay within the 15 digits that an address carries.
_SHIFT = 29


@dataclass(frozen=True)
class _Place:
    """`part` is the number of a part plus one, 0 for a log that is not read in parts."""

    part: int
    size: int

    @property
    def offset(self) -> int:
        return self.part << _SHIFT | self.size


def _place(offset: int) -> _Place:
    return _Place(offset >> _SHIFT, offset & ((1 << _SHIFT) - 1))


def is_settled(complete: object, finished_at: datetime | None, now: datetime) -> bool:
    """Whether the log of an ended job is whole; where Travis does not tell, it is after a while."""
    if isinstance(complete, bool):
        return complete or (finished_at is not None and now - finished_at > LATE)
    return True


def read_log(wire: TravisWire, job: str, offset: int, *, settled: bool) -> LogChunk:
    """The log of `/job/ID` from `offset` on. `settled`: no part of it is still to come."""
    place = _place(offset)
    return _text(wire, job, place.size) if settled else _parts(wire, job, place)


def _text(wire: TravisWire, job: str, size: int) -> LogChunk:
    answer = wire.get(
        f"{job}/log.txt",
        accept="text/plain",
        max_bytes=MAX_BYTES,
        truncate=True,
        expect=(404,),
    )
    if answer.status == 404:
        return LogChunk("", 0, done=True, restarted=size > 0)
    if answer.content_type != "text/plain":
        raise InvalidResponse("Travis CI answered something else than a log.")
    body = answer.body
    if answer.truncated:
        return _beginning(body, size)
    restarted = size > len(body) or (0 < size < len(body) and body[size - 1 : size] != b"\n")
    begin = 0 if restarted else size
    cut = len(body) - begin > TAIL_BYTES
    if cut:
        begin = body.find(b"\n", len(body) - TAIL_BYTES) + 1
    shown = readable(body[begin:].decode("utf-8", errors="replace"))
    restarted = restarted or (cut and size > 0)
    return LogChunk(shown, len(body), done=True, restarted=restarted, truncated=cut)


def _beginning(body: bytes, size: int) -> LogChunk:
    """Travis can't give the end of a text alone, so of a log beyond all bounds the beginning."""
    whole = body.rfind(b"\n", 0, TAIL_BYTES) + 1 or TAIL_BYTES
    shown = readable(body[:whole].decode("utf-8", errors="replace")) + LEFT_OUT
    return LogChunk("" if size == whole else shown, whole, done=True, restarted=0 < size != whole)


def _parts(wire: TravisWire, job: str, place: _Place) -> LogChunk:
    """The whole lines behind the last one that was read."""
    parts = _ask(wire, job, place.part - 1) if place.part else []
    read = parts[0][1].rfind("\n") + 1 if parts else 0
    restarted = not read and place.offset > 0
    if not read:
        # Nothing was read yet, or the part that held the last line is gone: the log was erased.
        place, parts = _Place(0, 0), _ask(wire, job, 0)
    raw, last = _whole_lines(parts, read)
    if raw:
        place = _Place(last + 1, place.size + len(raw.encode(errors="replace")))
    shown, cut = _shortened(readable(raw))
    return LogChunk(shown, place.offset, done=False, restarted=restarted, truncated=cut)


def _whole_lines(parts: Sequence[tuple[int, str]], read: int) -> tuple[str, int]:
    """The text up to its last line break, and the number of the part that holds that. `read`
    characters of the first part are known."""
    texts = [content for _, content in parts]
    texts[:1] = [content[read:] for content in texts[:1]]
    for at in range(len(texts) - 1, -1, -1):
        end = texts[at].rfind("\n") + 1
        if end:
            return "".join([*texts[:at], texts[at][:end]]), parts[at][0]
    return "", 0


def _shortened(shown: str) -> tuple[str, bool]:
    if len(shown) <= TAIL_BYTES:
        return shown, False
    return shown[shown.find("\n", len(shown) - TAIL_BYTES) + 1 :], True


def _ask(wire: TravisWire, job: str, first: int) -> list[tuple[int, str]]:
    """The parts from number `first` on, in order, as far as none is missing."""
    params = {"content": "true", **({"after": str(first - 1)} if first else {})}
    try:
        answer = wire.ask(f"{job}/log_parts", params, max_bytes=MAX_BYTES)
    except NotFound:
        return []
    return _in_order(mappings(answer.data.get("log_parts")), first)


def _in_order(rows: Sequence[Mapping[str, Any]], first: int) -> list[tuple[int, str]]:
    told = {number: row for row in rows if (number := integer(row.get("number"))) is not None}
    found: list[tuple[int, str]] = []
    while (number := first + len(found)) in told:
        found.append((number, text(told[number].get("content"))))
    return found
