"""npm's @backstage/catalog-client, which knows nothing of Stagedoor, asks it as a Backstage."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from catalog.models import Source, SyncRun
from tests.catalog.api.conftest import Api, person
from tests.catalog.trees import component, document, group, location, read
from tests.npm import install

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]
HERE = Path(__file__).parent / "judge"


@pytest.fixture
def shop(tree):
    tree.write(
        "catalog-info.yaml",
        group("payments"),
        group("web"),
        document("System", "checkout", owner="payments"),
        component("pay", {"tags": ["go"], "title": "Pay API"}, system="checkout"),
        component("ledger", {"tags": ["go"], "description": "who pays"}),
        component("Front", type="website", owner="web"),
        location("more", targets=["./deeper/deep.yaml"]),
    )
    tree.write("deeper/deep.yaml", component("deep", type="library"))
    source = tree.source("catalog-info.yaml", trusted_for_org=True)
    read(source)
    return source


@pytest.fixture
def seen(live_server, shop, site):
    """What the client saw."""
    site.serve("/catalog-info.yaml", component("fetched"))
    api = Api(person("lena", "idp:admins"))
    found = {
        "BASE": live_server.url,
        "TOKEN": api.token,
        "DESCRIPTOR": f"{site.url}/catalog-info.yaml",
    }
    done = subprocess.run(
        ["node", "judge.mjs"],
        cwd=install("judge-catalog", HERE),
        env={**os.environ, **found},
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "descriptor": found["DESCRIPTOR"]}


def test_it_lists_searches_pages_and_counts(seen):
    assert seen["entities"] == ["pay", "ledger", "Front"]
    assert seen["projected"] == [{"kind": "Group", "metadata": {"name": "payments"}}]
    assert seen["pages"] == [["deep", "Front"], ["ledger", "pay"], ["deep", "Front"]]
    assert seen["total"] == 4
    assert seen["ends"] == [None, None, None]
    assert sorted(seen["text"]) == ["pay"]
    assert sorted(seen["predicate"]) == ["Front", "deep"]
    assert sorted(seen["streamed"]) == ["Front", "deep", "ledger"]
    assert seen["facets"] == {
        "kind": [{"value": "Component", "count": 4}],
        "metadata.tags": [{"value": "go", "count": 2}],
    }


def test_it_finds_entities_by_ref_and_where_they_come_from(seen):
    assert seen["refs"] == ["pay", None, "web"]
    assert seen["pay"]["relations"] == [
        {"type": "ownedBy", "targetRef": "group:default/payments"},
        {"type": "partOf", "targetRef": "system:default/checkout"},
    ]
    assert seen["nobody"] is None
    root, items = seen["ancestry"]
    assert root == "component:default/deep"
    assert items == [["deep", ["location:default/more"]], ["more", []]]


def test_it_refreshes_validates_and_removes(seen, shop):
    assert SyncRun.objects.filter(source=shop, cause="person").exists()
    assert seen["valid"] == {"valid": True}
    assert seen["invalid"] == [False, 1]
    assert seen["gone"] is None
    assert seen["refused"] == [401, "AuthenticationError"]


def test_it_adds_finds_and_removes_a_location(seen):
    url = seen["descriptor"]
    assert seen["dry"] == [False, ["fetched"]]
    assert seen["added"] == ["url", url]
    assert seen["again"] == "ConflictError"
    assert seen["location"] == [url, True, "file", 2]
    assert seen["removed"] is None
    assert not Source.objects.filter(target=url).exists()
