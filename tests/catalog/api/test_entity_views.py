"""Entities as a list, by refs, by name and by uid, as Backstage gives them."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import Entity, Source, SourceFile, SyncIssue
from catalog.scopes import scopes_of
from catalog.version import bump
from portal.models import Role
from tests.catalog.api.conftest import Api, names, person
from tests.catalog.trees import component, group, location, read

pytestmark = pytest.mark.django_db
PAY = "/entities/by-name/component/default/pay"
SHOP = "group:default/shop"


def test_an_entity_has_what_the_catalog_knows_beside_its_document(api, shop):
    found = api.get(PAY)
    row = Entity.objects.get(name="pay")
    metadata = found["metadata"]
    assert (metadata["uid"], metadata["namespace"]) == (str(row.uid), "default")
    assert re.fullmatch("[0-9a-f]{40}", metadata["etag"])
    assert metadata["annotations"] == {
        "backstage.io/managed-by-location": "file:catalog-info.yaml",
        "backstage.io/managed-by-origin-location": f"file:{shop.target}",
    }
    assert found["apiVersion"] == "backstage.io/v1alpha1"
    assert found["spec"] == row.spec
    assert found["relations"] == [
        {"type": "ownedBy", "targetRef": "group:default/payments"},
        {"type": "partOf", "targetRef": "system:default/checkout"},
    ]
    assert "status" not in found
    owner = api.get("/entities/by-name/GROUP/Default/Payments")
    assert {"type": "ownerOf", "targetRef": "component:default/pay"} in owner["relations"]


def test_an_entity_at_a_host_says_where_its_pages_are(api, shop):
    url = "https://git.example/acme/pay/blob/main/catalog-info.yaml"
    SourceFile.objects.update(url=url, edit_url=f"{url}?edit")
    Entity.objects.filter(name="pay").update(
        file=SourceFile.objects.first(),
        document=component("pay", {"annotations": {"backstage.io/view-url": "https://own"}}),
    )
    shop.kind, shop.target = "git", "https://git.example/acme/pay"
    shop.save()
    bump()
    found = api.get(PAY)["metadata"]["annotations"]
    assert found == {
        "backstage.io/managed-by-location": f"url:{url}",
        "backstage.io/managed-by-origin-location": "url:https://git.example/acme/pay",
        "backstage.io/source-location": "url:https://git.example/acme/pay/blob/main/",
        "backstage.io/view-url": "https://own",
        "backstage.io/edit-url": f"{url}?edit",
    }


def test_problems_and_orphans_show(api, shop):
    row = Entity.objects.get(name="pay")
    before = api.get(PAY)["metadata"]["etag"]
    SyncIssue.objects.create(
        source=shop, entity_ref=row.ref, stage="kind", location="x", message="No owner."
    )
    Entity.objects.filter(pk=row.pk).update(
        has_issues=True, state="missing", gone_at=timezone.now(), reason="Gone."
    )
    bump()
    found = api.get(PAY)
    assert found["metadata"]["annotations"]["backstage.io/orphan"] == "true"
    assert found["metadata"]["etag"] != before
    assert found["status"]["items"] == [
        {
            "type": "backstage.io/catalog-processing",
            "level": "error",
            "message": "InputError: No owner.",
            "error": {"name": "InputError", "message": "No owner."},
        }
    ]
    orphans = "/entities?filter=metadata.annotations.backstage.io/orphan=true"
    assert api.names(orphans) == ["pay"]


def test_the_list_is_a_bare_array_with_a_link_to_what_follows(api, shop):
    assert api.names("/entities?filter=kind=component") == ["front", "ledger", "pay"]
    assert api.names("/entities?order=desc:metadata.name&order=asc:kind&limit=2") == [
        "web",
        "payments",
    ]
    by_title = api.names("/entities?filter=kind=component&order=desc:metadata.title")
    assert by_title == ["pay", "front", "ledger"]
    response = api.ask("GET", "/entities?filter=kind=component&fields=metadata.name&limit=2")
    link = re.fullmatch(r'<(.+)>; rel="next"', response["Link"])[1]
    assert link.startswith(
        "/api/catalog/entities?filter=kind%3Dcomponent&fields=metadata.name&after="
    )
    assert api.get(link) == [{"metadata": {"name": "pay"}}]
    assert not api.ask("GET", link).has_header("Link")
    assert api.names("/entities?filter=kind=component&offset=1") == ["ledger", "pay"]
    assert api.problem("/entities?after=x", 400)
    assert api.problem("/entities?order=metadata.name", 400)


def test_an_entity_by_name_takes_two_queries_its_relations_included(api, shop):
    api.get("/entity-facets?facet=kind")  # notes the use of the token
    with CaptureQueriesContext(connection) as captured:
        assert api.get(PAY)["relations"]
    assert len(captured) == 2  # token and version, the entity


def test_the_whole_list_comes_in_pieces(api, tree, monkeypatch):
    monkeypatch.setattr("catalog.api.entities.BATCH", 7)
    monkeypatch.setattr("catalog.api.entity_views.BATCH", 7)
    tree.write("catalog-info.yaml", *(component(f"c{i:02}") for i in range(30)))
    read(tree.source())
    response = api.ask("GET", "/entities")
    assert response.streaming
    assert names(api.get("/entities")) == [f"c{i:02}" for i in range(30)]


def test_by_refs_keeps_order_and_gaps(api, shop):
    body = {"entityRefs": ["Component:front", "group:none", "group:web", "component:front"]}
    found = api.post("/entities/by-refs", {**body, "fields": ["metadata.name"]})
    assert found["items"] == [
        {"metadata": {"name": "front"}},
        None,
        {"metadata": {"name": "web"}},
        {"metadata": {"name": "front"}},
    ]
    found = api.post("/entities/by-refs", {**body, "query": {"kind": "group"}})
    assert [item and item["kind"] for item in found["items"]] == [None, None, "Group", None]
    for wrong in ({}, {"entityRefs": "x"}, {"entityRefs": [1]}, {"entityRefs": ["no-kind"]}):
        assert api.problem("/entities/by-refs", 400, "POST", wrong)


def test_by_uid(api, shop):
    uid = Entity.objects.get(name="front").uid
    assert api.get(f"/entities/by-uid/{uid}")["metadata"]["name"] == "front"
    for wrong in ("x", "00000000-0000-4000-8000-000000000000"):
        assert "was found" in api.problem(f"/entities/by-uid/{wrong}", 404)


def test_ancestry_leads_to_the_root(api, tree):
    tree.write("catalog-info.yaml", location("top", targets=["./a/mid.yaml"]))
    tree.write("a/mid.yaml", location("mid", targets=["./low.yaml"]))
    tree.write("a/low.yaml", component("low"))
    read(tree.source("catalog-info.yaml"))
    found = api.get("/entities/by-name/component/default/low/ancestry")
    assert found["rootEntityRef"] == "component:default/low"
    assert [
        (one["entity"]["metadata"]["name"], one["parentEntityRefs"]) for one in found["items"]
    ] == [
        ("low", ["location:default/mid"]),
        ("mid", ["location:default/top"]),
        ("top", []),
    ]


def test_what_is_not_there_is_an_error_as_backstage_has_it(api, shop):
    message = api.problem("/entities/by-name/component/default/none", 404)
    assert message == "No entity named 'none' of kind 'component' in the namespace 'default'."
    assert api.problem("/entities/by-name/component/default/a%00b", 404)
    assert api.problem("/entities/by-name/component/default/none/ancestry", 404)


# --- Who may see what ------------------------------------------------------------------------
@pytest.fixture
def only(settings, tree):
    """Somebody whose role covers one team's things, and nothing by default."""
    settings.DEFAULT_ROLE = ""
    tree.write(
        "catalog-info.yaml",
        group("shop"),
        group("payments", parent="shop"),
        group("web"),
        component("pay"),
        component("front", owner="web"),
        component("loose", owner="group:default/unknown"),
    )
    read(tree.source(trusted_for_org=True))
    scope = {"scope_kind": "team", "scope_ref": SHOP}
    return Api(person("tom", "idp:shop", "viewer", **scope))


