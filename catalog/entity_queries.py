"""What an entity's own page reads, each in a bounded number of queries."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import (
    Case,
    Count,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.functions import RowNumber

from catalog.models import Entity, Relation, SourceFile, SyncIssue
from catalog.near_names import hints_for
from catalog.queries import ROW_FIELDS, Names, names_of
from catalog.reading import CONFLICT_STAGE
from catalog.rules.kinds import KINDS
from catalog.seen import Seen

SHOWN_RELATIONS = 30  # of one type on one page
SHOWN_ISSUES = 50
LINKED = ("ref", "kind", "name", "title")
KNOWN_KINDS = frozenset(kind.lower() for kind in KINDS)
# Reading order; a type of somebody's own comes last.
ORDER = (
    "dependsOn",
    "dependencyOf",
    "providesApi",
    "consumesApi",
    "apiProvidedBy",
    "apiConsumedBy",
    "hasPart",
    "partOf",
    "ownedBy",
    "ownerOf",
    "childOf",
    "parentOf",
    "memberOf",
    "hasMember",
)


@dataclass(frozen=True)
class RelationGroup:
    """The edges of one type, at most SHOWN_RELATIONS of them; `total` counts all."""

    type: str
    edges: tuple[Relation, ...]
    total: int

    @property
    def hidden(self) -> int:
        return self.total - len(self.edges)


@dataclass(frozen=True)
class Relations:
    """An entity's edges for _relations.html, and what is said of their ends."""

    groups: dict[str, RelationGroup]
    names: Names = field(default_factory=Names)
    # dangling ref -> refs that it may have meant
    hints: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.groups)

    @property
    def targets(self) -> list[Entity]:
        """The other ends that are known, each once."""
        edges = [edge for group in self.groups.values() for edge in group.edges]
        return list({edge.target.pk: edge.target for edge in edges if edge.target}.values())

    @property
    def parent(self) -> Relation | None:
        """The component that this one is a part of."""
        part_of = self.groups.get("partOf")
        edges = part_of.edges if part_of else ()
        return next((edge for edge in edges if edge.target_ref.startswith("component:")), None)


def relations_of(entity: Entity, seen: Seen, but: Iterable[str] = ()) -> Relations:
    """The edges by type, without the types in `but`; three queries for a few edges, five for any
    number; one more for who does not see everything."""
    edges = Relation.objects.filter(source=entity).exclude(type__in=list(but))
    ordered = with_targets(edges).order_by("type", "target_ref")
    every = list(ordered[: SHOWN_RELATIONS + 1])
    totals: dict[str, int] = Counter(edge.type for edge in every)
    if len(every) > SHOWN_RELATIONS:
        totals = dict(edges.values_list("type").annotate(total=Count("pk")).order_by("type"))
        place = Window(RowNumber(), partition_by=[F("type")], order_by=[F("target_ref").asc()])
        every = list(ordered.annotate(place=place).filter(place__lte=SHOWN_RELATIONS))
    seen.veil(every)
    found: dict[str, list[Relation]] = {kind: [] for kind in sorted(totals, key=_place)}
    for edge in every:
        found[edge.type].append(edge)
    groups = {kind: RelationGroup(kind, tuple(rows), totals[kind]) for kind, rows in found.items()}
    return Relations(groups, owners_of(every, seen), hints_of(every, seen))


def with_targets(edges: QuerySet[Relation]) -> QuerySet[Relation]:
    """The edges with what a row says of their other ends, their documents left in the database."""
    fields = [f"target__{name}" for name in ROW_FIELDS]
    return edges.select_related("target").only("type", "target_ref", "declared", "source", *fields)


def in_order(edges: QuerySet[Relation]) -> QuerySet[Relation]:
    """By type in reading order, then by name."""
    places = [When(type=kind, then=Value(place)) for place, kind in enumerate(ORDER)]
    place = Case(*places, default=Value(len(ORDER)), output_field=IntegerField())
    return edges.annotate(place=place).order_by("place", "type", "target_ref")


def owners_of(edges: Sequence[Relation], seen: Seen) -> Names:
    """What the owners of the edges' other ends are called; one query."""
    return names_of((edge.target.owner_ref for edge in edges if edge.target), seen)


def hints_of(edges: Sequence[Relation], seen: Seen) -> dict[str, list[str]]:
    """What the dangling ones among the edges may have meant; one query where there are any."""
    return hints_for([edge.target_ref for edge in edges if edge.target is None], seen)


def _place(kind: str) -> tuple[int, str]:
    return (ORDER.index(kind) if kind in ORDER else len(ORDER), kind)


def issues_of(entity: Entity) -> list[SyncIssue]:
    """What the latest reading found wrong with this entity, and with its file as a whole.

    Each with `file_url`, the file's page at its host. Who else claims the name is told apart, and
    so is that nobody knows its kind.
    """
    of_file = Q(entity_ref="", source=entity.source_id, location=entity.location)
    file = SourceFile.objects.filter(source=OuterRef("source"), location=OuterRef("location"))
    issues = (
        SyncIssue.objects.filter(Q(entity_ref=entity.ref) | of_file)
        .exclude(stage=CONFLICT_STAGE)
        .annotate(file_url=Subquery(file.values("url")[:1]))
    )
    if entity.state == Entity.State.UNSUPPORTED and entity.kind.lower() not in KNOWN_KINDS:
        issues = issues.exclude(stage="kind")
    return list(issues.order_by("severity", "location", "line", "pk")[:SHOWN_ISSUES])


def system_and_domain(entity: Entity, seen: Seen) -> tuple[Entity | None, Entity | None]:
    """The system that the entity is part of and that system's domain, where both may be seen;
    what a link says of them."""
    if entity.kind == "System":
        return None, _domain_of(entity, seen)
    if not entity.system_ref:
        return None, None
    system = seen.entities().filter(ref=entity.system_ref).only(*LINKED).first()
    return system, _domain_of(system, seen) if system else None


def _domain_of(entity: Entity, seen: Seen) -> Entity | None:
    edges = Relation.objects.filter(source=entity, type="partOf", target__kind="Domain")
    fields = [f"target__{name}" for name in LINKED]
    edge = edges.select_related("target").only("source", *fields).first()
    seen.veil([edge] if edge else [])
    return edge.target if edge else None
