"""Locations, which are our sources."""

import hashlib

import pytest

from catalog.models import Entity, Source, SyncRun
from portal.models import AuditEvent
from tests.catalog.api.conftest import Api, person
from tests.catalog.trees import component

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(site):
    return site.serve("/catalog-info.yaml", component("fetched"), component("other"))


def spec(address):
    return {"type": "url", "target": address}


def test_locations_are_sources(api, shop):
    ref = hashlib.sha1(f"file:{shop.target}".encode()).hexdigest()
    expected = {
        "id": "org",
        "type": "file",
        "target": shop.target,
        "entityRef": f"location:default/generated-{ref}",
    }
    assert api.get("/locations") == [{"data": expected}]
    assert api.get("/locations/org") == expected
    assert api.get("/locations/by-entity/component/default/pay") == expected
    assert api.get(f"/locations/by-entity/{expected['entityRef'].replace(':', '/')}") == expected
    assert api.problem("/locations/none", 404)
    assert api.problem("/locations/by-entity/component/default/none", 404)


def test_by_query_pages_and_filters(api):
    for number in range(5):
        kind = "url" if number else "git"
        Source.objects.create(slug=f"s{number}", name="s", kind=kind, target=f"https://h/{number}")
    page = api.post("/locations/by-query", {"limit": 2, "query": {"type": "url"}})
    assert [one["id"] for one in page["items"]] == ["s1", "s2"]
    assert page["totalItems"] == 4
    following = {"limit": 2, "query": {"type": "url"}, "cursor": page["pageInfo"]["nextCursor"]}
    page = api.post("/locations/by-query", following)
    assert ([one["id"] for one in page["items"]], page["pageInfo"]) == (["s3", "s4"], {})
    query = {"$any": [{"target": {"$hasPrefix": "HTTPS://h/3"}}, {"$not": {"type": "url"}}]}
    page = api.post("/locations/by-query", {"query": query})
    assert [one["id"] for one in page["items"]] == ["s0", "s3"]
    for wrong in ({"cursor": "ä"}, {"query": {"$x": 1}}, {"limit": "2"}):
        assert api.problem("/locations/by-query", 400, "POST", wrong)


def test_a_dry_run_says_what_is_there_and_changes_nothing(admin, address):
    found = admin.post("/locations?dryRun=true", spec(address), 201)
    assert found["exists"] is False
    assert found["location"]["target"] == address
    assert [one["metadata"]["name"] for one in found["entities"]] == ["fetched", "other"]
    annotations = found["entities"][0]["metadata"]["annotations"]
    assert annotations["backstage.io/managed-by-location"] == f"url:{address}"
    assert not Source.objects.exists()


def test_an_address_is_added_once_read_again_changed_and_removed(admin, address, site):
    found = admin.post("/locations", spec(address), 201)
    source = Source.objects.get()
    assert found == {
        "location": admin.get(f"/locations/{source.slug}"),
        "entities": [],
        "exists": False,
    }
    assert (source.kind, source.target, source.registered_by.username) == ("url", address, "lena")
    assert SyncRun.objects.filter(source=source).exists()
    assert "read already" in admin.problem("/locations", 409, "POST", spec(address))
    again = admin.post("/locations?onConflict=refresh", spec(address), 201)
    assert again == {**found, "exists": True}
    other = site.serve("/other/catalog-info.yaml", component("moved"))
    changed = admin._json(admin.ask("PUT", f"/locations/{source.slug}", spec(other)), 200)
    assert changed["target"] == other
    assert admin.ask("DELETE", f"/locations/{source.slug}").status_code == 204
    assert admin.problem(f"/locations/{source.slug}", 404)
    actions = list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))
    assert actions[-3:] == ["source.register", "source.change", "source.unregister"]


def test_analysis_finds_what_is_there_or_drafts_it(admin, address, site, shop):
    site.serve("/catalog-info.yaml", component("fetched"), component("pay"))
    found = admin.post("/analyze-location", {"location": spec(address)})
    files = found["existingEntityFiles"]
    assert [(one["entity"]["metadata"]["name"], one["isRegistered"]) for one in files] == [
        ("fetched", False),
        ("pay", True),
    ]
    assert files[0]["location"] == spec(address)
    assert found["generateEntities"] == []
    found = admin.post(
        "/analyze-location", {"location": spec(f"{site.url}/none/catalog-info.yaml")}
    )
    assert found["existingEntityFiles"] == []
    assert found["generateEntities"][0]["entity"]["kind"] == "Component"


@pytest.mark.parametrize(
    "sent",
    [{}, {"type": "url"}, {"type": "file", "target": "/etc"}, {"type": "url", "target": 3},
     {"type": "url", "target": "file:///etc/passwd"}, {"type": "url", "target": "https://u:p@h/x"},
     {"type": "url", "target": "http://127.0.0.1:9/x.yaml"}],
)  # fmt: skip
def test_what_can_not_be_registered_says_why(admin, sent):
    assert admin.problem("/locations?dryRun=true", 400, "POST", sent)
    assert not Source.objects.exists()


def test_what_an_administrator_made_stays(admin, shop):
    shop.trusted_for_org = True
    shop.save()
    assert admin.problem("/locations/org", 403, "DELETE")
    assert admin.problem("/locations/org", 403, "PUT", spec("https://h/x.yaml"))
    assert Entity.objects.exists()


def test_writing_needs_the_permission(api, shop, address):
    narrow = Api(person("lena", "idp:admins"), ["catalog.view"])
    for caller in (api, narrow):
        assert caller.problem("/locations", 403, "POST", spec(address))
        assert caller.problem("/locations?dryRun=true", 403, "POST", spec(address))
        assert caller.problem("/analyze-location", 403, "POST", {"location": spec(address)})
        assert caller.problem("/locations/org", 403, "DELETE")
        assert caller.problem("/locations/org", 403, "PUT", spec(address))
    assert AuditEvent.objects.filter(outcome="denied").count() == 10


@pytest.mark.parametrize("given", [{"credential_ref": "env:TOKEN"}, {"trusted_for_org": True}])
def test_what_an_administrator_gave_a_source_is_not_taken_to_another_address(admin, address, given):
    admin.post("/locations", spec(address), 201)
    Source.objects.update(**given)
    slug = Source.objects.get().slug
    sent = spec("https://elsewhere.example/catalog-info.yaml")
    assert "administrator" in admin.problem(f"/locations/{slug}", 403, "PUT", sent)
    assert Source.objects.get().target == address
