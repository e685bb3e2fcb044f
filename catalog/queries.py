"""What pages and policy read of the catalog, each in a bounded number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from catalog.forms import ANY_KIND, Filters
from catalog.models import Entity, Membership, Relation, SyncIssue, Tag, Team, TeamClosure
from catalog.search import best_first, matching
from portal.templatetags.ui import short_ref

Scopes = frozenset[tuple[str, str]]
# filter -> the column it filters by
COLUMNS = {"owner": "owner_ref", "lifecycle": "lifecycle", "type": "type"}
SHOWN_RELATIONS = 30  # of one type on one page
SHOWN_ISSUES = 50
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


# --- One entity ------------------------------------------------------------------------------
@dataclass(frozen=True)
class RelationGroup:
    """The edges of one type, at most SHOWN_RELATIONS of them; `total` counts all."""

    type: str
    edges: tuple[Relation, ...]
    total: int

    @property
    def hidden(self) -> int:
        return self.total - len(self.edges)


def relations_of(entity: Entity, but: Iterable[str] = ()) -> dict[str, RelationGroup]:
    """{relation type: group}, without the types in `but`; two queries, however many edges."""
    edges = Relation.objects.filter(source=entity).exclude(type__in=list(but))
    totals = dict(edges.values_list("type").annotate(total=Count("pk")).order_by("type"))
    if not totals:
        return {}
    place = Window(RowNumber(), partition_by=[F("type")], order_by=[F("target_ref").asc()])
    shown = (
        edges.annotate(place=place)
        .filter(place__lte=SHOWN_RELATIONS)
        .select_related("target")
        .defer("target__document", "target__search_text", "target__annotation_lines")
        .order_by("type", "target_ref")
    )
    groups: dict[str, list[Relation]] = {kind: [] for kind in totals}
    for edge in shown:
        groups[edge.type].append(edge)
    return {kind: RelationGroup(kind, tuple(groups[kind]), totals[kind]) for kind in totals}


def issues_of(entity: Entity) -> list[SyncIssue]:
    """What the latest reading of its source found wrong with this entity."""
    issues = SyncIssue.objects.filter(entity_ref=entity.ref).select_related("source")
    return list(issues.order_by("severity", "location", "line", "pk")[:SHOWN_ISSUES])


def system_and_domain(entity: Entity) -> tuple[Entity | None, Entity | None]:
    """The system that the entity is part of and that system's domain, where both are known."""
    if entity.kind == "System":
        return None, _part_of(entity, "Domain")
    system = Entity.objects.filter(ref=entity.system_ref).first() if entity.system_ref else None
    return system, _part_of(system, "Domain") if system else None


def _part_of(entity: Entity, kind: str) -> Entity | None:
    edge = (
        Relation.objects.filter(source=entity, type="partOf", target__kind=kind)
        .select_related("target")
        .first()
    )
    return edge.target if edge else None


# --- Teams -----------------------------------------------------------------------------------
def teams() -> QuerySet[Team]:
    """Every team by name, each with `people`: how many direct members it has."""
    people = Count("memberships__user_ref", distinct=True)
    return Team.objects.only(*ROW_FIELDS).annotate(people=people).order_by("name", "ref")


@dataclass(frozen=True)
class Member:
    """A person in a team: who, and which source says so."""

    ref: str
    name: str
    source: str
    trusted: bool


def members_of(team: Entity) -> list[Member]:
    """The team's direct members, by name; two queries."""
    rows = list(Membership.objects.filter(team=team).select_related("origin"))
    names = names_of(row.user_ref for row in rows)
    members = [
        Member(row.user_ref, names[row.user_ref], row.origin.name, row.origin.trusted_for_org)
        for row in rows
    ]
    return sorted(members, key=lambda member: (member.name.lower(), member.ref, member.source))


# --- Policy ----------------------------------------------------------------------------------
def scopes_of(entity: Entity) -> Scopes:
    """Every (scope kind, scope ref) that covers the entity, for a policy Target; one query.

    The owner is as the descriptor says it. The teams above it come from TeamClosure, which sync
    makes of trusted sources alone; trust is asked again here, for it may have been withdrawn.
    """
    scopes = {("everything", ""), ("service", entity.ref)}
    if entity.system_ref:
        scopes.add(("system", entity.system_ref))
    if entity.owner_ref.startswith("group:"):
        scopes.add(("team", entity.owner_ref))
        above = TeamClosure.objects.filter(
            descendant__ref=entity.owner_ref,
            descendant__source__trusted_for_org=True,
            ancestor__source__trusted_for_org=True,
            ancestor__state=Entity.State.ACTIVE,
        )
        scopes |= {("team", ref) for ref in above.values_list("ancestor__ref", flat=True)}
    return frozenset(scopes)
