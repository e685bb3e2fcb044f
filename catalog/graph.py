"""Which entities stand around one, step by step: the relation graph, before it is drawn.

Every pair of rows is one edge here, told in the direction that its descriptor would declare. A
step is one query; how many steps, rows and nodes is bounded, and cycles end where they began.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from catalog.models import Entity, Relation
from catalog.relations import INVERSE
from catalog.seen import Seen

MAX_DEPTH = 4
MAX_NODES = 60
# Rows that one step looks at; a team may own thousands.
MAX_ROWS = 600

BOTH, OUTGOING, INCOMING = "both", "outgoing", "incoming"
# The direction in which an edge is drawn: from who needs to what is needed.
FORWARD = (
    "dependsOn",
    "providesApi",
    "consumesApi",
    "partOf",
    "ownedBy",
    "childOf",
    "memberOf",
)
_PEOPLE = {"Group", "User"}


@dataclass(frozen=True)
class Wish:
    """What a person wants to see; `types` are of FORWARD, no `kinds` means all."""

    depth: int = 1
    direction: str = BOTH
    types: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """`rank` counts columns from the entity that was asked for: to the left is negative."""

    ref: str
    label: str
    kind: str
    rank: int
    state: str = ""  # empty: nobody describes it


@dataclass(frozen=True)
class Edge:
    source: str
    type: str
    target: str


@dataclass
class Graph:
    """`left_out` says that there was more than MAX_NODES, or a step had more than MAX_ROWS."""

    centre: str
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    left_out: bool = False


def default_types(entity: Entity) -> tuple[str, ...]:
    """What is asked for first: of teams and people who is with whom, of things what needs what."""
    if entity.kind in _PEOPLE:
        return ("childOf", "memberOf", "ownedBy")
    return ("dependsOn", "providesApi", "consumesApi", "partOf")


def graph_of(entity: Entity, wish: Wish, seen: Seen) -> Graph:
    """The graph around the entity; one query for each step, two for who does not see everything:
    what they may not see is a name that leads no further."""
    graph = Graph(entity.ref)
    graph.nodes[entity.ref] = Node(entity.ref, str(entity), entity.kind, 0, entity.state)
    edges: dict[Edge, None] = {}
    frontier = {entity.pk: entity.ref}
    for _ in range(wish.depth):
        rows = list(_rows(frontier, wish)[: MAX_ROWS + 1])
        graph.left_out |= len(rows) > MAX_ROWS
        seen.veil(rows)
        frontier = _step(graph, edges, frontier, rows[:MAX_ROWS])
        if not frontier:
            break
    graph.edges = list(edges)
    return graph


def _rows(frontier: dict[int, str], wish: Wish) -> QuerySet[Relation]:
    forward = set(wish.types)
    back = {INVERSE[kind] for kind in forward}
    wanted = {OUTGOING: forward, INCOMING: back}.get(wish.direction, forward | back)
    rows = Relation.objects.filter(source__in=frontier, type__in=wanted)
    if wish.kinds:
        dangling = Q()
        for kind in wish.kinds:
            dangling |= Q(target_ref__startswith=f"{kind.lower()}:")
        rows = rows.filter(Q(target__kind__in=wish.kinds) | Q(target=None) & dangling)
    return (
        rows.select_related("target")
        .only(
            "type",
            "source_id",
            "target_ref",
            *(f"target__{name}" for name in ("ref", "kind", "name", "title", "state")),
        )
        .order_by("type", "target_ref")
    )


def _step(
    graph: Graph, edges: dict[Edge, None], frontier: dict[int, str], rows: Iterable[Relation]
) -> dict[int, str]:
    """Takes what the rows lead to; answers the entities that are new."""
    new: dict[int, str] = {}
    for row in rows:
        here = frontier[row.source_id]
        there = row.target.ref if row.target else row.target_ref
        forward = row.type in FORWARD
        if there not in graph.nodes:
            if len(graph.nodes) >= MAX_NODES:
                graph.left_out = True
                continue
            rank = graph.nodes[here].rank + (1 if forward else -1)
            graph.nodes[there] = _node(row, there, rank)
            if row.target:
                new[row.target.pk] = there
        edge = Edge(here, row.type, there) if forward else Edge(there, INVERSE[row.type], here)
        edges[edge] = None
    return new


def _node(row: Relation, ref: str, rank: int) -> Node:
    if row.target is None:
        kind, _, rest = ref.partition(":")
        return Node(ref, rest.removeprefix("default/"), kind, rank)
    return Node(ref, str(row.target), row.target.kind, rank, row.target.state)
