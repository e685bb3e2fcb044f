"""Which entities a search finds, and one page of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from catalog.api import cursors
from catalog.api.conditions import supported, to_q
from catalog.api.cursors import Search, Start
from catalog.api.fields import too_long
from catalog.api.filters import (
    ANYTHING,
    Condition,
    Every,
    FilterError,
    read_filters,
    read_predicate,
)
from catalog.api.kept import kept
from catalog.api.ordering import beyond, having, ordered
from catalog.api.seen import Seen
from catalog.api.terms_lookup import HasTermLike, like
from catalog.models import Entity
from catalog.search import matching as containing

MAX_TERM = 200
MAX_TERM_FIELDS = 20
# Of filters and predicate as they came: what is asked is kept with its answer, and in cursors.
MAX_TEXT = 20_000
# Fields that are columns, and together part of Entity.search_text.
TEXTS = {"metadata.name": "name", "metadata.title": "title", "metadata.description": "description"}


@dataclass(frozen=True)
class Page:
    """The pks of a page, and the cursors to its neighbours, empty at an end."""

    pks: list[int]
    next: str = ""
    previous: str = ""


def condition_of(filters: Sequence[str], query: str = "") -> Condition:
    """What the filters and the predicate ask together. Raises FilterError."""
    if sum(map(len, filters)) + len(query) > MAX_TEXT:
        raise FilterError(f"Filters and query can have {MAX_TEXT:,} characters at most.")
    parts = [read_filters(filters)]
    if query:
        parts.append(read_predicate(json.loads(query)))
    wanted = tuple(part for part in parts if part != ANYTHING)
    return wanted[0] if len(wanted) == 1 else Every(wanted)


def matching(seen: Seen, condition: Condition) -> QuerySet[Entity]:
    """The entities that the caller may see and asks for."""
    return seen.entities().filter(supported(condition), to_q(condition))


def found_by(seen: Seen, search: Search) -> QuerySet[Entity]:
    found = matching(seen, condition_of(search.filters, search.query))
    return having(_containing(found, search), search.orders)


def total_of(seen: Seen, search: Search) -> int:
    """How many there are, on all pages."""
    if not seen.everything:
        return found_by(seen, search).count()
    return kept(("total", search), lambda: found_by(seen, search).count()) or 0


def page_of(seen: Seen, search: Search, start: Start | None, offset: int, limit: int) -> Page:
    """One page; two queries at most, however deep it lies."""
    backwards = start is not None and start.backwards
    found = ordered(found_by(seen, search), search.orders, backwards)
    if start is not None:
        found = found.filter(beyond(search.orders, start.values, start.ref, backwards))
    columns = [f"o{place}" for place in range(len(search.orders))]
    rows: list[Any] = list(found.values_list("pk", "ref", *columns)[offset : offset + limit + 1])
    more, rows = len(rows) > limit, rows[:limit]
    if backwards:
        rows.reverse()
    if not rows:
        return Page([])
    behind = backwards or more
    before = more if backwards else start is not None
    return Page(
        [row[0] for row in rows],
        cursors.write(search, Start(rows[-1][2:], rows[-1][1])) if behind else "",
        cursors.write(search, Start(rows[0][2:], rows[0][1], True)) if before else "",
    )


def _containing(found: QuerySet[Entity], search: Search) -> QuerySet[Entity]:
    """Those with the term somewhere in one of the fields, in any case."""
    term = search.term.strip().lower()
    if not term:
        return found
    if len(term) > MAX_TERM or "\x00" in term:
        raise FilterError(f"A text to search for can have {MAX_TERM} characters, and no NUL.")
    fields = [field.lower() for field in search.term_fields] or _usual(search)
    if len(fields) > MAX_TERM_FIELDS or any(map(too_long, fields)):
        raise FilterError(f"A text can be searched for in {MAX_TERM_FIELDS} fields at most.")
    if set(fields) <= set(TEXTS):
        # The catalog's own search has an index, and finds at least as much.
        found = containing(found, term)
        if connection.vendor == "postgresql" or term.isascii():
            wanted = (Q(**{f"{TEXTS[field]}__icontains": term}) for field in fields)
            return found.filter(reduce(or_, wanted))
    # SQLite's LIKE folds only ASCII; terms are in lower case already.
    wanted = (Q(HasTermLike(f"{like(field)}=%{like(term)}%")) for field in fields)
    return found.filter(reduce(or_, wanted))


def _usual(search: Search) -> list[str]:
    return [order.field.lower() for order in search.orders] or list(TEXTS)
