"""What pages and policy read of the catalog, each in a bounded number of queries."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from catalog.forms import ANY_KIND, Filters
from catalog.models import Entity, Tag
from catalog.search import best_first, matching
from portal.templatetags.ui import short_ref

# filter -> the column it filters by
COLUMNS = {"owner": "owner_ref", "lifecycle": "lifecycle", "type": "type"}
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
    "gone_at",
    "reason",
)


class Names(dict[str, str]):
    """{entity ref: what people call it}; an unknown ref is called by its own short form."""

    def __missing__(self, ref: str) -> str:
        return short_ref(ref)


def names_of(refs: Iterable[str]) -> Names:
    """The titles of these entities; one query."""
    wanted = {ref for ref in refs if ref}
    if not wanted:
        return Names()
    rows = Entity.objects.filter(ref__in=wanted).values_list("ref", "title", "name")
    return Names({ref: title or name for ref, title, name in rows})


def names_in(entities: Iterable[Entity]) -> Names:
    """The titles of what these rows name: their owners and systems."""
    return names_of(ref for row in entities for ref in (row.owner_ref, row.system_ref))


# --- The list --------------------------------------------------------------------------------
def listed(filters: Filters, but: tuple[str, ...] = ()) -> QuerySet[Entity]:
    """The entities that the filters let through, leaving out the filters named in `but`."""
    found = Entity.objects.all()
    if "kind" not in but:
        found = found.filter(_supported(filters))
        if filters.kind != ANY_KIND:
            found = found.filter(kind=filters.kind)
    if filters.state and "state" not in but:
        found = found.filter(state=filters.state)
    if filters.system:
        found = found.filter(system_ref=filters.system)
    for name, column in COLUMNS.items():
        values = getattr(filters, name)
        if values and name not in but:
            found = found.filter(**{f"{column}__in": values})
    for tag in filters.tag:
        found = found.filter(pk__in=Tag.objects.filter(value=tag).values("entity"))
    return matching(found, filters.q)


def rows(filters: Filters) -> QuerySet[Entity]:
    """The list's rows in reading order, without their documents."""
    return best_first(listed(filters), filters.q).only(*ROW_FIELDS)


def _supported(filters: Filters) -> Q:
    unsupported = Q(state=Entity.State.UNSUPPORTED)
    return unsupported if filters.wants_unsupported else ~unsupported
