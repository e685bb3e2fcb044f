"""What the logs of all vendors share: how much of one is shown, which part of it an answer holds,
and that nothing that a build wrote passes for a mark of ours."""

import re

from pipelines.providers.base import FOLD_END, FOLD_START
from portal.http import Response

TAIL_BYTES = 1_000_000
_MARKS = str.maketrans("", "", FOLD_START[0] + FOLD_END[0])
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(?:(\d{1,18})|\*)", re.ASCII)


def unmarked(text: str) -> str:
    """A build's own text without the characters that open and close folds."""
    return text.translate(_MARKS)


def left_out(label: str) -> str:
    """Stands where the end of a log is not shown."""
    return f"\n[The rest of this log is too large to show here; open it in {label}.]\n"


def part_told(answer: Response) -> tuple[int, int, int | None] | None:
    """First byte, last byte and the whole's length by Content-Range; None where it tells none."""
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if found is None:
        return None
    return int(found[1]), int(found[2]), int(found[3]) if found[3] else None
