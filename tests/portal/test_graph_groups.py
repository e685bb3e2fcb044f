"""Groups that are too many for a sign-in at Entra: asked for at Graph, over real HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from portal.models import Identity
from tests.httpd import Httpd, json_reply, reply, serve
from tests.portal.oidc.provider import Provider, sign_in
from tests.portal.oidc.quirks import QUIRKS

pytestmark = pytest.mark.django_db
OVERAGE = QUIRKS["entra-overage"]["claims"]


@pytest.fixture
def graph(settings: Any) -> Iterator[Httpd]:
    with serve(
        json_reply(json.dumps({"value": [f"id-{number}" for number in range(300)]}))
    ) as httpd:
        settings.OIDC_GRAPH_URL = httpd.url
        yield httpd


def test_graph_gives_what_the_token_only_points_to(client: Client, provider: Provider, graph):
    provider.claims = OVERAGE
    sign_in(client, provider)
    assert User.objects.get().groups.count() == 300
    assert Identity.objects.get().incomplete == ""
    [asked] = graph.asked
    assert (asked.method, asked.path) == ("POST", "/me/getMemberObjects")
    assert asked.headers["Authorization"] == "Bearer access"
    assert json.loads(asked.body) == {"securityEnabledOnly": False}


@pytest.mark.parametrize(
    "behaviour",
    [
        reply(403),
        reply(200, "<html>", Content_Type="text/html"),
        json_reply('{"value": "all"}'),
        json_reply('{"value": ["a"], "@odata.nextLink": "https://x.example"}'),
    ],
    ids=["403", "html", "no list", "a part"],
)
def test_without_a_whole_answer_the_groups_stay_incomplete(client, provider, graph, behaviour):
    graph.behaviour = behaviour
    provider.claims = OVERAGE
    assert sign_in(client, provider)["Location"] == "/"
    assert "a pointer in place of the groups" in Identity.objects.get().incomplete
    assert not User.objects.get().groups.exists()


def test_graph_is_not_asked_about_whom_the_token_tells_all(client, provider, graph):
    provider.claims = {"groups": ["a"]}
    sign_in(client, provider)
    assert graph.asked == []


def test_the_address_in_the_token_is_never_asked(client, provider, graph, settings):
    settings.OIDC_GRAPH_URL = ""
    sources = {"src1": {"endpoint": graph.url + "/stolen"}}
    provider.claims = {"_claim_names": {"groups": "src1"}, "_claim_sources": sources}
    sign_in(client, provider)
    assert graph.asked == []


def test_a_claim_under_the_name_of_graphs_answer_is_no_answer(client, provider):
    provider.claims = {"stagedoor:getMemberObjects": ["stagedoor-admins"], "groups": []}
    sign_in(client, provider)
    assert not User.objects.get().groups.exists()


def test_a_token_of_thousands_of_groups_is_not_kept_in_the_session(client, provider):
    provider.claims = {"groups": [f"group-{number:04}" for number in range(5000)]}
    sign_in(client, provider)
    assert User.objects.get().groups.count() == 5000
    assert "oidc_id_token" not in client.session
    assert len(client.cookies["stagedoor_session"].value) < 64
    assert client.get("/account/").status_code == 200
    client.post("/signout/")
    onward = client.get("/signout/provider/")["Location"]
    assert onward.startswith(provider.issuer + "/end?client_id=")
    assert "id_token_hint" not in onward
