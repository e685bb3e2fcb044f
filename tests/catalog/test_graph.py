"""Which entities stand around one."""

import pytest

from catalog.graph import INCOMING, MAX_NODES, MAX_ROWS, OUTGOING, Wish, default_types, graph_of
from catalog.models import Entity
from catalog.seen import EVERYTHING
from tests.catalog.trees import component, document, group, read

pytestmark = pytest.mark.django_db
NEEDS = ("dependsOn",)


@pytest.fixture
def chain(tree):
    """a needs b needs c needs d needs a; x needs a; b needs what nobody describes."""
    tree.write(
        "all.yaml",
        component("a", dependsOn=["component:b"]),
        component("b", dependsOn=["component:c", "resource:gone"]),
        component("c", dependsOn=["component:d"]),
        component("d", dependsOn=["component:a"]),
        component("x", dependsOn=["component:a"]),
    )
    read(tree.source("all.yaml"))


def around(name, **wish):
    graph = graph_of(Entity.objects.get(name=name), Wish(**{"types": NEEDS, **wish}), EVERYTHING)
    short = {ref: ref.rpartition("/")[2] for ref in graph.nodes}
    edges = {(short[e.source], short[e.target]) for e in graph.edges}
    return {short[ref]: node.rank for ref, node in graph.nodes.items()}, edges


def test_each_step_goes_one_further_both_ways(chain):
    assert around("a") == ({"a": 0, "b": 1, "d": -1, "x": -1}, {("a", "b"), ("d", "a"), ("x", "a")})
    assert set(around("a", depth=2)[0]) == {"a", "b", "d", "x", "c", "gone"}


def test_a_direction_is_kept_at_every_step(chain):
    assert set(around("b", depth=2, direction=OUTGOING)[0]) == {"b", "c", "gone", "d"}
    assert set(around("b", depth=2, direction=INCOMING)[0]) == {"b", "a", "d", "x"}


def test_cycles_end_and_each_edge_is_there_once(chain):
    nodes, edges = around("a", depth=4)
    assert set(nodes) == {"a", "b", "c", "d", "x", "gone"}
    assert len(edges) == 6


def test_kinds_are_left_out_known_or_not(chain):
    assert set(around("b", kinds=("Component",))[0]) == {"a", "b", "c"}
    assert set(around("b", kinds=("Resource",))[0]) == {"b", "gone"}


def test_what_nobody_describes_has_no_state(chain):
    graph = graph_of(Entity.objects.get(name="b"), Wish(types=NEEDS), EVERYTHING)
    assert (
        graph.nodes["resource:default/gone"].state,
        graph.nodes["resource:default/gone"].kind,
    ) == (
        "",
        "resource",
    )


def test_a_hub_is_cut_and_says_so(tree, django_assert_num_queries):
    needy = (component(f"c{n}", dependsOn=["component:hub"]) for n in range(MAX_ROWS + 50))
    tree.write("all.yaml", component("hub"), *needy)
    read(tree.source("all.yaml"))
    hub = Entity.objects.get(name="hub")
    with django_assert_num_queries(2):
        graph = graph_of(hub, Wish(depth=2, types=NEEDS), EVERYTHING)
    assert (len(graph.nodes), graph.left_out) == (MAX_NODES, True)


def test_each_step_is_one_query(chain, django_assert_num_queries):
    a = Entity.objects.get(name="a")
    with django_assert_num_queries(3):
        graph_of(a, Wish(depth=4, types=NEEDS), EVERYTHING)


def test_teams_begin_with_people_and_things_with_needs(tree):
    tree.write("all.yaml", group("team"), document("Resource", "db", type="x", owner="team"))
    read(tree.source("all.yaml"))
    assert "memberOf" in default_types(Entity.objects.get(name="team"))
    assert "dependsOn" in default_types(Entity.objects.get(name="db"))
