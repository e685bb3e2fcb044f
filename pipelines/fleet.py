"""How the services of a team, a person, a system or a domain do (hook `page_panels`).

Unknown is unknown: a service without builds is counted apart, and never as passed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from django.http import HttpRequest
from django.template.loader import render_to_string

from catalog.fleet import services_of
from catalog.models import Entity
from catalog.seen import Seen
from pipelines.panels import Panels
from pipelines.queries import WORST_FIRST, worst_states
from pipelines.seen import seen_builds

# Of these the services are named, as many of each.
TELLING = ("failed", "unknown", "waiting")
NAMED = 5


@dataclass
class Line:
    """The services in one state; `named` are the first of them where it matters which."""

    state: str
    count: int
    named: list[Entity] = field(default_factory=list)

    @property
    def more(self) -> int:
        return self.count - len(self.named) if self.named else 0


@dataclass(frozen=True)
class Health:
    """Worst first; `silent` services have no build that anybody knows of."""

    lines: tuple[Line, ...]
    total: int
    silent: int


def page_panels(place: str, request: HttpRequest, objects: Sequence[Entity]) -> Panels:
    """Hook: "fleet" and "fleet_below" (subteams too) on a page, "fleet_row" in a list."""
    draw = PLACES.get(place)
    if draw is None or seen_builds(request).entities.nothing:
        return {}
    return draw(request, objects)


def on_page(request: HttpRequest, objects: Sequence[Entity], *, below: bool = False) -> Panels:
    """Each state with how many services are in it, and which."""
    return {
        pk: render_to_string("pipelines/_fleet.html", {"health": health}, request)
        for pk, health in healths(
            objects, seen_builds(request).entities, below=below, names=True
        ).items()
        if health.total
    }


def in_row(request: HttpRequest, objects: Sequence[Entity]) -> Panels:
    """The same in one line, without names."""
    return {
        pk: render_to_string("pipelines/_fleet_row.html", {"health": health}, request)
        for pk, health in healths(objects, seen_builds(request).entities).items()
        if health.total
    }


def healths(
    objects: Sequence[Entity], seen: Seen, *, below: bool = False, names: bool = False
) -> dict[int, Health]:
    """Per team, person, system or domain, of the services that may be seen; as many queries for
    many as for one."""
    fleets = services_of(objects, seen, below=below)
    states = worst_states(set(chain.from_iterable(fleets.values())))
    found = {pk: _health(services, states) for pk, services in fleets.items()}
    if names:
        _name(found, fleets, states)
    return found


def _health(services: set[int], states: dict[int, str]) -> Health:
    counts = Counter(states[pk] for pk in services if pk in states)
    lines = tuple(Line(state, counts[state]) for state in WORST_FIRST if counts[state])
    return Health(lines, len(services), len(services) - counts.total())


def _name(found: dict[int, Health], fleets: dict[int, set[int]], states: dict[int, str]) -> None:
    """Fills in which services the telling lines are about; one query."""
    wanted: dict[tuple[int, str], list[int]] = {}
    for holder, services in fleets.items():
        for pk in services:
            if states.get(pk) in TELLING:
                wanted.setdefault((holder, states[pk]), []).append(pk)
    entities = _entities(chain.from_iterable(wanted.values()))
    for holder, health in found.items():
        for line in health.lines:
            named = [entities[pk] for pk in wanted.get((holder, line.state), []) if pk in entities]
            line.named = sorted(named, key=lambda entity: str(entity).lower())[:NAMED]


def _entities(pks: Iterable[int]) -> dict[int, Entity]:
    return Entity.objects.only("ref", "kind", "name", "title").in_bulk(list(pks))


def _below(request: HttpRequest, objects: Sequence[Entity]) -> Panels:
    return on_page(request, objects, below=True)


PLACES: dict[str, Callable[[HttpRequest, Sequence[Entity]], Panels]] = {
    "fleet": on_page,
    "fleet_below": _below,
    "fleet_row": in_row,
}
