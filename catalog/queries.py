"""What pages and policy read of the catalog, each in a bounded number of queries."""

from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet

from catalog.forms import ANY_KIND, OWNED, PROBLEMS, STARRED, UNSUPPORTED, Filters
from catalog.mine import Mine
from catalog.models import Entity, Tag
from catalog.search import best_first, matching
from catalog.seen import Seen
from portal.templatetags.ui import short_ref

# filter -> the column it filters by
COLUMNS = {
    "type": "type",
    "owner": "owner_ref",
    "lifecycle": "lifecycle",
    "system": "system_ref",
    "namespace": "namespace",
}
# What a row or a link shows; the document and the search text stay in the database.
ROW_FIELDS = (
    "ref",
    "kind",
    "namespace",
    "name",
    "title",
    "description",
    "type",
    "lifecycle",
    "owner_ref",
    "system_ref",
    "state",
    "has_issues",
    "gone_at",
    "reason",
)


class Names(dict[str, str]):
    """{entity ref: what people call it}; an unknown ref is called by its own short form."""

    def __missing__(self, ref: str) -> str:
        return short_ref(ref)


def names_of(refs: Iterable[str], seen: Seen) -> Names:
    """The titles of those of these entities that may be seen; one query."""
    wanted = {ref for ref in refs if ref}
    if not wanted:
        return Names()
    rows = seen.among(Entity.objects.filter(ref__in=wanted)).values_list("ref", "title", "name")
    return Names({ref: title or name for ref, title, name in rows})


def names_in(entities: Iterable[Entity], seen: Seen) -> Names:
    """The titles of what these rows name: their owners and systems."""
    return names_of((ref for row in entities for ref in (row.owner_ref, row.system_ref)), seen)


# --- The list --------------------------------------------------------------------------------
def listed(filters: Filters, mine: Mine, but: tuple[str, ...] = ()) -> QuerySet[Entity]:
    """The entities that the person may see and the filters let through, leaving out the filters
    named in `but`."""
    found = mine.seen.entities()
    if "kind" not in but:
        found = found.filter(_in_states(filters, but))
        if filters.kind != ANY_KIND:
            found = found.filter(kind=filters.kind)
    if filters.show == OWNED and "show" not in but:
        found = found.filter(owner_ref__in=mine.owners)
    elif filters.show == STARRED and "show" not in but:
        found = found.filter(ref__in=mine.stars)
    for name, column in COLUMNS.items():
        values = getattr(filters, name)
        if values and name not in but:
            found = found.filter(**{f"{column}__in": values})
    if filters.tag:
        found = found.filter(pk__in=_with_tags(filters.tag))
    return matching(found, filters.q)


def _with_tags(tags: tuple[str, ...]) -> QuerySet[Tag]:
    """The entities that have all of these tags, each of which is named once."""
    if len(tags) == 1:
        return Tag.objects.filter(value=tags[0]).values("entity")
    # Counted in one pass: a subquery for each would be a join for each, and PostgreSQL weighs
    # every order of many joins before it begins.
    rows = Tag.objects.filter(value__in=tags).values("entity")
    return rows.annotate(having=Count("pk")).filter(having=len(tags)).values("entity")


def rows(filters: Filters, mine: Mine) -> QuerySet[Entity]:
    """The list's rows in reading order, without their documents."""
    return best_first(listed(filters, mine), filters.q).only(*ROW_FIELDS)


def page_of_rows(filters: Filters, mine: Mine, start: int, stop: int) -> list[Entity]:
    """As rows()[start:stop], with what stands before them skipped in the index alone."""
    pks = best_first(listed(filters, mine), filters.q).values("pk")[start:stop]
    return list(best_first(Entity.objects.filter(pk__in=pks), filters.q).only(*ROW_FIELDS))


def _in_states(filters: Filters, but: tuple[str, ...]) -> Q:
    """Unsupported entities stand outside every list but the ones that ask for them."""
    states = () if "state" in but else filters.state
    wanted = Q(state__in=[state for state in states if state != PROBLEMS]) if states else Q()
    if PROBLEMS in states:
        wanted |= Q(has_issues=True)
    if filters.wants_unsupported:
        return wanted if states else Q(state=UNSUPPORTED)
    return wanted & ~Q(state=UNSUPPORTED)
