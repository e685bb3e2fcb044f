"""GET and POST /entities/by-query."""

import json
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import Entity
from catalog.version import bump
from tests.catalog.api.conftest import names
from tests.catalog.trees import component, document, group, read

pytestmark = pytest.mark.django_db
NAMED = "/entities/by-query?fields=metadata.name&orderField=metadata.name,asc"


@pytest.fixture
def shop(tree):
    tree.write(
        "catalog-info.yaml",
        group("payments"),
        group("web"),
        document("System", "checkout", {"title": "Checkout"}, owner="payments"),
        document("Widget", "gadget", color="Red"),
        component(
            "Pay",
            {"tags": ["go", "tier-1"], "title": "Pay API", "labels": {"a.b/c": "Yes"}},
            system="checkout",
            replicas=3,
        ),
        component(
            "ledger", {"tags": ["go"], "description": "Who PAYS whom"}, lifecycle="deprecated"
        ),
        component(
            "front", {"tags": ["js"], "namespace": "eu"}, type="Website", owner="group:default/web"
        ),
    )
    source = tree.source(trusted_for_org=True)
    read(source)
    return source


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["kind=component"], "front ledger Pay"),
        (["KIND=COMPONENT,spec.type=SERVICE"], "ledger Pay"),
        (["kind=component,spec.type=service,spec.type=website"], "front ledger Pay"),
        (["kind=system", "kind=component,spec.lifecycle=deprecated"], "checkout ledger"),
        (["spec.owner=payments"], "checkout ledger Pay"),
        (["spec.owner=group:default/web"], "front"),
        (["spec.owner=web"], ""),
        (["relations.ownedBy=group:default/payments"], "checkout ledger Pay"),
        (["relations.partof=system:default/checkout"], "Pay"),
        (["relations.partOf"], "Pay"),
        (["relations.likes"], ""),
        (["metadata.name=PAY"], "Pay"),
        (["metadata.namespace=eu"], "front"),
        (["metadata.namespace=default,kind=component"], "ledger Pay"),
        (["metadata.tags=go,metadata.tags.tier-1=true"], "Pay"),
        (["metadata.tags=go,metadata.tags=js"], "front ledger Pay"),
        (["metadata.labels.a.b/c=yes"], "Pay"),
        (["metadata.title,kind=component"], "Pay"),
        (["spec.replicas=3"], "Pay"),
        (["spec.replicas=3.0"], ""),
        (["kind=widget"], "gadget"),
        (["spec.color=red"], ""),
        (["spec.color=red,kind=Widget"], "gadget"),
        (["metadata.uid=none"], ""),
        (["metadata.annotations.backstage.io/orphan=true"], ""),
        (
            ["kind=component,metadata.annotations.backstage.io/managed-by-location"],
            "front ledger Pay",
        ),
        (["spec.x=" + "y" * 300], ""),
    ],
)
def test_filters(api, shop, filters, found):
    query = "".join(f"&filter={quote(text)}" for text in filters)
    assert " ".join(api.names(NAMED + query)) == found


