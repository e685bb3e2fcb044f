"""How the services of a team, a system or a domain do; unknown is never passed."""

import re

import pytest
from django.contrib.auth.models import User

from catalog.models import Entity
from catalog.seen import EVERYTHING
from pipelines.fleet import healths
from tests.catalog.trees import Tree, component, document, group, read
from tests.pipelines.world import confirmed_link, make_build, make_pipeline, make_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def town(tree):
    tree.write(
        "catalog-info.yaml",
        group("money", children=["payments"]),
        group("payments", parent="money"),
        document("Domain", "sales", owner="money"),
        document("System", "checkout", owner="money", domain="sales"),
        *(component(f"c{n}", system="checkout") for n in range(4)),
        component("books", owner="money"),
    )
    read(tree.source(trusted_for_org=True))
    server = make_server()
    for name, states in {"c0": ["passed"], "c1": ["passed", "failed"], "c2": ["odd"]}.items():
        entity = Entity.objects.get(name=name)
        for number, state in enumerate(states):
            pipeline = confirmed_link(entity, make_pipeline(server, f"acme/{name}-{number}"))
            shown = state if state != "odd" else "unknown"
            make_build(
                pipeline.pipeline, 1, "passed" if shown == "failed" else "failed", minutes_ago=9
            )
            make_build(pipeline.pipeline, 2, shown, minutes_ago=3)


@pytest.fixture
def tree(tmp_path, settings):
    folder = tmp_path / "catalogue"
    folder.mkdir()
    settings.CATALOG_PATHS = [folder]
    return Tree(folder)


def of(name, **more):
    entity = Entity.objects.get(name=name)
    health = healths([entity], EVERYTHING, **more)[entity.pk]
    return {line.state: line.count for line in health.lines} | {"silent": health.silent}


def test_a_service_counts_by_its_worst_newest_build(town):
    expected = {"failed": 1, "unknown": 1, "passed": 1, "silent": 1}
    assert of("payments") == of("checkout") == of("sales") == expected


def test_a_team_counts_its_subteams_where_asked(town):
    assert of("money") == {"silent": 1}
    assert of("money", below=True) == {"failed": 1, "unknown": 1, "passed": 1, "silent": 2}


def test_the_page_names_what_is_broken_and_unknown(town, client):
    client.force_login(User.objects.create_user("vic"))
    text = client.get("/catalog/default/system/checkout/").content.decode()
    fleet = re.search(r'aria-labelledby="fleet">(.*?)</section>', text, re.S)[1]
    assert re.findall(r"/component/(\w+)/", fleet) == ["c1", "c2"]
    assert "of 4 services" in fleet
    assert "without builds" in fleet


def test_many_teams_take_as_many_queries_as_one(town, tree, django_assert_num_queries):
    groups = [group(f"g{n}") for n in range(30)]
    tree.write("more.yaml", *groups, *(component(f"x{n}", owner=f"g{n}") for n in range(30)))
    read(tree.source("more.yaml", slug="more", trusted_for_org=True))
    teams = list(Entity.objects.filter(kind="Group"))
    assert len(teams) == 32
    with django_assert_num_queries(2):
        assert len(healths(teams, EVERYTHING)) == 32


def test_nobody_is_told_who_may_not_see_builds(town, client, settings):
    settings.DEFAULT_ROLE = ""
    client.force_login(User.objects.create_user("vic"))
    assert client.get("/catalog/default/system/checkout/").status_code == 404
