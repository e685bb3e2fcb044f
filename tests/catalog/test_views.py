"""The catalog's pages, over a catalog that a real sync has read."""

import json
import re
from datetime import timedelta

import pytest
import yaml
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import Entity, Source
from portal.hooks import page_panels
from portal.models import AuditEvent
from tests.catalog.trees import component, document, group, read, user

pytestmark = pytest.mark.django_db
FILE = "catalog-info.yaml"
LIST = "/catalog/"
HTMX = {"HTTP_HX_REQUEST": "true", "HTTP_HX_CURRENT_URL": "http://testserver/catalog/"}
PAY = "/catalog/default/component/pay/"


@pytest.fixture
def viewer(client):
    """Signed in, with what everybody has."""
    client.force_login(User.objects.create_user("vic"))
    return client


@pytest.fixture
def shop(tree):
    """Two teams, a system, and components that differ in every facet."""
    tree.write(
        FILE,
        group("payments", profile={"email": "pay@shop.example"}),
        group("web"),
        user("ana", "payments"),
        document("System", "checkout", {"title": "Checkout"}, owner="payments"),
        document("Widget", "gadget"),
        component("pay", {"tags": ["go", "tier-1"], "title": "Pay API"}, system="checkout"),
        component("ledger", {"tags": ["go"]}, lifecycle="deprecated"),
        component("front", {"tags": ["js"]}, type="website", owner="web"),
    )
    source = tree.source(trusted_for_org=True)
    read(source)
    return source


@pytest.fixture
def panel():
    """Registers a panel as a room above would, for one test."""
    registered = []

    def register(function):
        registered.append(page_panels.register(function))

    yield register
    for function in registered:
        page_panels._functions.remove(function)


def page(client, url, status=200, **headers):
    response = client.get(url, **headers)
    assert response.status_code == status
    return response.content.decode()


def names(text):
    """The rows' names, in order."""
    return re.findall(r'class="table__title"[^>]*>([^<]+)<', text)


def queries(client, url):
    with CaptureQueriesContext(connection) as captured:
        page(client, url)
    return len(captured)


# --- List ------------------------------------------------------------------------------------
def test_entity_list_shows_components_by_name(viewer, shop):
    text = page(viewer, LIST)
    assert names(text) == ["front", "ledger", "Pay API"]
    assert "3 components" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=system", ["Checkout"]),
        ("kind=any&q=checkout", ["Checkout"]),
        ("owner=group:default/web", ["front"]),
        ("owner=group:default/web&owner=group:default/payments", ["front", "ledger", "Pay API"]),
        ("lifecycle=deprecated", ["ledger"]),
        ("type=website", ["front"]),
        ("tag=go", ["ledger", "Pay API"]),
        ("tag=go&tag=tier-1", ["Pay API"]),
        ("system=system:default/checkout", ["Pay API"]),
        ("q=api+PAY", ["Pay API"]),
        ("q=nothing", []),
        ("kind=any&state=unsupported", ["gadget"]),
        ("kind=Widget", ["gadget"]),
    ],
)
def test_entity_list_filters_by_its_address(viewer, shop, query, found):
    assert names(page(viewer, f"{LIST}?{query}")) == found


def test_entity_list_removes_one_filter_at_a_time(viewer, shop):
    text = page(viewer, f"{LIST}?tag=go&tag=tier-1&owner=group:default/payments")
    chips = re.findall(r'class="chip" href="([^"]+)"', text)
    assert chips == [
        "/catalog/?tag=go&amp;tag=tier-1",
        "/catalog/?owner=group%3Adefault%2Fpayments&amp;tag=tier-1",
        "/catalog/?owner=group%3Adefault%2Fpayments&amp;tag=go",
    ]


def test_entity_list_says_what_left_its_source(viewer, shop, tree):
    tree.write(FILE, component("pay"))
    read(shop)
    text = page(viewer, LIST)
    assert text.count("no longer in its source") == 2
    assert names(page(viewer, f"{LIST}?state=missing")) == ["front", "ledger"]


