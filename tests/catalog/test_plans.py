"""The main pages' queries stand on indexes however large the catalog is.

The pages are asked for, and the database says how it would answer each of their queries: it must
not read the table of entities from end to end.
"""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog import bulk, search_index, version
from catalog.models import Entity, Relation, Source, SourceFile, Tag
from portal.api_tokens import create
from portal.models import UserLink
from tests.catalog.large import fill

# PostgreSQL chooses by size too.
ROWS = 100_000 if connection.vendor == "postgresql" else 2_000
LIST, API = "/catalog/", "/api/catalog/entities"
# As tests/catalog/large.py makes them: one word of a hundred names, and one of these names.
WORD = f"{77 * 2654435761 % 4294967296:x}"
NAME = f"{WORD}-000077"
SLIP = WORD[:2] + WORD[3] + WORD[2] + WORD[4:]
PAGES = {
    "list": LIST,
    "list, deep": f"{LIST}?page={ROWS * 6 // 10 // 50}",
    "list of all kinds": f"{LIST}?kind=any",
    "list of all kinds, deep": f"{LIST}?kind=any&page={ROWS // 2 // 50}",
    "type": f"{LIST}?type=website&type=library",
    "owner": f"{LIST}?owner=group:default/team-0007",
    "lifecycle": f"{LIST}?lifecycle=deprecated",
    "tag": f"{LIST}?tag=tag-0042",
    "two tags": f"{LIST}?tag=tag-0042&tag=java",
    "system": f"{LIST}?system=system:default/system-0011",
    "namespace": f"{LIST}?namespace=other",
    "missing": f"{LIST}?state=missing",
    "with problems": f"{LIST}?state=problems",
    "owned": f"{LIST}?show=owned",
    "starred": f"{LIST}?show=starred",
    "words in the list": f"{LIST}?q={WORD}",
    "facets": "/catalog/facets/",
    "facets of an owner": "/catalog/facets/?kind=any&owner=group:default/team-0007",
    "facets of words": f"/catalog/facets/?q={WORD}",
    "search": f"/search/?q={WORD}",
    "search for two words": f"/search/?q={WORD}+seat",
    "search with a slip": f"/search/?q={SLIP}",
    "entity": f"/catalog/default/component/{NAME}/",
    "API by name": f"{API}/by-name/component/default/{NAME}",
    "API list": f"{API}/by-query?filter=kind=component&limit=20&orderField=metadata.name,asc",
    "API by owner": f"{API}/by-query?filter=kind=component,spec.owner=team-0007&limit=20",
    "API by term": f"{API}/by-query?filter=metadata.labels.row=l77&limit=20",
    "API text": f"{API}/by-query?filter=kind=component&limit=20&fullTextFilterTerm={WORD}"
    "&fullTextFilterFields=metadata.name,metadata.title,metadata.description",
}


@pytest.fixture
def person(client):
    found = User.objects.create_user("vic")
    UserLink.objects.create(user=found, user_ref="user:default/vic", how="admin")
    found.stars.create(entity_ref=f"component:default/{NAME}")
    client.force_login(found)
    return client


@pytest.fixture
def large(transactional_db):
    """Rows like those of a real catalog, made by the database itself."""
    source = Source.objects.create(slug="s", name="S", kind="path", target="x")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Filled first and indexed then, as pg_restore does.
            for name in ("entity_search_trigrams", "entity_terms"):
                cursor.execute(f"DROP INDEX {name}")
        fill(source, ROWS)
        search_index.ensure(connection)
    bulk.analyze(Entity, Relation, Tag, SourceFile)
    version.bump()


if connection.vendor == "sqlite":
    # Its JSON has no index: terms are looked for in the text of every row.
    del PAGES["API by term"]


def read_from_end_to_end(sql: str) -> bool:
    """Whether the database would read the whole table of entities to answer."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}".replace("%", "%%"), [])
            steps = [row[3] for row in cursor.fetchall()]
            return any(
                step.startswith("SCAN catalog_entity") and "INDEX" not in step for step in steps
            )
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}".replace("%", "%%"), [])
        plan = cursor.fetchone()[0]
    return '"Seq Scan", "catalog_entity"' in json.dumps(list(_scans(plan)))


def plan_of(sql: str) -> str:
    """In the database's own words."""
    with connection.cursor() as cursor:
        query_plan = " QUERY PLAN" if connection.vendor == "sqlite" else " (FORMAT JSON)"
        cursor.execute(f"EXPLAIN{query_plan} {sql}".replace("%", "%%"), [])
        return json.dumps(cursor.fetchall())


def _scans(plan):
    """[node type, table] of every node."""
    if isinstance(plan, list):
        for item in plan:
            yield from _scans(item)
    elif isinstance(plan, dict):
        if "Relation Name" in plan:
            yield [plan["Node Type"], plan["Relation Name"]]
        for value in plan.values():
            if isinstance(value, list | dict):
                yield from _scans(value)


@pytest.fixture
def token(person):
    """What the API is asked with."""
    end = timezone.now() + timedelta(days=1)
    user = User.objects.get(username="vic")
    _, text = create(user, "plans", ["catalog.view"], end, RequestFactory().get("/"))
    return {"Authorization": f"Bearer {text}"}


def test_no_main_page_reads_all_entities(large, person, token):
    bad = []
    for name, url in PAGES.items():
        version.bump()  # what other pages have counted is not used
        with CaptureQueriesContext(connection) as captured:
            answer = person.get(url, headers=token if url.startswith(API) else {})
        assert answer.status_code == 200, (name, answer.content[:500])
        asked = [query["sql"] for query in captured if "catalog_entity" in query["sql"]]
        assert asked, name
        bad += [
            f"{name}: {sql}"
            for sql in asked
            if sql.startswith("SELECT") and read_from_end_to_end(sql)
        ]
    assert bad == [], "\n\n".join(bad)


def test_one_of_many_owners_is_found_by_the_index_of_owners(large, person, token):
    with CaptureQueriesContext(connection) as captured:
        person.get(f"{PAGES['API by owner']}&orderField=metadata.name,asc", headers=token)
    [page] = [
        query["sql"] for query in captured if '"catalog_entity"."ref" AS "ref"' in query["sql"]
    ]
    assert "owner" in plan_of(page)
