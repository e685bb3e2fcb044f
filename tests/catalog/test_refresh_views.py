"""Having an entity read again from its page."""

import re

import pytest
from django.contrib.auth.models import User

from catalog.models import Entity, SyncRun
from portal.models import AuditEvent
from tests.catalog.pages import page
from tests.catalog.people import give
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db
PAY = "/catalog/default/component/pay/"
REFRESH = f"{PAY}refresh/"
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def dev(client):
    """Signed in, may have the services of one team read again."""
    client.force_login(
        give(User.objects.create_user("dev"), "developer", "team", "group:default/payments")
    )
    return client


def test_entity_refresh_reads_it_and_says_what_came_of_it(
    dev, shop, at_once, tree, django_capture_on_commit_callbacks
):
    tree.write("catalog-info.yaml", component("pay", {"title": "New name"}))
    with django_capture_on_commit_callbacks(execute=True):
        response = dev.post(REFRESH)
    run = SyncRun.objects.latest("pk")
    assert response["Location"] == f"{PAY}?run={run.pk}"
    text = page(dev, response["Location"])
    assert re.search(r"Read <time[^>]*>\d+ s ago</time>. It changed", text)
    assert "New name" in text
    event = AuditEvent.objects.get(action="entity.refresh")
    assert (event.target, event.outcome) == ("component:default/pay", "ok")


def test_entity_refresh_shows_progress_and_ends_with_the_page_anew(dev, shop, tree):
    run = dev.post(REFRESH)["Location"].partition("=")[2]
    text = page(dev, f"{PAY}?run={run}")
    assert re.search(r'id="refresh"[^>]*hx-get="[^"]*refresh/\?run=\d+"', text)
    assert "<noscript>" in text
    response = dev.get(f"{REFRESH}?run={run}", **HTMX)
    assert "Waiting for a worker" in response.content.decode()
    assert "HX-Refresh" not in response
    tree.write("catalog-info.yaml", component("pay", {"title": "New name"}))
    read(shop)
    response = dev.get(f"{REFRESH}?run={run}", **HTMX)
    assert response["HX-Refresh"] == "true"
    assert "hx-get" not in response.content.decode()


def test_entity_refresh_is_refused_with_the_reason_and_audited(viewer, shop):
    text = page(viewer, PAY)
    assert re.search(r"<button[^>]*disabled[^>]*>Refresh</button>", text)
    assert viewer.post(REFRESH).status_code == 403
    assert not SyncRun.objects.filter(state="queued").exists()
    assert AuditEvent.objects.get(action="entity.refresh").outcome == "denied"


def test_entity_refresh_of_another_teams_service_is_refused(dev, shop):
    assert dev.post("/catalog/default/component/front/refresh/").status_code == 403


def test_entity_refresh_without_a_run_leads_to_the_page(dev, shop):
    assert dev.get(f"{REFRESH}?run=x", **HTMX)["Location"] == PAY
    assert dev.get(REFRESH)["Location"] == PAY


def test_entity_refresh_of_an_orphan_says_that_there_is_nothing_to_read(dev, shop):
    Entity.objects.filter(name="pay").update(source=None)
    assert "Its source was deleted" in page(dev, PAY)
    assert dev.post(REFRESH).status_code == 403
