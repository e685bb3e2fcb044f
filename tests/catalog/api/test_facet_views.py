"""GET and POST /entity-facets."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.version import bump
from tests.catalog.trees import component, document, read, user

pytestmark = pytest.mark.django_db


def counts(found):
    return {
        name: {one["value"]: one["count"] for one in values}
        for name, values in found["facets"].items()
    }


def test_values_are_as_written_and_counted(api, tree):
    tree.write(
        "catalog-info.yaml",
        component("a", {"tags": ["go"], "labels": {"Tier": "One"}}, type="Service", owner="Web"),
        component("b", {"tags": ["go", "js"]}, type="service", owner="group:web"),
        document("Widget", "w"),
        user("ana", "x", "Y"),
    )
    read(tree.source())
    bump()
    fields = ("kind", "spec.type", "spec.owner", "metadata.tags", "metadata.labels.tier")
    more = ("spec.memberof", "relations.ownedBy", "metadata.namespace", "spec.none")
    query = "&".join(f"facet={field}" for field in (*fields, *more))
    assert counts(api.get(f"/entity-facets?{query}")) == {
        "kind": {"Component": 2, "User": 1},
        "spec.type": {"Service": 1, "service": 1},
        "spec.owner": {"Web": 1, "group:web": 1},
        "metadata.tags": {"go": 2, "js": 1},
        "metadata.labels.tier": {"One": 1},
        "spec.memberof": {"x": 1, "Y": 1},
        "relations.ownedBy": {"group:default/web": 2},
        "metadata.namespace": {"default": 3},
        "spec.none": {},
    }


def test_filters_and_predicates_narrow_them(api, shop):
    found = api.get("/entity-facets?facet=spec.lifecycle&filter=kind=component,metadata.tags=go")
    expected = {"spec.lifecycle": {"deprecated": 1, "production": 1}}
    assert counts(found) == expected
    body = {"facets": ["spec.lifecycle"], "query": {"kind": "component", "metadata.tags": "go"}}
    assert counts(api.post("/entity-facets", body)) == expected


@pytest.mark.parametrize("query", ["", "facet=", "facet=a%00", "facet=kind&filter==x"])
def test_what_can_not_be_read_says_so(api, query):
    assert api.problem(f"/entity-facets?{query}", 400)
    for body in ({}, {"facets": []}, {"facets": ["a"] * 30}, {"facets": [1]}):
        assert api.problem("/entity-facets", 400, "POST", body)


def test_a_facet_is_one_query(api, shop):
    api.get("/entities?limit=1")
    with CaptureQueriesContext(connection) as captured:
        api.get(
            "/entity-facets?facet=kind&facet=spec.type&facet=spec.owner&facet=spec.profile.email"
        )
    assert len(captured) == 1 + 4
