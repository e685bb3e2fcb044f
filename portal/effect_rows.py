"""What a dry run found, as people read it: a line for those who gain or lose the same."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from portal.policy import NONE, PERMISSIONS
from portal.policy.effects import Line, Way
from portal.policy.periods import without
from portal.role_mapping_form import choices_of

MAX_LINES = 200
MAX_NAMED = 5
MAX_UNFOLDED = 500
OF_ENTITY = 2  # parts of the key of a place that is an entity; its pipelines' keys go on
ONE = {"people": "person", "places": "place", "pipelines": "pipeline"}


@dataclass(frozen=True)
class Row:
    """One line, in words that can also be kept as JSON; without the `rest` of many places."""

    gains: bool
    loses: bool
    people: str
    may: str
    where: str
    environment: str
    terms: str
    rest: str = ""

    def kept(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "rest"}


@dataclass(frozen=True)
class Told:
    """The first lines, how many more there are, and how many people gain and lose."""

    rows: list[Row]
    more: int
    gaining: int
    losing: int


def told(lines: Sequence[Line]) -> Told:
    return Told(
        rows_of(lines[:MAX_LINES]),
        max(len(lines) - MAX_LINES, 0),
        len({person.user_id for line in lines if line.gains for person in line.people}),
        len({person.user_id for line in lines if line.loses for person in line.people}),
    )


def rows_of(lines: Sequence[Line]) -> list[Row]:
    """Environments by their names; one query."""
    environments = environment_names()
    return [_row_of(line, environments) for line in _said_once(lines)]


def environment_names() -> dict[str, str]:
    """As people read them, by slug."""
    return dict(choices_of("environment"))


def _said_once(lines: Sequence[Line]) -> Iterator[Line]:
    """Without what is said of a service's pipelines where it is said of the service as well."""
    said: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for line in lines:
        for place in line.places:
            if len(place.key) == OF_ENTITY:
                for permission in line.permissions:
                    said[permission, *_same(line)].add(place.key[1])
    for line in lines:
        parts = {place.key[1] for place in line.places if len(place.key) > OF_ENTITY}
        left = tuple(
            permission
            for permission in line.permissions
            if not parts or not parts <= said[permission, *_same(line)]
        )
        if left:
            yield replace(line, permissions=left)


def _same(line: Line) -> tuple[object, ...]:
    return (line.people, line.environment, line.conditions, line.before, line.after)


def _row_of(line: Line, environments: Mapping[str, str]) -> Row:
    places = _sorted(place.label for place in line.places)
    rest = places[MAX_NAMED:]
    cut = "" if len(rest) <= MAX_UNFOLDED else " …"
    return Row(
        line.gains,
        line.loses,
        named([person.name for person in line.people], "people"),
        may(line.permissions),
        named(places, "places"),
        environments.get(line.environment, line.environment),
        terms(line),
        ", ".join(rest[:MAX_UNFOLDED]) + cut,
    )


def named(names: Iterable[str], what: str) -> str:
    """The first of them, and how many more."""
    found = _sorted(names)
    more = len(found) - MAX_NAMED
    shown = ", ".join(found[:MAX_NAMED])
    return f"{shown} and {more:,} more {what if more > 1 else ONE[what]}" if more > 0 else shown


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(dict.fromkeys(names), key=str.lower)


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