@pytest.mark.parametrize(
    "asked",
    [
        lambda n: {"metadata.tags": f"t{n}"},
        lambda n: {"$any": [{"metadata.tags": f"t{n}"}, {"spec.type": "x"}]},
        lambda n: {"$not": {"metadata.tags": f"u{n}"}},
        lambda n: {"relations": {"$contains": {"type": "dependsOn", "targetRef": f"api:eu/t{n}"}}},
    ],
)
def test_many_conditions_become_no_more_joins_than_a_few_do(api, tree, asked):
    own = [f"t{n}" for n in range(25)]
    needs = [f"api:eu/{name}" for name in own]
    tree.write("a.yaml", component("all", {"tags": own}, dependsOn=needs), component("none"))
    read(tree.source("a.yaml"))
    body = {"query": {"$all": [{"kind": "component"}, *(asked(n) for n in range(25))]}}
    with CaptureQueriesContext(connection) as captured:
        assert "all" in names(api.post("/entities/by-query", body))
    with connection.cursor() as cursor:
        for query in captured:
            if query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN {query['sql']}".replace("%", "%%"))
                plan = str(cursor.fetchall())
                assert plan.count("Join") + plan.count("Nested Loop") <= 6, query["sql"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"kind": "component"}, "front ledger Pay"),
        (
            {"$any": [{"spec.type": "website"}, {"metadata.tags": {"$contains": "tier-1"}}]},
            "front Pay",
        ),
        ({"kind": "component", "$not": {"a": "b"}}, None),
        ({"$all": [{"kind": "component"}, {"$not": {"metadata.tags": "go"}}]}, "front"),
        ({"$all": [{"kind": "component"}, {"$not": {}}]}, ""),
        (
            {"kind": {"$in": ["system", "Component"]}, "spec.owner": "payments"},
            "checkout ledger Pay",
        ),
        ({"metadata.name": {"$hasPrefix": "PA"}}, "Pay payments"),
        ({"metadata.title": {"$exists": True}}, "checkout Pay"),
        ({"kind": "component", "metadata.title": {"$exists": False}}, "front ledger"),
        (
            {"relations": {"$contains": {"type": "ownedBy", "targetRef": "group:default/web"}}},
            "front",
        ),
        ({"$any": []}, ""),
    ],
)
def test_predicates(api, shop, query, found):
    body = {"query": query, "orderBy": [{"field": "metadata.name", "order": "asc"}]}
    if found is None:
        assert "$not must stand alone" in api.problem("/entities/by-query", 400, "POST", body)
    else:
        assert " ".join(names(api.post("/entities/by-query", body))) == found


@pytest.mark.parametrize(
    ("term", "fields", "found"),
    [
        ("pay", "metadata.name,metadata.title,metadata.description", "ledger Pay"),
        ("PAY A", "metadata.title", "Pay"),
        ("pay", "metadata.name", "Pay"),
        ("pay", "", "Pay"),
        ("ier-", "metadata.tags", "Pay"),
        ("pay_", "metadata.name", ""),
        ("%", "metadata.title,metadata.tags", ""),
        (" ", "metadata.name", "front ledger Pay"),
    ],
)
def test_full_text(api, shop, term, fields, found):
    query = f"{NAMED}&filter=kind=component&fullTextFilterTerm={quote(term)}"
    query += f"&fullTextFilterFields={fields}" if fields else ""
    assert " ".join(api.names(query)) == found


def walk(api, first):
    """Every page forwards, then back again."""
    pages, page = [], api.get(first)
    while True:
        pages.append(names(page))
        cursor = page["pageInfo"].get("nextCursor")
        if not cursor:
            break
        page = api.get(f"/entities/by-query?limit=2&cursor={cursor}")
    back = [names(page)]
    while cursor := page["pageInfo"].get("prevCursor"):
        page = api.get(f"/entities/by-query?limit=2&cursor={cursor}")
        back.insert(0, names(page))
    return pages, back


@pytest.mark.parametrize(
    ("order", "pages"),
    [
        ("metadata.name,asc", [["checkout", "front"], ["ledger", "Pay"], ["payments", "web"]]),
        ("metadata.name,desc", [["web", "payments"], ["Pay", "ledger"], ["front", "checkout"]]),
        ("spec.type,asc", [["ledger", "Pay"], ["payments", "web"], ["front"]]),
        ("spec.owner,asc", [["front", "ledger"], ["Pay", "checkout"]]),
        ("metadata.labels.a.b/c,asc", [["Pay"]]),
        (
            "spec.type,desc&orderField=metadata.name,asc",
            [["front", "payments"], ["web", "ledger"], ["Pay"]],
        ),
        ("", [["ledger", "Pay"], ["front", "payments"], ["web", "checkout"]]),
    ],
)
def test_pages_by_cursor_both_ways(api, shop, order, pages):
    first = "/entities/by-query?limit=2" + (f"&orderField={order}" if order else "")
    there, back = walk(api, first)
    assert there == pages
    assert back == pages
    assert api.get(first)["totalItems"] == sum(map(len, pages))


