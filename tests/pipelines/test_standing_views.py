"""The pages of standing triggers."""

import uuid

import pytest

from pipelines.models import StandingTrigger
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def link():
    make_environments()
    return confirmed_link(make_service("shop"), make_pipeline(make_server(), "acme/shop"))


@pytest.fixture
def ana(client):
    user = make_person("ana", "deployer")
    client.force_login(user)
    return user


def sent(**fields):
    values = {"request_id": uuid.uuid4(), "branch": "main", "when": "schedule"}
    return {**values, "cron": "30 6 * * mon-fri", **fields}


def test_standing_create_sets_one_up_and_lists_it(client, ana, link):
    url = f"/pipelines/{link.pk}/standing/"
    assert "Schedule" in client.get(url).content.decode()
    answer = client.post(url, sent(note="Nightly"))
    assert (answer.status_code, answer["Location"]) == (302, "/standing/")
    page = client.get("/standing/").content.decode()
    assert "30 6 * * mon-fri" in page
    assert "Nightly" in page
    assert "In the name of" in page


def test_standing_create_says_what_is_wrong_beside_the_field(client, ana, link):
    answer = client.post(f"/pipelines/{link.pk}/standing/", sent(cron="now and then"))
    assert answer.status_code == 422
    assert "Write five fields" in answer.content.decode()


def test_standing_create_says_why_somebody_may_not(client, link):
    client.force_login(make_person("vic", "viewer"))
    answer = client.post(f"/pipelines/{link.pk}/standing/", sent())
    assert answer.status_code == 403
    assert "may not start builds" in answer.content.decode()


def test_standing_end_ends_ones_own_and_nobody_elses(client, ana, link):
    client.post(f"/pipelines/{link.pk}/standing/", sent())
    standing = StandingTrigger.objects.get()
    client.force_login(make_person("bea", "deployer"))
    client.post(f"/standing/{standing.pk}/end/")
    standing.refresh_from_db()
    assert standing.ended_at is None
    client.force_login(ana)
    client.post(f"/standing/{standing.pk}/end/")
    standing.refresh_from_db()
    assert standing.ended_at is not None


def test_standing_list_shows_strangers_only_their_own(client, ana, link, settings):
    client.post(f"/pipelines/{link.pk}/standing/", sent())
    settings.DEFAULT_ROLE = ""
    client.force_login(make_person("eve"))
    assert "30 6" not in client.get("/standing/").content.decode()


def test_standing_list_says_why_nothing_came_of_the_last_time(client, ana, link):
    client.post(f"/pipelines/{link.pk}/standing/", sent())
    StandingTrigger.objects.update(problem="Nobody told the newest commit.", firing="x")
    page = client.get("/standing/").content.decode()
    assert "did not run" in page
    assert "Nobody told the newest commit." in page
    assert "tries again" in page
