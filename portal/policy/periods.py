"""Times in which something is frozen: rows of (begin, end) that may be joined and subtracted."""

from collections.abc import Iterable
from datetime import datetime

Period = tuple[datetime, datetime]
Periods = tuple[Period, ...]


def joined(periods: Iterable[Period]) -> Periods:
    """The same times, in order and without overlap."""
    found: list[Period] = []
    for begin, end in sorted(periods):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif begin < end:
            found.append((begin, end))
    return tuple(found)


def without(periods: Periods, others: Periods) -> Periods:
    """The times of the first that lie in none of the others; both as joined() gives them."""
    found = list(periods)
    for begin, end in others:
        found = [
            part
            for first, last in found
            for part in ((first, min(last, begin)), (max(first, end), last))
            if part[0] < part[1]
        ]
    return tuple(found)
