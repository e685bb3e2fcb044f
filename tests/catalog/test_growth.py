"""A page asks the database as often at ten thousand entities as at ten."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog import bulk, version
from catalog.models import Entity, Relation, Source, Tag
from portal.api_tokens import create
from portal.models import ApiToken
from tests.catalog.large import fill

pytestmark = pytest.mark.django_db
API = "/api/catalog/entities"
# {name}: a component that is there at any size.
PAGES = (
    "/catalog/",
    "/catalog/?kind=any&tag=java",
    "/catalog/?owner=group:default/team-0001",
    "/catalog/?q=seats",
    "/catalog/?page=2",
    "/catalog/facets/",
    "/search/?q=seats",
    "/teams/",
    "/sources/",
    "/sources/s/",
    "/catalog/default/component/{name}/",
    "/catalog/default/component/{name}/graph/",
    "/catalog/default/component/{name}/raw/",
    f"{API}/by-query?filter=kind=component&limit=20&orderField=metadata.name,asc",
    f"{API}/by-query?filter=kind=component&limit=20&fullTextFilterTerm=seats",
    f"{API}/by-name/component/default/{{name}}",
    "/api/catalog/entity-facets?facet=kind&facet=spec.type",
)


def test_no_page_asks_more_often_the_more_there_is(client):
    user = User.objects.create_user("vic")
    client.force_login(user)
    end = timezone.now() + timedelta(days=1)
    _, token = create(user, "t", ["catalog.view"], end, RequestFactory().get("/"))
    source = Source.objects.create(slug="s", name="S", kind="path", target="x")
    asked = {}
    for rows in (10, 10_000):
        Entity.objects.all().delete()
        fill(source, rows)
        Entity.objects.update(has_issues=True)  # whatever a page holds, it shows problems
        bulk.analyze(Entity, Relation, Tag)  # as a reading does after so large a change
        name = Entity.objects.filter(kind="Component").order_by("pk").first().name
        for page in PAGES:
            asked[page, rows] = _queries(client, page.format(name=name), token)
    grown = {p: (asked[p, 10], asked[p, 10_000]) for p in PAGES if asked[p, 10] < asked[p, 10_000]}
    assert grown == {}


def _queries(client, url, token):
    headers = {"Authorization": f"Bearer {token}"} if url.startswith("/api/") else {}
    version.bump()  # what was counted for another page is not used
    ApiToken.objects.update(last_used_at=None)  # noted at most once a minute: here at every call
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url, headers=headers).status_code == 200, url
    return len(captured)
