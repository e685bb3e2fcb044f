"""Whatever lists, counts, exports or finds entities shows exactly what decide() allows of them."""

import csv
import json
import random
import re
from collections import Counter
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from catalog import counted
from catalog.forms import WITHOUT_BUILDS
from catalog.models import Entity, Relation
from catalog.scopes import scopes_of
from catalog.seen import VIEW, seen_by
from portal.access import actor_for
from portal.models import Role, RoleMapping
from portal.policy import Target, decide
from tests.catalog.api.conftest import Api
from tests.catalog.pages import page, queries
from tests.catalog.trees import component, document, group, read, user

pytestmark = pytest.mark.django_db
LIST = "/catalog/"
WORD = "ship"  # in every description
SCOPES = [
    ("team", "group:default/shop"),
    ("team", "group:default/payments"),
    ("team", "group:default/outside"),
    ("team", "group:default/alone"),
    ("team", "group:default/nobody"),
    ("system", "system:default/checkout"),
    ("system", "system:default/nowhere"),
    ("service", "component:default/pay"),
    ("service", "api:other/orders"),
    ("service", "user:default/ana"),
    ("service", "group:default/shop"),
    ("tag", "go"),
    ("tag", "Go"),
    ("label", "tier=gold"),
    ("label", "tier=Gold"),
    ("label", "acme.example/zone=eu"),
    ("label", "7=seven"),
    ("server", "jenkins"),
    ("pipeline", "*"),
]


@pytest.fixture
def world(tree, settings):
    """Teams three deep, one of them from a source that nobody trusts; things of every scope, and
    titles that stand nowhere else."""
    settings.DEFAULT_ROLE = ""

    def about(**more):
        return {"description": f"We {WORD}.", **more}

    tree.write(
        "org/catalog-info.yaml",
        group("shop", children=["payments"]),
        group("payments", parent="shop"),
        group("alone"),
        group("till", parent="payments"),
        user("ana", "payments"),
        user("ben", "till"),
        document("System", "checkout", about(title="Checkout"), owner="shop", domain="sales"),
        document("Domain", "sales", about(), owner="alone"),
        component("pay", about(tags=["go"], labels={"tier": "gold"}), system="checkout"),
        component("ledger", about(tags=["go", "db"]), owner="alone", dependsOn=["component:pay"]),
        component("web", about(labels={"tier": "Gold", "acme.example/zone": "eu"}), owner="shop"),
        component("odd", about(labels={"7": "seven"}), owner="alone", system="nowhere"),
        component("bare", about(), owner="lost"),
    )
    tree.write(
        "more/catalog-info.yaml",
        group("outside", parent="payments"),
        document("Widget", "gadget", about(tags=["go"])),
        component("stranger", about(), owner="outside"),
        document(
            "API", "orders", about(namespace="other"), type="x", lifecycle="y", owner="alone",
            definition="z", system="default/checkout",
        ),
    )  # fmt: skip
    read(tree.source("org", slug="org", trusted_for_org=True))
    read(tree.source("more", slug="more"))
    assert Entity.objects.count() == 17
    for entity in Entity.objects.all():
        Entity.objects.filter(pk=entity.pk).update(title=f"Title of {entity.kind} {entity.name}.")


def person(name, *scopes):
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.create(name=f"idp:{name}s"))
    for kind, ref in scopes:
        role = Role.objects.get(slug="viewer")
        RoleMapping.objects.create(group=f"idp:{name}s", role=role, scope_kind=kind, scope_ref=ref)
    return user


def allowed(user):
    """By decide(), entity by entity."""
    actor, now = actor_for(user), timezone.now()
    return {
        entity.ref
        for entity in Entity.objects.all()
        if decide(actor, VIEW, Target(str(entity), scopes_of(entity)), now=now).allowed
    }


def shown(text):
    """The refs that a page's rows or hits lead to."""
    links = re.findall(r'class="table__title" href="/catalog/([^/"]+)/([^/"]+)/([^/"]+)/"', text)
    return {f"{kind}:{namespace}/{name}" for namespace, kind, name in map(_words, links)}


