"""The pages of teams, over a catalog that a real sync has read."""

import re

import pytest

from catalog.models import Source
from tests.catalog.pages import names, page, queries
from tests.catalog.trees import component, group, read

pytestmark = pytest.mark.django_db
FILE = "catalog-info.yaml"
LIST = "/catalog/"
HTMX = {"HTTP_HX_REQUEST": "true", "HTTP_HX_CURRENT_URL": "http://testserver/catalog/"}
PAY = "/catalog/default/component/pay/"


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
