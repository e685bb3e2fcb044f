"""Which pages an entity has."""

import re

import pytest

from catalog.models import DocPage, Entity
from catalog.tabs import tabs_of
from tests.catalog.pages import page
from tests.catalog.trees import component, document, read

pytestmark = pytest.mark.django_db


def labels(name):
    return [tab.label for tab in tabs_of(Entity.objects.get(name=name))]


def test_docs_have_a_tab_where_there_are_any(shop):
    assert "Docs" not in labels("pay")
    pay = Entity.objects.get(name="pay")
    DocPage.objects.create(entity=pay, path="index.md", title="Pay", text="Hello", digest="1")
    assert "Docs" in labels("pay")


def test_builds_have_a_tab_for_services_only(shop):
    assert "Builds" in labels("pay")
    assert "Builds" not in labels("gadget")


def test_the_open_tab_is_marked(viewer, shop):
    text = page(viewer, "/catalog/default/component/pay/raw/")
    assert re.findall(r'aria-current="page">([^<]+)<', text)[-1] == "Raw"
    text = page(viewer, "/catalog/default/component/pay/")
    assert re.findall(r'aria-current="page">([^<]+)<', text)[-1] == "Overview"


def test_a_definition_has_a_tab_where_an_api_has_one(tree):
    tree.write(
        "all.yaml",
        document("API", "pay", type="openapi", lifecycle="x", owner="a", definition="openapi: 3"),
        component("web"),
    )
    read(tree.source("all.yaml"))
    assert "Definition" in labels("pay")
    assert "Definition" not in labels("web")
