"""What a running Backstage holds arrives whole, without what Backstage added, or not at all."""

import pytest

from catalog.descriptors import parse
from catalog.models import Entity
from catalog.sources import Gone, SourceFailed, SourceSpec, reader_for
from catalog.sources.base import MAX_FILE_BYTES
from tests.catalog.backstage import Backstage, entity
from tests.catalog.trees import component, document, group, location, problems, read, states

SHOP = "https://github.com/acme/shop/tree/main/catalog-info.yaml"
REFERENCE = "env:STAGEDOOR_CREDENTIAL_BACKSTAGE"


@pytest.fixture(autouse=True)
def loopback(settings, monkeypatch):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BACKSTAGE", "s3cret")


def reader(site, path="", credential="", **options):
    return reader_for(SourceSpec("backstage", site.url + path, credential, options))


def test_entities_of_one_file_are_one_file_again_without_what_backstage_added(site):
    own = {"annotations": {"jenkins.io/job-full-name": "shop"}, "labels": {"tier": "1"}}
    Backstage(
        site,
        entity(component("shop", own), "shop"),
        entity(group("payments"), "org"),
        entity(component("api"), "shop", **{"backstage.io/orphan": "true"}),
    )
    opened = reader(site)
    listing = opened.roots()
    assert listing.locations == [SHOP, SHOP.replace("/shop/", "/org/")]
    found = [result.descriptor.document for result in parse(opened.read(SHOP))]
    assert found == [
        component("api", {"namespace": "default"}),
        component("shop", {"namespace": "default", **own}),
    ]
    place = opened.place(SHOP)
    assert place.url == SHOP.replace("/tree/", "/blob/")
    assert place.edit_url == SHOP.replace("/tree/", "/edit/")
    with pytest.raises(Gone, match="no longer has anything from elsewhere"):
        opened.read("elsewhere")


@pytest.mark.parametrize("by_query", [True, False])
def test_pages_are_read_to_the_end_with_the_token(site, by_query):
    backstage = Backstage(site, *(entity(component(f"c{n}")) for n in range(450)))
    backstage.by_query, backstage.token = by_query, "s3cret"
    opened = reader(site, "/api/catalog/entities/", REFERENCE, filter=["kind=component"])
    listing = opened.roots()
    assert (len(listing.locations), listing.complete) == (450, True)
    assert opened.usage.requests == (3 if by_query else 4)
    assert backstage.asked[0]["filter"] == ["kind=component"]


@pytest.mark.parametrize(("page", "status"), [(1, 500), (2, 500), (3, 429), (3, 404), (1, 403)])
def test_a_page_that_fails_means_that_nothing_was_read(site, page, status):
    backstage = Backstage(site, *(entity(component(f"c{n}")) for n in range(450)))
    backstage.fail_from, backstage.status = page, status
    with pytest.raises(SourceFailed, match=str(status)):
        reader(site).roots()


def test_a_refused_token_and_a_page_that_is_no_catalog_are_said_in_words(site):
    Backstage(site).token = "other"
    with pytest.raises(SourceFailed, match=r"refused access \(401\).*externalAccess") as refused:
        reader(site, credential=REFERENCE).roots()
    assert "s3cret" not in str(refused.value)
    site.fallback = None
    with pytest.raises(SourceFailed, match=r"has no catalog at /api/catalog \(404\)"):
        reader(site).roots()
    start = "/api/catalog/entities/by-query?limit=200&fields=apiVersion%2Ckind%2Cmetadata%2Cspec"
    site.answer(start, 200, "<!doctype html>", content_type="text/html")
    with pytest.raises(SourceFailed, match="Name the address of Backstage's backend"):
        reader(site).roots()
    site.answer(start, 200, '{"items": "?"}', content_type="application/json")
    with pytest.raises(SourceFailed, match="something that is no catalog"):
        reader(site).roots()
    site.answer(start, 200, '{"items": [{"kind": 1}]}', content_type="application/json")
    with pytest.raises(SourceFailed, match="an entity without kind or name"):
        reader(site).roots()


def test_entities_that_vanish_while_pages_are_read_prove_nothing(site):
    backstage = Backstage(site, *(entity(component(f"c{n}")) for n in range(250)))
    answer = backstage._page

    def shrinking(*request):
        status, page = answer(*request)
        return status, {**page, "totalItems": 260}

    backstage._page = shrinking
    assert reader(site).roots().complete is False


def test_a_file_that_is_too_large_comes_in_parts_and_a_long_name_is_cut(site):
    big = "x" * (MAX_FILE_BYTES // 2)
    Backstage(
        site,
        *(entity(component(f"c{n}", {"description": big}), "big") for n in range(3)),
        entity(component("far"), "f" * 600),
    )
    opened = reader(site)
    locations = opened.roots().locations
    assert [len(parse(opened.read(place))) for place in locations] == [1, 1, 1, 1]
    assert locations[1] == f"{locations[0]} (2)"
    assert all(len(place) <= 500 for place in locations)


@pytest.mark.parametrize("target", ["ftp://host/x", "host", "http://", "http://u:p@host/x"])
def test_only_a_web_address_can_be_a_backstage(target):
    with pytest.raises(SourceFailed, match="not a complete http"):
        reader_for(SourceSpec("backstage", target))


@pytest.mark.django_db
def test_an_import_is_a_source_like_any_other(site, tree):
    """Locations are shown and not followed; those that Backstage made itself are left out."""
    backstage = Backstage(
        site,
        entity(component("shop")),
        entity(location("all", type="file", target="./other.yaml")),
        entity(location("generated-0a1b", type="url", target="https://x.example/y.yaml")),
        entity(document("Widget", "odd")),
    )
    source = tree.source(kind="backstage", slug="backstage")
    source.target = site.url
    source.save()
    run = read(source)
    assert (run.state, states()) == (
        "succeeded",
        {"shop": "active", "all": "active", "odd": "unsupported"},
    )
    assert len(problems(source)) == 1  # of the kind that nobody knows
    assert Entity.objects.get(name="shop").location == SHOP
    backstage.fail_from = 0
    assert read(source).state == "failed"
    backstage.fail_from, backstage.entities = 10**9, backstage.entities[1:]
    read(source)
    assert states() == {"shop": "missing", "all": "active", "odd": "unsupported"}
