"""The OpenAPI document names every address, and the API does what it says, whatever is asked."""

import re
import uuid
from collections import Counter

import pytest
import schemathesis
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from pipelines import tasks
from pipelines.api import urls
from pipelines.api.openapi import OPERATIONS, document
from tests.catalog.api.test_openapi import CHECKED, HEALTH, Phase, good
from tests.pipelines.api.conftest import BASE, start
from tests.pipelines.api.test_read_views import ran

SEED = 20261
EXAMPLES = 14  # of each operation


def test_it_names_every_address_and_no_other():
    there = {"/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(one.pattern)) for one in urls.urlpatterns}
    named = {re.sub(r"{(pk|request_id)}", "{id}", address) for address in there}
    assert {operation.path for operation in OPERATIONS} == named


def test_it_is_served_to_who_has_a_token(db, api, client):
    assert api.get("/openapi.json")["openapi"] == "3.1.0"
    assert client.get(f"{BASE}/openapi.json").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_it_does_what_the_document_says_whatever_is_asked(
    live_server, api, sandbox, link, monkeypatch
):
    monkeypatch.setattr(tasks.dispatch, "delay_on_commit", lambda pk: None)
    schema = schemathesis.openapi.from_dict(document())
    schema.config.update(base_url=f"{live_server.url}{BASE}")
    build, answered = ran(sandbox, link), {}
    for result in schema.get_all_operations():
        operation = result.ok()
        counts = answered[operation.label] = Counter()
        _ask(operation, lambda case: _fill(case, api, build), api.secret, counts)
    assert {label for label, counts in answered.items() if not good(counts)} == set()
    assert len(answered) == len(OPERATIONS)


def _fill(case, api, build):
    """Names that there are, in place of those that were made up; bodies that make sense."""
    about = case.operation.path
    named = {"kind": "component", "namespace": "default", "name": "shop", "id": build.pk}
    if "/triggers/{id}" in about:
        named["id"] = api.trigger(start())["id"]
    for name in case.path_parameters or {}:
        case.path_parameters[name] = named[name]
    case.query = {}
    if about == "/triggers":
        case.headers = {"Idempotency-Key": str(uuid.uuid4())}
        case.body = start()


def _ask(operation, fill, secret, counts):
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
            fill(case)
        response = case.call(headers={"Authorization": f"Bearer {secret}"}, timeout=20)
        counts[response.status_code] += 1
        case.validate_response(response, checks=CHECKED)

    ask()