def test_entity_list_answers_htmx_with_the_table_and_the_facets_only(viewer, shop):
    response = viewer.get(f"{LIST}?tag=go&q=", **HTMX)
    text = response.content.decode()
    assert text.lstrip().startswith('<div id="entity-table">')
    assert 'id="entity-facets" hx-swap-oob="true"' in text
    assert names(text) == ["ledger", "Pay API"]
    assert response["HX-Push-Url"] == "/catalog/?tag=go"
    assert "HX-Request" in response["Vary"]


def test_entity_list_makes_no_step_in_the_history_for_the_same_filters(viewer, shop):
    assert viewer.get(f"{LIST}?q=", **HTMX)["HX-Push-Url"] == "false"


def test_entity_list_gives_the_history_a_whole_page(viewer, shop):
    text = page(viewer, LIST, **HTMX, HTTP_HX_HISTORY_RESTORE_REQUEST="true")
    assert "<html" in text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("q=" + "x" * 201, "Search text can have 200 characters at most. It was left out."),
        ("q=a%00b", "Null characters are not allowed. It was left out."),
        ("state=odd", "There is no state “odd” to filter by. It was left out."),
        ("&".join(f"tag=t{n}" for n in range(21)), "Only the first 20 values of “tag” are used."),
    ],
)
def test_entity_list_names_a_filter_that_it_can_not_use(viewer, shop, query, sentence):
    assert sentence in page(viewer, f"{LIST}?{query}")


def test_entity_list_shows_fifty_a_page_and_takes_any_page_number(viewer, tree):
    tree.write(FILE, *(component(f"c{n:03}") for n in range(60)))
    read(tree.source())
    assert len(names(page(viewer, LIST))) == 50
    assert names(page(viewer, f"{LIST}?page=2"))[0] == "c050"
    assert names(page(viewer, f"{LIST}?page=99"))[-1] == "c059"
    assert names(page(viewer, f"{LIST}?page=x"))[0] == "c000"


def test_entity_list_asks_the_same_number_of_queries_however_many_rows(viewer, shop, tree):
    few = queries(viewer, LIST)
    tree.write(FILE, *(component(f"c{n}", {"tags": [f"t{n}"]}) for n in range(60)))
    read(shop)
    assert queries(viewer, LIST) == few <= 15


def test_entity_list_says_who_can_fill_an_empty_catalog(viewer, admin_client):
    assert "Ask the people who administer Stagedoor" in page(viewer, LIST)
    assert "/admin/catalog/source/add/" in page(admin_client, LIST)


def test_entity_list_is_refused_without_a_role_and_audited(viewer, shop, settings):
    settings.DEFAULT_ROLE = ""
    text = page(viewer, LIST, status=403)
    assert "No role lets you see the catalog" in text
    assert "Pay API" not in text
    event = AuditEvent.objects.get(action="page.deny")
    assert (event.actor, event.outcome, event.target) == ("vic", "denied", "the catalog")


def test_entity_list_needs_a_sign_in(client, shop):
    assert client.get(LIST)["Location"].startswith("/signin/")


# --- Build states ----------------------------------------------------------------------------
def test_entity_states_asks_once_for_all_rows(viewer, shop, panel):
    asked = []

    def states(place, request, objects):
        if place != "catalog_row":
            return {}
        asked.append({entity.name for entity in objects})
        return {entity.pk: f"built {entity.name}" for entity in objects if entity.name == "pay"}

    panel(states)
    url = re.search(r'hx-get="(/catalog/states/[^"]+)"', page(viewer, LIST)).group(1)
    text = page(viewer, url, **HTMX)
    assert asked == [{"pay", "ledger", "front"}]
    assert "built pay" in text
    assert text.count("no builds") == 2
    assert text.count('hx-swap-oob="true"') == 3


def test_entity_states_are_in_the_page_itself_without_javascript(viewer, shop, panel):
    panel(lambda place, request, objects: {e.pk: f"{place} {e.name}" for e in objects})
    text = page(viewer, LIST)
    assert "catalog_row" not in text
    link = re.search(r'<noscript><p[^>]*><a href="([^"]+)"', text).group(1)
    assert "catalog_row pay" in page(viewer, LIST + link.replace("&amp;", "&"))


def test_entity_states_ignores_what_is_no_id(viewer, shop):
    assert "entity-state" not in page(viewer, "/catalog/states/?ids=x,-1,,²,99999999999999999999")


