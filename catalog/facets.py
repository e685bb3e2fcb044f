"""The catalog list's facets: which values there are under the other filters, and how many of each.

One grouped query per facet, bounded whatever the size of the catalog.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When

from catalog.forms import ANY_KIND, DEFAULT_KIND, KINDS, MISSING, UNSUPPORTED, Filters
from catalog.models import Entity, Tag
from catalog.queries import COLUMNS, Names, listed

STATES = {MISSING: "No longer in its source", UNSUPPORTED: "Kind not supported"}
SHOWN = 8  # values before "show more"
EXPANDED = 500
TITLES = {"owner": "Owner", "lifecycle": "Lifecycle", "type": "Type", "tag": "Tag"}


@dataclass(frozen=True)
class Choice:
    """One value that can be chosen; `query` is the URL that does, for facets made of links."""

    value: str
    label: str
    count: int
    chosen: bool
    query: str = ""


@dataclass(frozen=True)
class Facet:
    """One filter's values; `more` is the URL that shows all, empty where all are shown."""

    name: str
    title: str
    choices: tuple[Choice, ...]
    more: str = ""


@dataclass(frozen=True)
class Chip:
    """An active filter in words, and the URL of the list without it."""

    label: str
    query: str


def kind_choices(filters: Filters) -> list[Choice]:
    """Our kinds in our order, all of them together, and what is of no kind that we support."""
    unsupported = Q(state=Entity.State.UNSUPPORTED)
    rows = (
        listed(filters, but=("kind", "state", "type", "lifecycle"))
        .values_list("kind")
        .annotate(count=Count("pk", filter=~unsupported), odd=Count("pk", filter=unsupported))
        .order_by("kind")
    )
    counts = {kind: count for kind, count, _ in rows if count}
    odd = sum(row[2] for row in rows)
    asked = filters.wants_unsupported
    kinds = [kind for kind in KINDS if kind in counts or kind in (DEFAULT_KIND, filters.kind)]
    choices = [
        _kind_choice(filters, kind, KINDS[kind], counts.get(kind, 0), not asked) for kind in kinds
    ]
    total = sum(counts.values())
    choices.append(_kind_choice(filters, ANY_KIND, "all kinds", total, not asked))
    if odd or asked:
        query = filters.with_kind(ANY_KIND, UNSUPPORTED).query()
        choices.append(Choice(UNSUPPORTED, "not supported", odd, asked, query))
    return choices


def _kind_choice(filters: Filters, kind: str, label: str, count: int, may: bool) -> Choice:
    chosen = may and kind == filters.kind
    return Choice(kind, label, count, chosen, filters.with_kind(kind).query())


def value_facets(filters: Filters, expand: str = "") -> list[Facet]:
    """Owner, lifecycle, type and tag; `expand` names the one that shows all its values."""
    facets = []
    for name, title in TITLES.items():
        limit = EXPANDED if name == expand else SHOWN
        chosen = getattr(filters, name)
        rows = list(_counted(filters, name, chosen)[: limit + 1])
        found = {value: count for value, count, _ in rows[:limit]}
        # A chosen value that the other filters leave empty must still be there to be unchosen.
        values = [*found, *(value for value in chosen if value not in found)]
        choices = tuple(Choice(v, v, found.get(v, 0), v in chosen) for v in values)
        if choices:
            more = filters.query(expand=name) if limit < len(rows) <= EXPANDED else ""
            facets.append(Facet(name, title, choices, more))
    return facets


def _counted(filters: Filters, name: str, chosen: tuple[str, ...]) -> QuerySet:
    """(value, count, is chosen) rows of one facet, the chosen first, then the most frequent."""
    if name == "tag":
        # All-of: the counts say what is left when one more tag is asked for.
        column, rows = "value", Tag.objects.filter(entity__in=listed(filters))
    else:
        column = COLUMNS[name]
        rows = listed(filters, but=(name,)).exclude(**{column: ""})
    picked = Case(
        When(**{f"{column}__in": chosen}, then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )
    return (
        rows.values_list(column)
        .annotate(count=Count("pk"), picked=picked)
        .order_by("-picked", "-count", column)
    )


def chips(filters: Filters, names: Names) -> list[Chip]:
    """The filters that a person set, each with the way back."""
    found = []
    if filters.q:
        found.append(Chip(f"“{filters.q}”", filters.without("q").query()))
    if filters.kind != DEFAULT_KIND:
        label = "All kinds" if filters.kind == ANY_KIND else f"Kind: {filters.kind}"
        found.append(Chip(label, filters.without("kind").query()))
    if filters.system:
        found.append(Chip(f"System: {names[filters.system]}", filters.without("system").query()))
    if filters.state:
        found.append(Chip(STATES[filters.state], filters.without("state").query()))
    for name, title in TITLES.items():
        for value in getattr(filters, name):
            words = names[value] if name == "owner" else value
            found.append(Chip(f"{title}: {words}", filters.without(name, value).query()))
    return found


def named(facets: list[Facet], names: Mapping[str, str]) -> list[Facet]:
    """The facets with owners called by their titles."""
    return [
        Facet(
            facet.name,
            facet.title,
            tuple(
                Choice(c.value, names[c.value], c.count, c.chosen, c.query) for c in facet.choices
            ),
            facet.more,
        )
        if facet.name == "owner"
        else facet
        for facet in facets
    ]
