"""The pages of teams, over a catalog that a real sync has read."""

import re

import pytest

from catalog.models import Source, SyncIssue
from tests.catalog.pages import names, page, queries
from tests.catalog.trees import component, document, group, read, user

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
    assert "The first 50 of 62" in page(viewer, "/catalog/default/group/payments/")
    assert queries(viewer, "/catalog/default/group/payments/") == few


@pytest.fixture
def company(tree):
    """Three levels, somebody whom nobody describes, and a subteam of that kind."""
    tree.write(
        "catalog-info.yaml",
        group("company", children=["money", "no-such-team"]),
        group("money", parent="company", children=["payments"], members=["ghost"]),
        group("payments", parent="money"),
        user("ana", "payments"),
        user("bob", "money"),
        component("pay"),
        component("books", owner="money", type="library"),
        document("Resource", "db", type="database", owner="money"),
    )
    source = tree.source(trusted_for_org=True)
    read(source)
    return source


def test_team_detail_counts_subteams_in_where_asked(viewer, company):
    url = "/catalog/default/group/money/"
    text = page(viewer, url)
    assert names(text) == ["books"]
    assert 'data-label="In"' not in text
    text = page(viewer, f"{url}?below=1")
    assert names(text) == ["books", "pay"]
    assert "library 1 · service 1" in text
    assert re.search(r'/user/ana/.*?data-label="In">payments<', text, re.S)
    assert 'href="?kind=Resource&amp;below=1"' in text
    assert names(page(viewer, f"{url}?kind=Resource&below=1")) == ["db"]


def test_team_detail_shows_the_teams_around_it_and_who_is_not_there(viewer, company):
    text = page(viewer, "/catalog/default/group/company/")
    tree = re.search(r'aria-labelledby="subteams">(.*?)</section>', text, re.S)[1]
    assert re.findall(r'href="/catalog/default/group/([\w-]+)/"', tree) == ["money", "payments"]
    assert "group:default/no-such-team" in tree
    text = page(viewer, "/catalog/default/group/money/")
    assert re.search(r"user:default/ghost</span> <span[^>]*>not in the catalog", text)
    above = re.search(
        r"Part of</span> (.*?)</p>", page(viewer, "/catalog/default/group/payments/")
    )[1]
    assert re.findall(r"/group/(\w+)/", above) == ["company", "money"]


def test_team_detail_names_the_problems_of_what_it_owns(viewer, company, tree):
    SyncIssue.objects.create(
        source=company,
        entity_ref="component:default/pay",
        stage="parse",
        location="pay.yaml",
        line=3,
        message="The type is <missing>.",
    )
    text = page(viewer, "/catalog/default/group/payments/")
    troubled = re.search(r'aria-labelledby="troubled">(.*?)</section>', text, re.S)[1]
    assert "The type is &lt;missing&gt;." in troubled
    assert "pay.yaml:3" in troubled
    assert "The type is" not in page(viewer, "/catalog/default/group/money/")
    assert "The type is" in page(viewer, "/catalog/default/group/money/?below=1")


def test_team_detail_survives_teams_that_go_in_a_circle(viewer, tree):
    tree.write("catalog-info.yaml", group("a", parent="b"), group("b", parent="a"))
    read(tree.source(trusted_for_org=True))
    text = page(viewer, "/catalog/default/group/a/?below=1")
    assert "/group/b/" in re.search(r'aria-labelledby="subteams">(.*?)</section>', text, re.S)[1]


def test_team_detail_asks_the_same_number_of_queries_however_many_subteams(viewer, company, tree):
    url = "/catalog/default/group/company/?below=1"
    few = queries(viewer, url)
    tree.write(
        "more.yaml",
        *(group(f"g{n}", parent="money") for n in range(30)),
        *(user(f"u{n}", f"g{n}") for n in range(30)),
        *(component(f"c{n}", owner=f"g{n}") for n in range(30)),
    )
    read(tree.source("more.yaml", slug="more", trusted_for_org=True))
    assert "/user/u29/" in page(viewer, url)
    assert queries(viewer, url) == few


def test_team_list_counts_people_and_services(viewer, shop):
    text = page(viewer, "/teams/")
    assert names(text) == ["payments", "web"]
    assert re.findall(r'data-label="(?:People|Services)">(\d+)<', text) == ["1", "2", "0", "1"]


def test_team_list_asks_the_same_number_of_queries_however_many_teams(viewer, shop, tree):
    few = queries(viewer, "/teams/")
    tree.write("more.yaml", *(group(f"g{n}") for n in range(30)))
    read(tree.source("more.yaml", slug="more"))
    assert queries(viewer, "/teams/") == few
