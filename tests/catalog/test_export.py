"""The catalog as a file."""

import csv
import io
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import export
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db
CSV, JSON = "/catalog/export.csv", "/catalog/export.json"


def rows(client, url):
    response = client.get(url)
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith('attachment; filename="catalog-')
    return list(csv.DictReader(io.StringIO(response.getvalue().decode())))


def entities(client, url):
    return json.loads(client.get(url).getvalue())


def test_entity_export_holds_what_the_filters_let_through(viewer, shop):
    assert [row["name"] for row in rows(viewer, CSV)] == ["front", "ledger", "pay"]
    [pay] = rows(viewer, f"{CSV}?tag=tier-1")
    assert (pay["ref"], pay["owner_ref"], pay["tags"]) == (
        "component:default/pay",
        "group:default/payments",
        "go tier-1",
    )
    assert rows(viewer, f"{CSV}?q=nothing") == []


def test_entity_export_gives_entities_as_backstage_has_them(viewer, shop):
    [pay] = entities(viewer, f"{JSON}?q=pay+api")
    assert pay["apiVersion"] == "backstage.io/v1alpha1"
    assert (pay["metadata"]["name"], pay["spec"]["lifecycle"]) == ("pay", "production")
    assert {"type": "ownedBy", "targetRef": "group:default/payments"} in pay["relations"]
    assert len(entities(viewer, f"{JSON}?kind=any")) == 7
    assert entities(viewer, f"{JSON}?q=nothing") == []


@pytest.mark.parametrize("begin", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_entity_export_lets_no_cell_become_a_formula(viewer, tree, begin):
    tree.write("all.yaml", component("x", {"description": begin, "title": begin.strip()}))
    read(tree.source("all.yaml"))
    [row] = rows(viewer, CSV)
    assert row["description"] == f"'{begin}"
    assert row["title"] == f"'{begin.strip()}"


def test_entity_export_asks_per_batch_and_forgets_none(viewer, tree, monkeypatch):
    tree.write("all.yaml", *(component(f"c{n:02}") for n in range(25)))
    read(tree.source("all.yaml"))
    rows(viewer, CSV)
    with CaptureQueriesContext(connection) as in_one:
        rows(viewer, CSV)
    monkeypatch.setattr(export, "BATCH", 10)
    with CaptureQueriesContext(connection) as in_three:
        assert [row["name"] for row in rows(viewer, CSV)] == [f"c{n:02}" for n in range(25)]
    assert len(in_three) == len(in_one) + 4
    assert len(entities(viewer, JSON)) == 25


@pytest.mark.parametrize("url", ["/catalog/export.xml", "/catalog/export.csv/"])
def test_entity_export_knows_two_formats(viewer, shop, url):
    assert viewer.get(url).status_code == 404


def test_entity_export_needs_the_right_to_see_the_catalog(viewer, shop, settings):
    settings.DEFAULT_ROLE = ""
    assert viewer.get(CSV).status_code == 403


def test_entity_export_is_made_as_it_is_sent(viewer, shop):
    response = viewer.get(JSON)
    assert response.streaming
    with CaptureQueriesContext(connection) as captured:
        next(iter(response))
    assert len(captured) == 2
