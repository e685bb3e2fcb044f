"""What the list says by counting: the total and the facets, kept while the catalog stands.

Rows come by index however large the catalog is; counting reads all that the filters let through.
So counts are made once per version and filters, and where they aren't at hand and the catalog is
large, the page goes out without them and asks for them in a fragment of their own. What
somebody may see is part of what their counts are kept under: people of other scopes have others.
"""

from dataclasses import dataclass

from django.db.models import Count

from catalog import kept
from catalog.facets import (
    Choice,
    Facet,
    chosen_facets,
    kind_choices,
    named,
    show_choices,
    uncounted_links,
    value_facets,
)
from catalog.forms import MISSING, OWNED, STARRED, Filters
from catalog.mine import Mine
from catalog.models import Entity
from catalog.queries import listed, names_of

# Up to so many entities, counting is quicker than a second request.
LARGE = 20_000


@dataclass(frozen=True)
class Counts:
    """`total` is None where nothing has been counted; the facets then hold what is chosen."""

    total: int | None
    missing: int
    kinds: list[Choice]
    facets: list[Facet]
    key: str = ""  # what they are kept under; whatever is made of them alone may be kept too


def counts_of(version: int, filters: Filters, mine: Mine, expand: str, at_once: bool) -> Counts:
    """The counts where they are kept, the catalog is small, or they are wanted `at_once`."""
    key = kept.key("counts", version, filters, expand, concerned(filters, mine))
    if at_once or not is_large(version):
        return kept.value(key, lambda: _count(key, filters, mine, expand))
    return kept.peek(key) or _uncounted(filters, mine)


def shows_of(version: int, filters: Filters, mine: Mine, counts: Counts) -> list[Choice]:
    """The person's own facet, kept under what is theirs; without counts where there are none."""
    if counts.total is None:
        return uncounted_links(filters)[0]
    whose = sorted(mine.seen.scopes), sorted(mine.owners), sorted(mine.stars)
    key = kept.key("shows", version, filters, whose)
    return kept.value(key, lambda: show_choices(filters, mine))


def is_large(version: int) -> bool:
    """Whether counting takes longer than a page should."""
    some = Entity.objects.order_by().values("pk")[: LARGE + 1]
    return kept.value(kept.key("large", version), lambda: (some.count() > LARGE,))[0]


def concerned(filters: Filters, mine: Mine) -> tuple[list[tuple[str, str]], list[str]]:
    """What they may see, and whose list it is as far as the filters ask: people who agree in both
    share what is made of it."""
    theirs = {OWNED: mine.owners, STARRED: mine.stars}.get(filters.show, ())
    return sorted(mine.seen.scopes), sorted(theirs)


def _count(key: str, filters: Filters, mine: Mine, expand: str) -> Counts:
    states = listed(filters, mine).order_by().values_list("state")
    totals: dict[str, int] = dict(states.annotate(count=Count("*")))
    facets = value_facets(filters, mine, expand)
    offered = [one.value for f in facets if f.name in ("owner", "system") for one in f.choices]
    return Counts(
        sum(totals.values()),
        totals.get(MISSING, 0),
        kind_choices(filters, mine),
        named(facets, names_of(offered, mine.seen)),
        key,
    )


def _uncounted(filters: Filters, mine: Mine) -> Counts:
    names = names_of([*filters.owner, *filters.system], mine.seen)
    chosen = named(chosen_facets(filters), names)
    return Counts(None, 0, uncounted_links(filters)[1], chosen)