def test_entity_states_escapes_what_a_panel_did_not_mark_safe(viewer, shop, panel):
    panel(lambda place, request, objects: {entity.pk: "<b>" for entity in objects})
    pk = Entity.objects.get(name="pay").pk
    assert "&lt;b&gt;" in page(viewer, f"/catalog/states/?ids={pk}")


# --- Service ---------------------------------------------------------------------------------
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
    few = queries(viewer, PAY)
    tree.write("more.yaml", *(component(f"c{n}", dependsOn=["component:pay"]) for n in range(40)))
    read(tree.source("more.yaml", slug="more"))
    assert "and 10 more" in page(viewer, PAY)
    assert queries(viewer, PAY) == few


def test_service_detail_of_an_unknown_name_says_so(viewer, shop):
    text = page(viewer, "/catalog/default/component/nope/", status=404)
    assert "The catalog has no component called nope in the namespace default." in text


def test_service_detail_of_an_impossible_name_is_not_found(viewer, db):
    page(viewer, "/catalog/default/component/a%00b/", status=404)


def test_service_detail_is_refused_where_the_role_covers_other_services(viewer, shop, settings):
    settings.DEFAULT_ROLE = ""
    assert "No role lets you see the catalog for Pay API." in page(viewer, PAY, status=403)


# --- Teams -----------------------------------------------------------------------------------
def test_team_detail_shows_people_with_the_source_that_says_so(viewer, shop):
    text = page(viewer, "/catalog/default/group/payments/")
    assert names(text) == ["ledger", "Pay API"]
    assert 'href="/catalog/default/user/ana/"' in text
    assert re.search(r'data-label="Says">Org\s*</td>', text)
    assert "not trusted" not in text


def test_team_detail_says_when_its_source_is_not_trusted(viewer, shop):
    Source.objects.update(trusted_for_org=False)
    text = page(viewer, "/catalog/default/group/payments/")
    assert "is not trusted for who may do what" in text
    assert "not trusted for access" in text


def test_team_detail_asks_the_same_number_of_queries_however_many_services(viewer, shop, tree):
    few = queries(viewer, "/catalog/default/group/payments/")
    tree.write("more.yaml", *(component(f"c{n}") for n in range(60)))
    read(tree.source("more.yaml", slug="more"))
    assert "All 62 services" in page(viewer, "/catalog/default/group/payments/")
    assert queries(viewer, "/catalog/default/group/payments/") == few


def test_team_list_counts_people_and_services(viewer, shop):
    text = page(viewer, "/teams/")
    assert names(text) == ["payments", "web"]
    assert re.findall(r'data-label="(?:People|Services)">(\d+)<', text) == ["1", "2", "0", "1"]


def test_team_list_asks_the_same_number_of_queries_however_many_teams(viewer, shop, tree):
    few = queries(viewer, "/teams/")
    tree.write("more.yaml", *(group(f"g{n}") for n in range(30)))
    read(tree.source("more.yaml", slug="more"))
    assert queries(viewer, "/teams/") == few


# --- Other kinds -----------------------------------------------------------------------------
def test_entity_detail_shows_what_a_system_consists_of(viewer, shop):
    text = page(viewer, "/catalog/default/system/checkout/")
    assert names(text) == ["Pay API"]


def test_entity_detail_says_that_a_kind_is_not_supported(viewer, shop):
    text = page(viewer, "/catalog/default/widget/gadget/")
    assert "Stagedoor does not support backstage.io/v1alpha1 Widget." in text


def test_entity_detail_leads_another_spelling_to_the_page(viewer, shop):
    response = viewer.get("/catalog/default/Component/Pay/")
    assert (response.status_code, response["Location"]) == (301, PAY)


def test_entity_raw_gives_the_document_back(viewer, shop):
    raw = "/catalog/default/component/ledger/raw/"
    text = page(viewer, raw)
    shown = re.search(r"<code>(.*?)</code></pre>", text, re.S).group(1)
    stored = Entity.objects.get(name="ledger").document
    assert yaml.safe_load(shown.replace("&quot;", '"').replace("&#x27;", "'")) == stored
    response = viewer.get(f"{raw}?format=json")
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(response.content) == stored
