"""The catalog's list, over a catalog that a real sync has read."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog import counted, version
from catalog.models import Entity
from portal.models import AuditEvent
from portal.process_cache import answers
from tests.catalog.pages import names, page, queries
from tests.catalog.trees import component, read, user

pytestmark = pytest.mark.django_db
FILE = "catalog-info.yaml"
LIST = "/catalog/"
HTMX = {"HTTP_HX_REQUEST": "true", "HTTP_HX_CURRENT_URL": "http://testserver/catalog/"}
PAY = "/catalog/default/component/pay/"


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
        ("namespace=default&type=website", ["front"]),
        ("state=missing&state=problems", []),
        ("type=website&type=service&tag=go&lifecycle=deprecated", ["ledger"]),
        ("q=api+PAY", ["Pay API"]),
        ("q=nothing", []),
        ("kind=any&state=unsupported", ["gadget"]),
        ("kind=Widget", ["gadget"]),
    ],
)
def test_entity_list_filters_by_its_address(viewer, shop, query, found):
    assert names(page(viewer, f"{LIST}?{query}")) == found


def test_entity_list_asks_for_many_tags_as_for_two(viewer, tree):
    tags = [f"t{n}" for n in range(20)]
    tree.write(FILE, component("all", {"tags": tags}), component("some", {"tags": tags[1:]}))
    read(tree.source())
    subqueries = []
    for some in (tags[:2], tags):
        with CaptureQueriesContext(connection) as captured:
            text = page(viewer, f"{LIST}?" + "&".join(f"tag={tag}" for tag in some))
        assert names(text) == ["all"]
        subqueries.append(max(query["sql"].count("(SELECT") for query in captured))
    assert subqueries[0] == subqueries[1]


def test_entity_list_removes_one_filter_at_a_time(viewer, shop):
    text = page(viewer, f"{LIST}?tag=go&tag=tier-1&owner=group:default/payments")
    chips = re.findall(r'class="chip" href="([^"]+)"', text)
    assert chips == [
        "/catalog/?tag=go&amp;tag=tier-1",
        "/catalog/?owner=group%3Adefault%2Fpayments&amp;tag=tier-1",
        "/catalog/?owner=group%3Adefault%2Fpayments&amp;tag=go",
    ]


def test_entity_list_says_what_left_its_source(viewer, shop, tree):
    type(shop).objects.update(max_missing_percent=100)
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


@pytest.fixture
def large(monkeypatch):
    """Counting the shop takes longer than a page should."""
    monkeypatch.setattr(counted, "LARGE", 2)


def test_entity_list_of_a_large_catalog_counts_after_the_page(viewer, shop, large):
    text = page(viewer, f"{LIST}?tag=go")
    assert names(text) == ["ledger", "Pay API"]
    assert "Counting the components…" in text
    assert re.search(r'name="tag" value="go" checked', text)  # it goes with the next search
    assert 'hx-get="/catalog/facets/?tag=go"' in text
    link = re.search(r'<noscript><p[^>]*><a href="([^"]+)">Count', text).group(1)
    assert "2 components" in page(viewer, link.replace("&amp;", "&"))


def test_entity_facets_bring_what_was_left_out_and_are_kept(viewer, shop, large):
    text = page(viewer, "/catalog/facets/?tag=go", **HTMX)
    assert text.lstrip().startswith('<div id="entity-facets"')
    assert "hx-get" not in text
    assert '<div id="entity-count" hx-swap-oob="innerHTML">2 components, filtered' in text
    assert '<div id="entity-total" hx-swap-oob="innerHTML">2</div>' in text
    # Everybody's next page has them at once.
    assert "2 components" in page(viewer, f"{LIST}?tag=go")
    assert "Counting" in page(viewer, f"{LIST}?tag=js")


def test_entity_facets_need_the_right_to_see_the_catalog(viewer, shop, settings):
    settings.DEFAULT_ROLE = ""
    assert viewer.get("/catalog/facets/").status_code == 403


def test_entity_list_counts_anew_when_the_catalog_has_changed(viewer, shop, tree):
    assert "3 components" in page(viewer, LIST)
    tree.write("more/catalog-info.yaml", component("more"))
    read(shop)
    assert "4 components" in page(viewer, LIST)


def test_entity_list_keeps_rows_but_no_stars_for_others(viewer, shop):
    other = Client()
    other.force_login(User.objects.create_user("wim"))
    assert names(page(other, LIST)) == names(page(viewer, LIST))
    viewer.post(f"{PAY}star/", **HTMX)
    assert page(viewer, LIST).count('aria-pressed="true"') == 1
    assert page(other, LIST).count('aria-pressed="true"') == 0
    viewer.post(f"{PAY}star/", **HTMX)
    assert page(viewer, LIST).count('aria-pressed="true"') == 0


def test_entity_list_says_anew_how_long_ago_something_was(viewer, shop):
    Entity.objects.filter(name="pay").update(state="missing", gone_at=timezone.now())
    version.bump()
    assert " s ago" in page(viewer, LIST)
    Entity.objects.filter(name="pay").update(gone_at=timezone.now() - timedelta(hours=2))
    assert "2 h ago" in page(viewer, LIST)


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


def test_entity_list_offers_all_kinds_only_where_they_have_something(viewer, shop):
    assert "look in all kinds" in page(viewer, f"{LIST}?kind=API&q=ledger")
    assert "ook in all kinds" not in page(viewer, f"{LIST}?kind=API&q=zzzz")


def test_entity_list_shows_fifty_a_page_and_takes_any_page_number(viewer, tree):
    tree.write(FILE, *(component(f"c{n:03}") for n in range(60)))
    read(tree.source())
    assert len(names(page(viewer, LIST))) == 50
    assert names(page(viewer, f"{LIST}?page=2"))[0] == "c050"
    assert names(page(viewer, f"{LIST}?page=99"))[-1] == "c059"
    assert names(page(viewer, f"{LIST}?page=x"))[0] == "c000"


def test_entity_list_asks_the_same_number_of_queries_however_many_rows(viewer, shop, tree):
    page(viewer, LIST)
    few = queries(viewer, LIST)
    answers.clear()
    counting = queries(viewer, LIST)
    tree.write(FILE, *(component(f"c{n}", {"tags": [f"t{n}"]}) for n in range(60)))
    read(shop)
    answers.clear()
    assert queries(viewer, LIST) == counting <= 25
    assert queries(viewer, LIST) == few <= 9


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


def test_entity_states_say_nothing_of_people(viewer, tree, panel):
    tree.write(FILE, component("pay"), user("ana"))
    read(tree.source())
    panel(lambda place, request, objects: {})
    url = re.search(r'hx-get="(/catalog/states/[^"]+)"', page(viewer, f"{LIST}?kind=any")).group(1)
    text = page(viewer, url, **HTMX)
    assert text.count("no builds") == text.count('hx-swap-oob="true"') == 1


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
