"""The page of an entity's relations: a graph, the same as a list, and all of them as a table."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.entity_queries import hints_of, in_order, owners_of, with_targets
from catalog.graph import (
    BOTH,
    FORWARD,
    INCOMING,
    MAX_DEPTH,
    MAX_NODES,
    OUTGOING,
    Graph,
    Node,
    Wish,
    default_types,
    graph_of,
)
from catalog.graph_layout import NODE_HEIGHT, NODE_WIDTH, Line, Place, draw, shortened
from catalog.models import Entity, Relation
from catalog.pages import entity_or_404, head, page_of
from catalog.relations import INVERSE
from catalog.rules.kinds import KINDS
from catalog.seen import seen_of
from catalog.templatetags.catalog import relation_verb

DIRECTIONS = {BOTH: "both ways", OUTGOING: "what it needs", INCOMING: "what needs it"}
DEPTHS = range(1, MAX_DEPTH + 1)
# So many edges are readable with their words beside them.
LABELLED = 24


@dataclass(frozen=True)
class DrawnNode:
    node: Node
    place: Place
    label: str
    is_centre: bool


@dataclass(frozen=True)
class DrawnEdge:
    source: Node
    target: Node
    words: str
    line: Line


@require_safe
def entity_graph(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """What it needs and what needs it, up to four steps away; filters are in the address."""
    entity = entity_or_404(request, namespace, kind, name)
    wish = read_wish(request.GET, entity)
    graph = graph_of(entity, wish, seen_of(request))
    context: dict[str, Any] = {
        "wish": wish,
        "depths": DEPTHS,
        "directions": DIRECTIONS,
        "types": FORWARD,
        "kinds": list(KINDS),
        "graph": graph,
        "most": MAX_NODES,
    }
    context |= _drawn(graph) | _table(request, entity)
    return render(request, "catalog/entity_graph.html", head(request, entity) | context)


def read_wish(query: QueryDict, entity: Entity) -> Wish:
    """From the address; what it does not understand is as if it had not been said."""
    depth, direction = query.get("depth", ""), query.get("direction", "")
    asked = {
        INVERSE.get(word, word) if word not in FORWARD else word for word in query.getlist("type")
    }
    return Wish(
        depth=next((steps for steps in DEPTHS if depth == str(steps)), 1),
        direction=direction if direction in DIRECTIONS else BOTH,
        types=tuple(word for word in FORWARD if word in asked) or default_types(entity),
        kinds=tuple(kind for kind in KINDS if kind in query.getlist("kind")),
    )


def _drawn(graph: Graph) -> dict[str, Any]:
    ranks = {ref: node.rank for ref, node in graph.nodes.items()}
    # One line between two nodes, with the words of all that ties them.
    words: dict[tuple[str, str], list[str]] = {}
    for edge in graph.edges:
        words.setdefault((edge.source, edge.target), []).append(relation_verb(edge.type))
    drawing = draw(ranks, list(words))
    nodes = [
        DrawnNode(node, drawing.places[ref], shortened(node.label), ref == graph.centre)
        for ref, node in graph.nodes.items()
    ]
    return {
        "drawing": drawing,
        # The tab key goes by columns, each from above.
        "nodes": sorted(nodes, key=lambda drawn: (drawn.place.x, drawn.place.y)),
        "edges": [
            DrawnEdge(graph.nodes[source], graph.nodes[target], ", ".join(types), line)
            for ((source, target), types), line in zip(words.items(), drawing.lines, strict=True)
        ],
        "labelled": len(words) <= LABELLED,
        "node_width": NODE_WIDTH,
        "node_height": NODE_HEIGHT,
    }


def _table(request: HttpRequest, entity: Entity) -> dict[str, Any]:
    """All relations of the entity itself, of one type where the address names one of them."""
    edges = Relation.objects.filter(source=entity)
    wanted = request.GET.getlist("type")
    only = wanted[0] if len(wanted) == 1 and wanted[0] in INVERSE else ""
    if only:
        edges = edges.filter(type=only)
    page = page_of(request, in_order(with_targets(edges)), edges.count())
    rows = list(page.object_list)
    seen = seen_of(request)
    seen.veil(rows)
    return {
        "page": page,
        "rows": rows,
        "names": owners_of(rows, seen),
        "hints": hints_of(rows, seen),
        "only": only,
    }
