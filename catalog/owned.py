"""What an entity's own page lists: what a team owns, what a system consists of, kind by kind."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from catalog.forms import DEFAULT_KIND, KINDS, WITHOUT_BUILDS
from catalog.models import Entity
from catalog.queries import ROW_FIELDS, names_in
from catalog.seen import seen_of

SHOWN = 50
MAX_NAMED = 20  # in an address


@dataclass(frozen=True)
class KindChoice:
    """One kind among a team's things."""

    kind: str
    label: str
    count: int
    query: str
    current: bool


def owned_by(refs: Collection[str]) -> QuerySet[Entity]:
    """What these teams and people own; what Stagedoor can't read stands apart."""
    return _rows(Entity.objects.filter(owner_ref__in=list(refs)))


def in_systems(refs: Collection[str]) -> QuerySet[Entity]:
    """What says that it is part of these systems."""
    return _rows(Entity.objects.filter(system_ref__in=list(refs)))


def _rows(found: QuerySet[Entity]) -> QuerySet[Entity]:
    return found.exclude(state=Entity.State.UNSUPPORTED).only(*ROW_FIELDS)


def by_kind(
    request: HttpRequest, found: QuerySet[Entity], keep: dict[str, str], **where: Collection[str]
) -> dict[str, Any]:
    """For _by_kind.html: the kinds with their counts, and the first rows of the one asked for.

    Of `found` the person sees what they may. `keep` stays in the address. `where` are the catalog's
    filters that give the same. Four queries.
    """
    seen = seen_of(request)
    found = seen.among(found)
    counts = dict(found.values_list("kind").annotate(count=Count("pk")).order_by("kind"))
    order = [kind for kind in KINDS if kind in counts] + sorted(set(counts) - set(KINDS))
    asked = request.GET.get("kind", "")
    kind = asked if asked in counts else next(iter(order), DEFAULT_KIND)
    rows = found.filter(kind=kind)
    types = rows.exclude(type="").values_list("type").annotate(count=Count("pk"))
    entities = list(rows.order_by("name", "ref")[:SHOWN])
    return {
        "kinds": [
            KindChoice(
                name,
                KINDS.get(name, name),
                counts[name],
                "?" + urlencode({"kind": name, **keep}),
                name == kind,
            )
            for name in order
        ],
        "kind": kind,
        "types": list(types.order_by("-count", "type")[:10]),
        "total": sum(counts.values()),
        "kind_total": counts.get(kind, 0),
        "entities": entities,
        "names": names_in(entities, seen),
        "all_url": _in_catalog(kind, where),
        "without_states": kind in WITHOUT_BUILDS,
        "states_wanted": "states" in request.GET,
        "states_query": "?" + urlencode({"kind": kind, **keep, "states": 1}),
    }


def _in_catalog(kind: str, where: dict[str, Collection[str]]) -> str:
    """The catalog's list of the same; empty where that address would be too long."""
    if any(len(values) > MAX_NAMED for values in where.values()):
        return ""
    pairs = [(name, value) for name, values in where.items() for value in values]
    return f"{reverse('catalog:entity_list')}?{urlencode([('kind', kind), *pairs])}"