def _words(link):
    return tuple(unquote(word) for word in link)


def facets(text):
    """{value: count} of what is beside the checkboxes of a list."""
    found = re.findall(
        r'name="(type|owner|tag)" value="([^"]*)"[^>]*>.*?class="facet__count">(\d+)<', text
    )
    return {(name, value): int(count) for name, value, count in found}


def words_for_hidden(expected):
    """The titles of what may not be seen, and the refs to which nothing that may be seen leads."""
    hidden = Entity.objects.exclude(ref__in=expected)
    shown = Entity.objects.filter(ref__in=expected)
    said = {ref for row in shown.values_list("owner_ref", "system_ref") for ref in row}
    said |= set(Relation.objects.filter(source__in=shown).values_list("target_ref", flat=True))
    return {*hidden.values_list("title", flat=True), *hidden.values_list("ref", flat=True)} - said


def named(words, answer):
    """Which of these an answer holds anywhere, addresses included."""
    body = b"".join(answer).decode() if answer.streaming else answer.content.decode()
    text = unquote(body)
    return {word for word in words if word in text}


def compare(user):
    """Asks everywhere as this person."""
    client, expected = Client(), allowed(user)
    client.force_login(user)
    hidden = words_for_hidden(expected)
    assert set(seen_by(actor_for(user)).entities().values_list("ref", flat=True)) == expected
    status = 200 if expected or not seen_by(actor_for(user)).nothing else 403
    for url in (LIST, "/catalog/export.csv", "/search/?q=ship", "/teams/", "/repositories/"):
        answer = client.get(url)
        assert answer.status_code == status, url
        assert not named(hidden, answer), url
    for entity in Entity.objects.all():
        _, namespace, name = re.split("[:/]", entity.ref)
        at = f"/catalog/{namespace}/{entity.kind.lower()}/{name}/?below=1"
        answer = client.get(at)
        assert answer.status_code == (200 if entity.ref in expected else 404), at
        assert entity.ref not in expected or not named(hidden, answer), at
    if status == 200:
        _compare_pages(client, expected)
        _compare_calls(Api(user), expected)


def _compare_pages(client, expected):
    entities = Entity.objects.filter(ref__in=expected)
    known = set(entities.exclude(state="unsupported").values_list("ref", flat=True))
    for _ in range(2):  # the second may be a kept one
        text = page(client, f"{LIST}?kind=any")
        assert shown(text) == known
        assert re.search(rf"\b{len(known)} entit", text)
    owners = Counter(entities.filter(ref__in=known).values_list("owner_ref", flat=True))
    counts = facets(text)
    assert {v: n for (name, v), n in counts.items() if name == "owner"} == +Counter(
        {owner: n for owner, n in owners.items() if owner}
    )
    assert shown(page(client, f"{LIST}?kind=any&state=unsupported")) == expected - known
    sheet = b"".join(client.get("/catalog/export.csv?kind=any")).decode()
    assert {row["ref"] for row in csv.DictReader(sheet.splitlines())} == known
    items = json.loads(b"".join(client.get("/catalog/export.json?kind=any")))
    assert {item["metadata"]["name"] for item in items} == {
        e.name for e in entities if e.ref in known
    }
    found = set(entities.filter(description__contains=WORD).values_list("ref", flat=True))
    assert shown(page(client, f"/search/?q={WORD}")) == found - (expected - known)
    pks = ",".join(str(pk) for pk in Entity.objects.values_list("pk", flat=True))
    states = page(client, f"/catalog/states/?ids={pks}")
    drawn = {int(pk) for pk in re.findall(r'id="entity-state-(\d+)"', states)}
    assert drawn == {entity.pk for entity in entities if entity.kind not in WITHOUT_BUILDS}
    teams = {ref for ref in known if ref.startswith("group:")}
    assert shown(page(client, "/teams/")) == teams