def test_limits_offsets_and_counts(api, shop):
    page = api.get("/entities/by-query?filter=kind=component&limit=0")
    assert page == {"items": [], "totalItems": 3, "pageInfo": {}}
    page = api.get(f"{NAMED}&filter=kind=component&limit=1&offset=1&totalItems=exclude")
    assert (names(page), page["totalItems"], list(page["pageInfo"])) == (
        ["ledger"],
        0,
        ["nextCursor"],
    )
    assert api.names(f"{NAMED}&offset=1000000") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "limit=99999999999",
        "offset=1.5",
        "orderField=,asc",
        "orderField=a,up",
        "cursor=forged",
        "totalItems=some",
        "filter==x",
        "filter=a=%00",
        "fullTextFilterTerm=%00",
        "&".join(f"orderField=a{i}" for i in range(9)),
    ],
)
def test_what_can_not_be_read_says_so(api, query):
    assert api.problem(f"/entities/by-query?{query}", 400)


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{", '{"limit": true}', '{"limit": -1}', '{"limit": 1e400}', '{"query": []}',
     '{"orderBy": ["a"]}', '{"orderBy": [{"field": 1}]}', '{"cursor": "x"}', '{"fields": "a"}',
     '{"fullTextFilter": {"term": "\\u0000"}}', '{"query": {"a": "\\ud800"}}', '{"strange": 1}',
     '{"query": NaN}', "[" * 5000],
)  # fmt: skip
def test_a_body_that_can_not_be_read_says_so(api, body):
    assert api.problem("/entities/by-query", 400, "POST", body)


def test_the_same_question_is_answered_anew_when_the_catalog_changed(api, shop):
    assert api.get(NAMED)["totalItems"] == 6
    Entity.objects.filter(name="front").delete()
    bump()
    assert api.get(NAMED)["totalItems"] == 5


def queries(api, path):
    with CaptureQueriesContext(connection) as captured:
        api.get(path)
    return len(captured)


def test_a_page_costs_the_same_however_many_there_are(api, shop, tree):
    path = "/entities/by-query?filter=kind=component&orderField=metadata.name,asc"
    api.get("/entity-facets?facet=kind")  # notes the use of the token
    few = queries(api, f"{path}&limit=2")
    tree.write("more/catalog-info.yaml", *(component(f"c{i}") for i in range(60)))
    read(shop)
    bump()
    # Token and version, the total, which entities, the entities.
    assert queries(api, f"{path}&limit=50") == few <= 4
    # Token and version in one; the answer itself is kept.
    assert queries(api, f"{path}&limit=50") == 1


def test_an_answer_is_small_json_in_utf8(api, shop):
    response = api.ask("GET", NAMED)
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(response.content)["totalItems"] == 6
    assert b": " not in response.content


def test_what_one_method_was_answered_is_not_given_to_the_other(api, shop):
    """A GET with a body would else decide what the same POST finds, for everybody."""
    sent = {"query": {"kind": "group"}}
    path = "/entities/by-query?limit=1"
    assert json.loads(api.ask("GET", path, sent).content)["totalItems"] > 1
    assert names(api.post(path, sent)) == names(api.post("/entities/by-query", sent))


@pytest.mark.parametrize(
    "sent",
    [
        {"query": {"metadata.name": "a" * 20_001}},
        {"fullTextFilter": {"term": "a", "fields": [f"f{number}" for number in range(21)]}},
        {"orderBy": {"field": "a." * 100}},
    ],
)
def test_what_would_keep_the_portal_busy_is_refused(api, shop, sent):
    assert api.problem("/entities/by-query", 400, "POST", sent)


def test_a_long_question_can_be_asked_page_by_page(api, tree):
    tree.write("catalog-info.yaml", component("a"), component("b"))
    read(tree.source())
    wanted = [f"ä{number:0>60}" for number in range(150)]
    sent = {
        "limit": 1,
        "query": {"$any": [{"kind": "component"}, {"metadata.name": {"$in": wanted}}]},
    }
    cursor = api.post("/entities/by-query", sent)["pageInfo"]["nextCursor"]
    assert names(api.post("/entities/by-query", {"limit": 1, "cursor": cursor})) == ["b"]
