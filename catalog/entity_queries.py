"""What an entity's own page reads, each in a bounded number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber

from catalog.models import Entity, Relation, SyncIssue

SHOWN_RELATIONS = 30  # of one type on one page
SHOWN_ISSUES = 50


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
