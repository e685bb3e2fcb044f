"""The catalog list's facets: which values there are under the other filters, and how many of each.

One grouped query per facet, bounded whatever the size of the catalog. Within a facet any of the
chosen values will do, except that an entity must have every chosen tag.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.db.models import Case, Count, IntegerField, QuerySet, Value, When

from catalog.forms import (
    ANY_KIND,
    DEFAULT_KIND,
    KINDS,
    MISSING,
    OWNED,
    PROBLEMS,
    STARRED,
    STATES,
    UNSUPPORTED,
    Filters,
)
from catalog.mine import Mine
from catalog.models import Tag
from catalog.queries import COLUMNS, Names, listed

SHOWN = 8  # values before "show all"
EXPANDED = 500
TITLES = {
    "type": "Type",
    "owner": "Owner",
    "lifecycle": "Lifecycle",
    "tag": "Tag",
    "system": "System",
    "namespace": "Namespace",
    "state": "Status",
}
BY_TITLE = ("owner", "system")  # their values are refs
STATE_WORDS = {
    MISSING: "No longer in its source",
    PROBLEMS: "Has problems",
    UNSUPPORTED: "Not supported",
}
SHOW_WORDS = {"": "Everything", OWNED: "Owned by my teams", STARRED: "Starred"}


@dataclass(frozen=True)
class Choice:
    """One value that can be chosen; `query` is the URL that does, for facets made of links.

    `count` is None while it is not known.
    """

    value: str
    label: str
    count: int | None
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


# --- Links: one of them holds ------------------------------------------------------------------
def kind_choices(filters: Filters, mine: Mine) -> list[Choice]:
    """Our kinds in our order, all of them together, and what is of no kind that we support."""
    found = listed(filters, mine, but=("kind", "state", "type", "lifecycle"))
    counts: dict[str, int] = {}
    odd = 0
    rows = found.order_by("kind", "state").values_list("kind", "state")
    for kind, state, count in rows.annotate(count=Count("*")):
        if state == UNSUPPORTED:
            odd += count
        else:
            counts[kind] = counts.get(kind, 0) + count
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


def _kind_choice(
    filters: Filters, kind: str, label: str, count: int | None, may: bool = True
) -> Choice:
    chosen = may and kind == filters.kind
    return Choice(kind, label, count, chosen, filters.with_kind(kind).query())


def show_choices(filters: Filters, mine: Mine) -> list[Choice]:
    """Everything, what the person owns, what they have starred; two queries at most."""
    counts = {"": listed(replace(filters, show=""), mine).count()}
    for show, refs in ((OWNED, mine.owners), (STARRED, mine.stars)):
        counts[show] = listed(filters.showing(show), mine).count() if refs else 0
    return _show_choices(filters, counts)


def _show_choices(filters: Filters, counts: Mapping[str, int]) -> list[Choice]:
    return [
        Choice(show, label, counts.get(show), show == filters.show, filters.showing(show).query())
        for show, label in SHOW_WORDS.items()
    ]


# --- Checkboxes: several may hold --------------------------------------------------------------
def value_facets(filters: Filters, mine: Mine, expand: str = "") -> list[Facet]:
    """Type, owner and so on; `expand` names the one that shows all its values."""
    facets = []
    for name, title in TITLES.items():
        if name == "state":
            facets += _state_facet(filters, mine)
            continue
        limit = EXPANDED if name == expand else SHOWN
        chosen = getattr(filters, name)
        rows = list(_counted(filters, mine, name, chosen)[: limit + 1])
        found = {value: count for value, count, _ in rows[:limit]}
        # A chosen value that the other filters leave empty must still be there to be unchosen.
        values = [*found, *(value for value in chosen if value not in found)]
        # One namespace is no choice.
        if values and (name != "namespace" or len(values) > 1 or chosen):
            choices = tuple(Choice(v, v, found.get(v, 0), v in chosen) for v in values)
            more = filters.query(expand=name) if limit < len(rows) <= EXPANDED else ""
            facets.append(Facet(name, title, choices, more))
    return facets


def _counted(filters: Filters, mine: Mine, name: str, chosen: tuple[str, ...]) -> QuerySet:
    """(value, count, is chosen) rows of one facet, the chosen first, then the most frequent."""
    if name == "tag":
        # All-of: the counts say what is left when one more tag is asked for.
        column, rows = "value", Tag.objects.filter(entity__in=listed(filters, mine))
    else:
        column = COLUMNS[name]
        rows = listed(filters, mine, but=(name,)).exclude(**{column: ""})
    picked = Case(
        When(**{f"{column}__in": chosen}, then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )
    return (
        rows.values_list(column)
        .annotate(count=Count("*"), picked=picked)
        .order_by("-picked", "-count", column)
    )


def _state_facet(filters: Filters, mine: Mine) -> list[Facet]:
    """What has left its source or has problems; where there is neither, no facet."""
    found = listed(filters, mine, but=("state",)).order_by()
    odd = found.filter(state__in=(MISSING, UNSUPPORTED)).values_list("state")
    counts = dict(odd.annotate(count=Count("*")))
    counts[PROBLEMS] = found.filter(has_issues=True).count()
    choices = tuple(
        Choice(state, STATE_WORDS[state], counts.get(state, 0), state in filters.state)
        for state in STATES
        if counts.get(state) or state in filters.state
    )
    return [Facet("state", TITLES["state"], choices)] if choices else []


def chosen_facets(filters: Filters) -> list[Facet]:
    """The chosen values alone, without counts: what stands there until they are counted."""
    facets = []
    for name, title in TITLES.items():
        words = STATE_WORDS if name == "state" else {}
        choices = tuple(Choice(v, words.get(v, v), None, True) for v in getattr(filters, name))
        if choices:
            facets.append(Facet(name, title, choices))
    return facets


def uncounted_links(filters: Filters) -> tuple[list[Choice], list[Choice]]:
    """What can be shown, and the kinds, without counts."""
    kinds = [*KINDS.items(), (ANY_KIND, "all kinds")]
    asked = filters.wants_unsupported
    return (
        _show_choices(filters, {}),
        [_kind_choice(filters, kind, label, None, not asked) for kind, label in kinds],
    )


# --- Words -----------------------------------------------------------------------------------
def chips(filters: Filters, names: Names) -> list[Chip]:
    """The filters that a person set, each with the way back."""
    found = []
    if filters.q:
        found.append(Chip(f"“{filters.q}”", filters.without("q").query()))
    if filters.show:
        found.append(Chip(SHOW_WORDS[filters.show], filters.showing("").query()))
    if filters.kind != DEFAULT_KIND:
        label = "All kinds" if filters.kind == ANY_KIND else f"Kind: {filters.kind}"
        found.append(Chip(label, filters.without("kind").query()))
    for name, title in TITLES.items():
        for value in getattr(filters, name):
            words = names[value] if name in BY_TITLE else value
            label = STATE_WORDS[value] if name == "state" else f"{title}: {words}"
            found.append(Chip(label, filters.without(name, value).query()))
    return found


def named(facets: list[Facet], names: Mapping[str, str]) -> list[Facet]:
    """The facets with owners and systems called by their titles."""
    return [
        replace(facet, choices=tuple(replace(one, label=names[one.value]) for one in facet.choices))
        if facet.name in BY_TITLE
        else facet
        for facet in facets
    ]
