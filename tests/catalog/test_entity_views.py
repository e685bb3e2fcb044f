"""The pages of one entity, over a catalog that a real sync has read."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
import yaml
from django.utils import timezone

from catalog.models import Entity, Repository, SourceFile
from portal.models import AuditEvent
from tests.catalog.pages import page, queries
from tests.catalog.trees import component, document, location, read

pytestmark = pytest.mark.django_db
FILE = "catalog-info.yaml"
LIST = "/catalog/"
HTMX = {"HTTP_HX_REQUEST": "true", "HTTP_HX_CURRENT_URL": "http://testserver/catalog/"}
PAY = "/catalog/default/component/pay/"


def test_service_detail_says_whose_it_is_and_where_it_belongs(viewer, shop):
    text = page(viewer, PAY)
    assert re.search(r"<h1>\s*Pay API\s*</h1>", text)
    assert 'href="/catalog/default/group/payments/"' in text
    assert 'href="mailto:pay@shop.example"' in text
    assert 'href="/catalog/default/system/checkout/"' in text
    assert "tag=tier-1" in text


def test_service_detail_says_which_relations_lead_nowhere(viewer, shop, tree):
    tree.write("more.yaml", component("cart", dependsOn=["component:pay", "resource:db"]))
    read(tree.source("more.yaml", slug="more"))
    text = page(viewer, "/catalog/default/component/cart/")
    assert 'href="/catalog/default/component/pay/"' in text
    assert re.search(r"resource:default/db</span> <span[^>]*>not in the catalog", text)
    assert "Needed by" in page(viewer, PAY)


def test_service_detail_makes_links_of_harmless_addresses_only(viewer, tree):
    links = [
        {"url": "https://dash.example/pay", "title": "Dashboard"},
        {"url": "javascript:alert(1)", "title": "Runbook"},
    ]
    tree.write(FILE, component("pay", {"links": links, "description": "<script>x</script>"}))
    read(tree.source())
    text = page(viewer, PAY)
    assert 'href="https://dash.example/pay"' in text
    assert "Runbook" in text
    assert "javascript:" not in text
    assert "<script>x" not in text


def test_service_detail_shows_what_is_wrong_with_its_descriptor(viewer, shop, tree):
    tree.write(FILE, component("pay", owner=7))
    read(shop)
    text = page(viewer, PAY)
    assert "Problems in its descriptor" in text
    assert re.search(r"catalog-info\.yaml:\d+", text)


def test_service_detail_says_since_when_and_why_it_is_gone(viewer, shop, settings):
    settings.CATALOG_REMOVE_AFTER_SECONDS = 3600 * 5
    gone = {"state": "missing", "gone_at": timezone.now() - timedelta(hours=2), "reason": "Why."}
    Entity.objects.filter(name="pay").update(**gone)
    text = page(viewer, PAY)
    assert "This service left its source" in text
    assert "2 h ago" in text
    assert "Why." in text
    assert re.search(r"removed from the catalog <time[^>]*>in (3 h|2 h)<", text)


def test_service_detail_has_room_for_the_rooms_above(viewer, shop, panel):
    panel(lambda place, request, objects: {e.pk: f"[{place}]" for e in objects})
    text = page(viewer, PAY)
    assert "[service_verdict]" in text
    assert "[service_builds]" in text


def test_service_detail_asks_the_same_number_of_queries_however_many_relations(viewer, shop, tree):
    asked = [queries(viewer, PAY)]
    source = tree.source("more.yaml", slug="more")
    for count in (40, 90):
        needing = (component(f"c{n}", dependsOn=["component:pay"]) for n in range(count))
        tree.write("more.yaml", *needing)
        read(source)
        assert f"and {count - 30} more" in page(viewer, PAY)
        asked.append(queries(viewer, PAY))
    # Those that don't fit on the page are counted, and cut, in two queries of their own.
    assert asked[1] == asked[2] == asked[0] + 2


def test_service_detail_of_an_unknown_name_says_so(viewer, shop):
    text = page(viewer, "/catalog/default/component/nope/", status=404)
    assert "The catalog has no component called nope in the namespace default, or you may" in text


def test_service_detail_of_an_impossible_name_is_not_found(viewer, db):
    page(viewer, "/catalog/default/component/a%00b/", status=404)


def test_service_detail_is_not_there_for_who_may_not_see_it_and_the_trail_says_why(
    viewer, shop, settings
):
    settings.DEFAULT_ROLE = ""
    assert "no component called pay" in page(viewer, PAY, status=404)
    event = AuditEvent.objects.get(action="page.deny")
    assert event.reason == "No role lets you see the catalog for Pay API."


def test_entity_detail_says_that_a_kind_is_not_supported(viewer, shop):
    text = page(viewer, "/catalog/default/widget/gadget/")
    assert "Stagedoor does not support backstage.io/v1alpha1 Widget." in text
    assert "is not known" not in text


def test_entity_detail_says_what_a_kind_of_another_version_is_meant_to_be(viewer, tree):
    tree.write(FILE, component("pay") | {"apiVersion": "backstage.io/v7"})
    read(tree.source())
    assert "write backstage.io/v1alpha1" in page(viewer, PAY)


def test_service_detail_folds_many_tags(viewer, tree):
    tree.write(FILE, component("pay", {"tags": [f"t{n:02}" for n in range(30)]}))
    read(tree.source())
    shown, folded = page(viewer, PAY).split("and 22 more tags")
    assert shown.count('class="tag"') == 8
    assert folded.count('class="tag"') == 22


def test_service_detail_says_its_owner_once(viewer, shop):
    assert (
        page(viewer, PAY).split('id="relations"')[0].count("/catalog/default/group/payments/") == 1
    )


def test_entity_detail_leads_another_spelling_to_the_page(viewer, shop):
    response = viewer.get("/catalog/default/Component/Pay/")
    assert (response.status_code, response["Location"]) == (301, PAY)


def test_entity_detail_shows_the_spec_of_other_kinds_as_it_is_written(viewer, tree):
    tree.write(
        FILE,
        document("Widget", "gadget", colour="red"),
        document("Resource", "db", type="database", owner="payments"),
    )
    read(tree.source())
    text = re.sub("<[^>]+>", "", page(viewer, "/catalog/default/widget/gadget/"))
    assert "colour: red" in text
    assert "What it says" not in page(viewer, "/catalog/default/resource/db/")


def test_entity_detail_shows_labels_annotations_parent_and_other_entities_of_its_file(viewer, tree):
    metadata = {"labels": {"tier": "one"}, "annotations": {"acme.example/room": "12"}}
    tree.write(FILE, component("cart", metadata, subcomponentOf="shop"), component("shop"))
    read(tree.source())
    text = page(viewer, "/catalog/default/component/cart/")
    assert "<dt>tier</dt><dd>one</dd>" in text
    assert "<dt>acme.example/room</dt><dd>12</dd>" in text
    assert re.search(r"<dt>Part of</dt><dd><a[^>]*>shop<", text)
    assert re.search(r"<dt>Same file</dt>\s*<dd><ul[^>]*><li><a[^>]*>shop<", text)


def test_service_detail_says_what_a_ref_that_leads_nowhere_may_have_meant(viewer, shop, tree):
    tree.write("more.yaml", component("cart", dependsOn=["component:ledgre"]))
    read(tree.source("more.yaml", slug="more"))
    text = page(viewer, "/catalog/default/component/cart/")
    assert re.search(r"Did you mean <a[^>]*>component:default/ledger</a>\?", text)


def test_service_detail_links_problems_to_their_lines_at_the_host(viewer, shop, tree):
    tree.write(FILE, component("pay", owner=7))
    read(shop)
    SourceFile.objects.update(url="https://github.com/acme/shop/blob/main/catalog-info.yaml")
    assert re.search(r'href="https://github.com/acme/[^"]*yaml#L\d+"', page(viewer, PAY))


def test_service_detail_shows_the_open_pull_requests_of_its_repository(viewer, shop):
    repository = Repository.objects.create(source=shop, external_id="1", full_name="acme/shop")
    SourceFile.objects.update(repository=repository)
    repository.pull_requests.create(number=7, title="Pay faster", updated_at=timezone.now())
    assert "#7 Pay faster" in page(viewer, PAY)


def test_service_detail_has_its_star(viewer, shop):
    assert 'aria-label="Star Pay API"' in page(viewer, PAY)


def test_entity_raw_gives_the_document_back(viewer, shop):
    raw = "/catalog/default/component/ledger/raw/"
    stored = Entity.objects.get(name="ledger").document
    assert yaml.safe_load(code_of(page(viewer, raw))) == stored
    assert yaml.safe_load(viewer.get(f"{raw}?format=yaml").content) == stored
    response = viewer.get(f"{raw}?format=json")
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(response.content) == stored


def test_entity_raw_shows_hostile_text_as_text(viewer, tree):
    hostile = {"description": "</span></pre><script>alert(1)</script>"}
    tree.write(FILE, component("pay", hostile))
    read(tree.source())
    text = page(viewer, f"{PAY}raw/")
    assert "<script>alert" not in text
    assert yaml.safe_load(code_of(text))["metadata"]["description"] == hostile["description"]


def test_entity_raw_says_through_which_locations_it_came(viewer, tree):
    tree.write("root.yaml", location("root", target="./pay.yaml"))
    tree.write("pay.yaml", component("pay"))
    read(tree.source("root.yaml"))
    assert re.search(r"Named by</dt>\s*<dd>.*?>root</a>", page(viewer, f"{PAY}raw/"), re.S)


def code_of(text):
    """What a person copies out of numbered code."""
    [code] = re.findall(r'<pre class="code"[^>]*>(.*?)</pre>', text, re.S)
    return unescape(re.sub(r"<[^>]+>", "", re.sub(r'<a href="#L\d+">\d+</a>', "", code)))
