"""Where a graph's nodes and edges are drawn."""

import random
import re

from catalog.graph_layout import NODE_HEIGHT, NODE_WIDTH, draw, shortened


def boxes(drawing):
    return [(p.x, p.y, p.x + NODE_WIDTH, p.y + NODE_HEIGHT) for p in drawing.places.values()]


def apart(one, other):
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_columns_follow_the_ranks():
    places = draw({"a": 0, "b": 1, "c": -1}, [("a", "b"), ("c", "a")]).places
    assert places["c"].x < places["a"].x < places["b"].x


def test_crossings_that_need_not_be_are_undone():
    ranks = {"a1": 0, "a2": 0, "a3": 0, "b1": 1, "b2": 1, "b3": 1}
    places = draw(ranks, [("a1", "b3"), ("a2", "b2"), ("a3", "b1")]).places
    up = sorted(("a1", "a2", "a3"), key=lambda node: places[node].y)
    partner = {"a1": "b3", "a2": "b2", "a3": "b1"}
    assert [places[partner[node]].y for node in up] == sorted(places[b].y for b in partner.values())


def test_a_long_edge_passes_between_the_nodes_of_a_column():
    ranks = {"a": 0, "m1": 1, "m2": 1, "z": 2}
    drawing = draw(ranks, [("a", "m1"), ("a", "m2"), ("m1", "z"), ("m2", "z"), ("a", "z")])
    straight = re.search(r" (\d+)H\d+", drawing.lines[4].path)
    height = int(straight[1])
    assert all(
        not p.y <= height <= p.y + NODE_HEIGHT for n, p in drawing.places.items() if n[0] == "m"
    )


def test_edges_within_a_column_and_to_oneself_are_drawn():
    drawing = draw({"a": 0, "b": 0}, [("a", "b"), ("a", "a")])
    assert len(drawing.lines) == 2
    assert all(line.path.startswith("M") for line in drawing.lines)


def test_nothing_overlaps_and_all_is_inside():
    chance = random.Random(4)
    ranks = {f"n{n}": chance.randint(-3, 3) for n in range(60)}
    names = list(ranks)
    edges = [(chance.choice(names), chance.choice(names)) for _ in range(150)]
    drawing = draw(ranks, edges)
    found = boxes(drawing)
    assert all(apart(a, b) for n, a in enumerate(found) for b in found[:n])
    assert all(
        x >= 0 and y >= 0 and right <= drawing.width and bottom <= drawing.height
        for x, y, right, bottom in found
    )
    assert len(drawing.lines) == len(edges)


def test_a_long_name_is_shortened_by_the_width_of_its_letters():
    assert shortened("x" * 63) == "x" * 16 + "…"
    assert shortened("W" * 63) == "W" * 10 + "…"
    assert shortened("席" * 63) == "席" * 10 + "…"
    assert shortened("notification-service") == "notification-service"
    assert shortened("") == ""