def _compare_calls(api, expected):
    refs = sorted(Entity.objects.values_list("ref", flat=True))
    kept = {ref for ref in expected if not ref.startswith("widget:")}
    for path in ("/entities", "/entities/by-query?limit=100"):
        found = api.get(path)
        items = found["items"] if isinstance(found, dict) else found
        assert {ref_of(item) for item in items} == kept
    assert found["totalItems"] == len(kept)
    items = api.post("/entities/by-refs", {"entityRefs": refs})["items"]
    assert {ref_of(item) for item in items if item} == kept
    counts = api.get("/entity-facets?facet=kind")["facets"]["kind"]
    kinds = Counter(ref.partition(":")[0] for ref in kept)
    assert {one["value"].lower(): one["count"] for one in counts} == kinds
    for ref in refs:
        kind, namespace, name = re.split("[:/]", ref)
        status = api.ask("GET", f"/entities/by-name/{kind}/{namespace}/{name}").status_code
        assert status == (200 if ref in expected else 404)


def ref_of(item):
    about = item["metadata"]
    return f"{item['kind']}:{about['namespace']}/{about['name']}".lower()


@pytest.mark.parametrize("seed", range(6))
def test_everything_shows_what_policy_allows(world, seed):
    choose = random.Random(seed)
    everybody = person("all", ("everything", ""))
    compare(everybody)  # what is kept of it must not reach the others
    for number in range(3):
        compare(person(f"p{number}", *choose.sample(SCOPES, choose.randint(1, 3))))
    compare(everybody)


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_covers_in_sql_what_it_covers_by_policy(world, scope):
    user = person("tom", scope)
    found = seen_by(actor_for(user)).entities()
    assert set(found.values_list("ref", flat=True)) == allowed(user)


def test_many_scopes_take_as_many_queries_as_one(world, monkeypatch):
    monkeypatch.setattr(counted, "LARGE", 2)
    asked = []
    for name, scopes in (("one", SCOPES[:1]), ("all", SCOPES)):
        client = Client()
        client.force_login(person(name, *scopes))
        # The first asks for what is kept of everybody alike.
        queries(client, LIST)
        asked.append(queries(client, f"{LIST}?counts"))
    assert asked[0] == asked[1]


def test_thousands_of_scopes_are_one_statement(world):
    scopes = [("label", f"key-{n}=value") for n in range(2000)]
    scopes += [("service", f"component:default/c{n}") for n in range(2000)]
    user = person("tom", *scopes, ("tag", "db"))
    found = seen_by(actor_for(user)).entities()
    assert [entity.name for entity in found] == ["ledger"]


def test_what_may_not_be_seen_is_a_ref_without_a_link_or_a_title(world):
    client = Client()
    client.force_login(person("tom", ("tag", "db")))
    Entity.objects.filter(name="pay").update(title="Secret title")
    text = page(client, "/catalog/default/component/ledger/")
    assert "component:default/pay</span>" in text
    assert "not in what you may see" in text
    graph = page(client, "/catalog/default/component/ledger/graph/")
    for place in (text, graph, page(client, LIST)):
        assert "Secret title" not in place
        assert 'href="/catalog/default/component/pay/"' not in place


def test_a_team_and_its_people_are_shown_without_the_teams_that_may_not_be_seen(world):
    client = Client()
    scopes = ("group:default/shop", "user:default/ana", "user:default/ben", "component:default/pay")
    tom = person("tom", *(("service", ref) for ref in scopes))
    compare(tom)
    client.force_login(tom)
    text, ben, ana = (
        # Without the part that lists what else its file describes.
        unquote(page(client, f"/catalog/default/{at}")).partition('id="origin"')[0]
        for at in ("group/shop/?below=1", "user/ben/", "user/ana/")
    )
    assert "default/till" not in text
    assert "/user/ben/" not in text
    assert "/component/pay/" not in text
    assert "owner=group:default/till" not in ben
    assert "/component/pay/" not in ana
