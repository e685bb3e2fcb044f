"""The page of an API's definition."""

import re

import pytest

from tests.catalog.pages import page
from tests.catalog.trees import component, document, read

pytestmark = pytest.mark.django_db
API = "/catalog/default/api/orders/definition/"
OPENAPI = """openapi: 3.0.0
paths:
  /orders:
    get:
      summary: All <b>orders</b>
      parameters: [{name: page, in: query, schema: {type: integer}}]
      responses: {'200': {description: Fine}}
"""


@pytest.fixture
def api(tree):
    def write(definition, kind="openapi"):
        spec = {"lifecycle": "x", "owner": "a", "type": kind, "definition": definition}
        tree.write("all.yaml", document("API", "orders", **spec), component("web"))
        read(tree.source("all.yaml"))

    return write


def test_entity_definition_shows_operations_outline_and_text(viewer, api):
    api(OPENAPI)
    text = page(viewer, API)
    assert re.search(r'href="#L3">/orders<', text)
    assert re.search(r'GET</span> <span class="mono">/orders</span>', text)
    assert "All &lt;b&gt;orders" in text
    assert re.search(r'id="L4"><a href="#L4">4</a> +<span class="code__key">get</span>', text)
    assert "<style" not in text


def test_entity_definition_downloads_all_of_its_text(viewer, api):
    api(OPENAPI)
    response = viewer.get(f"{API}?format=raw")
    assert response.content.decode() == OPENAPI
    assert response["Content-Disposition"] == 'attachment; filename="orders.yaml"'
    assert response["Content-Type"] == "text/plain; charset=utf-8"


def test_entity_definition_says_what_can_not_be_understood(viewer, api):
    api("<script>x</script>: [")
    text = page(viewer, API)
    assert "neither valid YAML nor valid JSON" in text
    assert "<script>x" not in text


def test_entity_definition_of_a_huge_one_shows_its_beginning(viewer, api):
    api("message A {}\n" * 60_000, "grpc")
    text = page(viewer, API)
    assert "Its first 4000 lines are shown; the download has all." in text
    assert len(text) < 1_500_000


def test_entity_definition_is_there_for_apis_alone(viewer, api):
    api(OPENAPI)
    page(viewer, "/catalog/default/component/web/definition/", status=404)
    page(viewer, "/catalog/default/api/nope/definition/", status=404)
