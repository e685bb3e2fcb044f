"""The page of a person."""

import re

import pytest
from django.contrib.auth.models import User

from portal.models import UserLink
from tests.catalog.pages import names, page, queries
from tests.catalog.trees import component, document, group, read, user

pytestmark = pytest.mark.django_db
ANA = "/catalog/default/user/ana/"


@pytest.fixture
def company(tree):
    tree.write(
        "catalog-info.yaml",
        group("company", children=["payments"]),
        group("payments", parent="company"),
        document(
            "User",
            "ana",
            {"title": "Ana Duarte"},
            memberOf=["payments"],
            profile={"email": "ana@shop.example", "picture": "https://img.example/ana.png"},
        ),
        user("bob", "payments"),
        component("pay"),
        component("own", owner="user:ana"),
        component("other", owner="company"),
    )
    source = tree.source(trusted_for_org=True)
    read(source)
    return source


def test_user_detail_shows_teams_and_what_they_own(viewer, company):
    text = page(viewer, ANA)
    assert "ana@shop.example" in text
    assert "img.example" not in text.split('id="origin"')[0]
    teams = re.search(r'aria-labelledby="teams">(.*?)</section>', text, re.S)[1]
    assert re.findall(r"/group/(\w+)/", teams) == ["payments", "company"]
    assert "through a team below it" in teams
    assert names(text)[:2] == ["own", "pay"]


def test_user_detail_names_the_account_to_who_it_is_and_to_administrators(
    viewer, admin_client, company
):
    vic = User.objects.get(username="vic")
    link = UserLink.objects.create(
        user=User.objects.create_user("ana.d"), user_ref="user:default/ana", how="admin"
    )
    assert "ana.d" not in page(viewer, ANA)
    assert "Linked to the account" in page(admin_client, ANA)
    link.delete()
    UserLink.objects.create(user=vic, user_ref="user:default/ana", how="admin")
    assert "This is you" in page(viewer, ANA)


def test_user_detail_asks_the_same_number_of_queries_however_many_teams(viewer, company, tree):
    few = queries(viewer, ANA)
    more = [group(f"g{number}", members=["ana"], parent="company") for number in range(30)]
    tree.write("more.yaml", *more, *(component(f"c{number}") for number in range(60)))
    read(tree.source("more.yaml", slug="more", trusted_for_org=True))
    assert "The first 50 of 62" in page(viewer, ANA)
    assert queries(viewer, ANA) == few
