"""The pages of systems and domains."""

import re

import pytest

from tests.catalog.pages import names, page, queries
from tests.catalog.trees import component, document, group, read

pytestmark = pytest.mark.django_db
SYSTEM = "/catalog/default/system/checkout/"
DOMAIN = "/catalog/default/domain/sales/"


def api(name, system):
    return document(
        "API",
        name,
        type="openapi",
        lifecycle="production",
        owner="pay",
        system=system,
        definition="x",
    )


@pytest.fixture
def town(tree):
    """A domain with a subdomain; a system in each, and APIs between them."""
    tree.write(
        "catalog-info.yaml",
        group("pay"),
        document("Domain", "sales", owner="pay"),
        document("Domain", "till", owner="pay", subdomainOf="sales"),
        document("System", "checkout", owner="pay", domain="till"),
        document("System", "stock", {"description": "What is there."}, owner="pay", domain="sales"),
        api("pay-api", "checkout"),
        api("stock-api", "stock"),
        document("Resource", "db", type="database", owner="pay", system="checkout"),
        component(
            "shop",
            system="checkout",
            providesApis=["pay-api"],
            consumesApis=["stock-api", "pay-api", "no-such"],
        ),
        component("cart", system="checkout"),
        component("shelf", system="stock", providesApis=["stock-api"]),
    )
    source = tree.source(trusted_for_org=True)
    read(source)
    return source


def section(text, name):
    return re.search(
        rf'<section class="section" aria-labelledby="{name}">(.*?)</section>', text, re.S
    )[1]


def test_system_detail_lists_parts_kind_by_kind(viewer, town):
    text = page(viewer, SYSTEM)
    parts = section(text, "parts")
    assert names(parts) == ["cart", "shop"]
    assert re.findall(r'href="\?kind=(\w+)"', parts) == ["Component", "API", "Resource"]
    assert names(section(page(viewer, f"{SYSTEM}?kind=Resource"), "parts")) == ["db"]
    assert names(section(page(viewer, f"{SYSTEM}?kind=Nonsense"), "parts")) == ["cart", "shop"]


def test_system_detail_names_the_apis_it_gives_and_takes(viewer, town):
    text = page(viewer, SYSTEM)
    assert "/api/pay-api/" in section(text, "provided")
    taken = section(text, "consumed")
    assert "/api/stock-api/" in taken
    assert "/api/pay-api/" not in taken
    assert "api:default/no-such" in taken
    assert "not in the catalog" in taken


def test_domain_detail_counts_the_systems_of_its_subdomains(viewer, town):
    text = page(viewer, DOMAIN)
    assert "/domain/till/" in section(text, "subdomains")
    assert names(section(text, "systems")) == ["checkout", "stock"]
    assert "What is there." in text


def test_domain_detail_ends_where_domains_go_in_a_circle(viewer, tree):
    tree.write(
        "catalog-info.yaml",
        document("Domain", "sales", owner="pay", subdomainOf="till"),
        document("Domain", "till", owner="pay", subdomainOf="sales"),
    )
    read(tree.source())
    assert "/domain/till/" in section(page(viewer, DOMAIN), "subdomains")


def test_system_detail_shows_what_the_rooms_above_say_of_its_services(viewer, town, panel):
    asked = []

    def say(place, request, objects):
        asked.append(place)
        if not place.startswith("fleet"):
            return {}
        return {item.pk: f"{place} of {item.name}" for item in objects}

    panel(say)
    assert "fleet of checkout" in page(viewer, SYSTEM)
    text = page(viewer, DOMAIN)
    assert "fleet of sales" in text
    assert "fleet_row of stock" in text
    assert asked.count("fleet_row") == 1


@pytest.mark.parametrize("url", [SYSTEM, DOMAIN])
def test_system_detail_and_domain_detail_ask_the_same_however_many_parts(viewer, town, tree, url):
    few = queries(viewer, url)
    more = [component(f"c{number}", system="checkout") for number in range(60)]
    systems = [
        document("System", f"s{number}", owner="pay", domain="sales") for number in range(60)
    ]
    tree.write("more.yaml", *more, *systems)
    read(tree.source("more.yaml", slug="more"))
    assert queries(viewer, url) == few
