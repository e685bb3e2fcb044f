"""What a dry run found, as people read it: a line for those who gain or lose the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal.policy import NONE, PERMISSIONS
from portal.policy.effects import Line, Way
from portal.policy.periods import without

MAX_LINES = 200
MAX_NAMED = 5


@dataclass(frozen=True)
class Row:
    """One line, in words that can also be kept as JSON."""

    gains: bool
    loses: bool
    people: str
    may: str
    where: str
    environment: str
    terms: str

    def kept(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Told:
    """The first lines, how many more there are, and how many people gain and lose."""

    rows: list[Row]
    more: int
    gaining: int
    losing: int


def told(lines: Sequence[Line]) -> Told:
    return Told(
        [row_of(line) for line in lines[:MAX_LINES]],
        max(len(lines) - MAX_LINES, 0),
        len({person.user_id for line in lines if line.gains for person in line.people}),
        len({person.user_id for line in lines if line.loses for person in line.people}),
    )


def row_of(line: Line) -> Row:
    return Row(
        line.gains,
        line.loses,
        named([person.name for person in line.people], "people"),
        may(line.permissions),
        named([place.label for place in line.places], "places"),
        line.environment,
        terms(line),
    )


def named(names: Iterable[str], what: str) -> str:
    """The first of them, and how many more."""
    found = sorted(dict.fromkeys(names), key=str.lower)
    more = len(found) - MAX_NAMED
    shown = ", ".join(found[:MAX_NAMED])
    return f"{shown} and {more:,} more {what}" if more > 0 else shown


def may(permissions: Iterable[str]) -> str:
    return ", ".join(PERMISSIONS.get(name, name) for name in permissions)


def terms(line: Line) -> str:
    """On which conditions, and what of them changes."""
    before, after = line.before, line.after
    parts = [] if line.conditions == NONE else [line.conditions.words()]
    if before is not None and after is not None:
        parts += _changed(before, after)
    elif after is not None:
        parts += way_words(after)
    return "; ".join(part for part in parts if part)


def way_words(way: Way) -> list[str]:
    """The terms on which something may be done."""
    return [
        *([_approvals(way.approvals)] if way.approvals else []),
        *([f"from {_branches(way.branches)} only"] if way.branches else []),
        *(f"not {_period(period)}: frozen" for period in way.frozen),
    ]


def _changed(before: Way, after: Way) -> list[str]:
    parts = []
    if before.approvals != after.approvals:
        parts.append(f"{_approvals(after.approvals)} instead of {before.approvals}")
    if before.branches != after.branches:
        instead = _branches(before.branches)
        parts.append(f"from {_branches(after.branches)} instead of {instead}")
    parts += [f"{_period(one)}: frozen" for one in without(after.frozen, before.frozen)]
    parts += [f"{_period(one)}: no longer frozen" for one in without(before.frozen, after.frozen)]
    return parts


def _approvals(number: int) -> str:
    return f"with {number} approval{'' if number == 1 else 's'}" if number else "without approvals"


def _branches(globs: str) -> str:
    return globs.replace(" ", ", ") or "any branch"


def _period(period: tuple[Any, Any]) -> str:
    begin, end = (day_and_time(moment) for moment in period)
    return f"{begin} to {end} UTC"


def day_and_time(moment: datetime) -> str:
    """In UTC, which is to be said."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M}"
