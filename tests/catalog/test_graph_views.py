"""The page of an entity's relations."""

import re

import pytest

from catalog.models import Entity
from tests.catalog.pages import page, queries
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db
GRAPH = "/catalog/default/component/pay/graph/"


def nodes(text):
    return set(re.findall(r'<a class="graph__node[^"]*" href="([^"]+)"', text))


def test_entity_graph_draws_each_node_as_a_link_with_a_name(viewer, shop, tree):
    tree.write("more.yaml", component("cart", dependsOn=["component:pay", "resource:db"]))
    read(tree.source("more.yaml", slug="more"))
    text = page(viewer, GRAPH)
    assert nodes(text) == {
        "/catalog/default/component/pay/",
        "/catalog/default/component/cart/",
        "/catalog/default/system/checkout/",
    }
    assert "<title>Component cart</title>" in text
    assert re.search(r"<li><a[^>]*>cart</a> <span[^>]*>depends on</span> <a[^>]*>Pay API</a>", text)
    assert "<title>Resource db, not found</title>" in page(viewer, f"{GRAPH}?depth=2")


def test_entity_graph_keeps_to_what_the_address_asks_for(viewer, shop, tree):
    tree.write("more.yaml", component("cart", dependsOn=["component:pay"]))
    read(tree.source("more.yaml", slug="more"))
    cart, system = "/catalog/default/component/cart/", "/catalog/default/system/checkout/"
    assert cart not in nodes(page(viewer, f"{GRAPH}?direction=outgoing"))
    assert system not in nodes(page(viewer, f"{GRAPH}?direction=incoming"))
    assert nodes(page(viewer, f"{GRAPH}?kind=System")) >= {system}
    assert cart not in nodes(page(viewer, f"{GRAPH}?kind=System"))
    assert system not in nodes(page(viewer, f"{GRAPH}?type=dependsOn"))
    assert nodes(page(viewer, f"{GRAPH}?type=dependencyOf&depth=2")) >= {cart}


@pytest.mark.parametrize(
    "query", ["depth=99", "depth=%00", "type=x&kind=<b>", "direction=%F0", "page=x"]
)
def test_entity_graph_takes_an_odd_address_as_none(viewer, shop, query):
    assert "<b>" not in page(viewer, f"{GRAPH}?{query}")


def test_entity_graph_lists_all_relations_page_by_page(viewer, shop, tree):
    tree.write("more.yaml", *(component(f"c{n}", dependsOn=["component:pay"]) for n in range(70)))
    read(tree.source("more.yaml", slug="more"))
    text = page(viewer, f"{GRAPH}?type=dependencyOf&page=2")
    assert "51 to 70 of 70" in text
    assert "There is more than fits" in text


def test_entity_graph_asks_the_same_number_of_queries_however_many_relations(viewer, shop, tree):
    tree.write("more.yaml", component("c", dependsOn=["component:pay"]))
    source = tree.source("more.yaml", slug="more")
    read(source)
    few = queries(viewer, f"{GRAPH}?depth=4")
    tree.write("more.yaml", *(component(f"c{n}", dependsOn=["component:pay"]) for n in range(40)))
    read(source)
    assert queries(viewer, f"{GRAPH}?depth=4") <= few


def test_entity_graph_of_what_stands_alone_says_so(viewer, shop):
    text = page(viewer, "/catalog/default/widget/gadget/graph/")
    assert "Nothing is tied to it by these relations." in text


def test_entity_graph_shows_hostile_names_as_text(viewer, shop):
    Entity.objects.filter(name="pay").update(title="</title><script>x</script>")
    assert "<script>x" not in page(viewer, GRAPH)