def test_a_scoped_role_sees_what_it_covers_in_every_call(only):
    assert only.names("/entities") == ["pay", "payments", "shop"]
    page = only.get("/entities/by-query?filter=kind=component")
    assert (names(page), page["totalItems"]) == (["pay"], 1)
    assert only.get("/entity-facets?facet=kind")["facets"]["kind"] == [
        {"value": "Component", "count": 1},
        {"value": "Group", "count": 2},
    ]
    refs = {"entityRefs": ["component:pay", "component:front"]}
    assert [bool(item) for item in only.post("/entities/by-refs", refs)["items"]] == [True, False]
    assert only.get("/entities/by-name/component/default/pay")
    for path in ("component/default/front", "component/default/loose", "group/default/web"):
        assert only.problem(f"/entities/by-name/{path}", 404)
    uid = Entity.objects.get(name="front").uid
    assert only.problem(f"/entities/by-uid/{uid}", 404)
    assert only.problem("/locations", 403)


def test_a_scoped_role_sees_by_call_what_it_sees_by_page(only):
    covered = {e.name for e in Entity.objects.all() if ("team", SHOP) in scopes_of(e)}
    assert set(only.names("/entities")) == covered


def test_what_one_may_see_is_never_kept_for_another(only):
    everybody = Api(person("ada", "idp:all", "viewer"))
    path = "/entities?filter=kind=component"
    assert everybody.names(path) == ["front", "loose", "pay"]
    assert only.names(path) == ["pay"]
    assert everybody.names(path) == ["front", "loose", "pay"]


def test_without_a_grant_nothing_is_shown(settings, shop):
    settings.DEFAULT_ROLE = ""
    nobody = Api(person("nia"))
    for path in ("/entities", "/entities/by-query", PAY, "/entity-facets?facet=kind"):
        assert nobody.problem(path, 403)
    Role.objects.filter(slug="viewer").update(permissions=["build.view"])
    settings.DEFAULT_ROLE = "viewer"
    assert nobody.problem("/entities", 403)


def test_a_token_without_the_permission_shows_nothing(shop):
    assert Api(person("vic"), ["build.view"]).problem("/entities", 403)


def test_ancestry_shows_no_location_that_a_scope_leaves_out(only, tree):
    tree.write("catalog-info.yaml", location("top", targets=["./low.yaml"]), group("shop"))
    tree.write("low.yaml", component("low", owner="shop"))
    read(Source.objects.get())
    found = only.get("/entities/by-name/component/default/low/ancestry")
    assert [one["entity"]["metadata"]["name"] for one in found["items"]] == ["low"]
    assert found["items"][0]["parentEntityRefs"] == []
