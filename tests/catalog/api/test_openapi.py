"""The OpenAPI document names every address, and the API does what it says, whatever is asked."""

import re
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from catalog.api import urls
from catalog.api.openapi import OPERATIONS, document
from catalog.models import Entity, Source
from catalog.version import bump
from tests.catalog.api.conftest import Api, person
from tests.catalog.trees import component

SEED = 20260
EXAMPLES = 26  # of each operation
CHECKED = (
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture]


def test_it_names_every_address_and_no_other():
    there = {"/" + re.sub(r"<str:(\w+)>", r"{\1}", str(one.pattern)) for one in urls.urlpatterns}
    named = {operation.path.replace("{id}", "{slug}") for operation in OPERATIONS}
    assert named == there


def test_it_is_served_to_who_has_a_token(api, client):
    found = api.get("/openapi.json")
    assert found["openapi"] == "3.1.0"
    assert found["security"] == [{"token": []}]
    assert client.get("/api/catalog/openapi.json").status_code == 401


@pytest.fixture
def world(shop, site):
    """What operations need to succeed: addresses, and things that may be taken away."""
    site.serve("/catalog-info.yaml", component("fetched"))
    return World(shop, f"{site.url}/catalog-info.yaml")


class World:
    """Makes what an operation asks about, anew for each call."""

    def __init__(self, source, url):
        self._source = source
        self._url = url
        self._count = 0

    def fill(self, case):
        """Names that there are, in place of those that were made up; bodies that make sense."""
        names = case.operation.path + case.operation.method
        for name in case.path_parameters or {}:
            case.path_parameters[name] = self._named(name)
        body = self._body(names)
        if body is not None:
            case.body = body
        if "facet" in (case.query or {}):
            case.query = {"facet": ["kind", "metadata.tags"]}
        elif case.query:
            case.query = {"fields": ["kind,metadata.name"]} if "/entities" in names else {}

    def _named(self, name):
        known = {"kind": "component", "namespace": "default", "name": "front"}
        if name == "uid":
            return str(self._entity().uid)
        return self._location().slug if name == "id" else known[name]

    def _body(self, names):
        self._count += 1
        address = {"type": "url", "target": f"{self._url}?{self._count}"}
        return {
            "/entities/by-querypost": {"query": {"kind": "component"}, "limit": 2},
            "/entities/by-refspost": {"entityRefs": ["component:front", "group:none"]},
            "/entity-facetspost": {"facets": ["kind"]},
            "/refreshpost": {"entityRef": "component:default/front"},
            "/validate-entitypost": {"entity": component("x"), "location": "url:https://a.b/c"},
            "/analyze-locationpost": {"location": {"type": "url", "target": self._url}},
            "/locationspost": address,
            "/locations/by-querypost": {"query": {"type": "url"}},
            "/locations/{id}put": address,
        }.get(names)

    def _entity(self):
        name = f"spare-{self._count}"
        fields = {"kind": "Component", "name": name, "ref": f"component:default/{name}"}
        self._count += 1
        document = component(name)
        found = Entity.objects.create(document=document, digest="", location="x", **fields)
        bump()
        return found

    def _location(self):
        self._count += 1
        slug = f"spare-{self._count}"
        return Source.objects.create(slug=slug, name=slug, kind="url", target=f"http://x/{slug}")


@pytest.mark.django_db(transaction=True)
def test_it_does_what_the_document_says_whatever_is_asked(live_server, world):
    api = Api(person("lena", "idp:admins"))
    schema = schemathesis.openapi.from_dict(document())
    schema.config.update(base_url=f"{live_server.url}/api/catalog")
    headers = {"Authorization": f"Bearer {api.token}"}
    answered = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        answered[operation.label] = Counter()
        _ask(operation, world, headers, answered[operation.label])
    assert sum(counts.total() for counts in answered.values()) >= 500
    silent = {label: dict(counts) for label, counts in answered.items() if not good(counts)}
    assert silent == {}
    assert len(answered) == len(OPERATIONS)


def good(counts):
    return sum(count for status, count in counts.items() if 200 <= status < 300)


def _ask(operation, world, headers, counts):
    """Half of the calls are as they come, half about what there is."""

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=HEALTH,
    )
    @given(case=operation.as_strategy(), real=st.booleans())
    def ask(case, real):
        if real or not counts:
            world.fill(case)
        response = case.call(headers=headers, timeout=20)
        counts[response.status_code] += 1
        case.validate_response(response, checks=CHECKED)

    ask()
