"""Stars: set and taken back, by htmx and by a plain form, and the list of them."""

import pytest
from django.contrib.auth.models import User

from catalog.models import Entity, Star
from catalog.stars import is_starred
from portal.models import AuditEvent
from tests.catalog.pages import names, page
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db
STAR = "/catalog/default/component/pay/star/"


def starred():
    return list(Star.objects.values_list("user__username", "entity_ref"))


def test_entity_star_is_set_and_taken_away_by_a_plain_form(viewer, shop):
    answer = viewer.post(STAR, {"next": "/catalog/?tag=go"})
    assert (answer.status_code, answer["Location"]) == (302, "/catalog/?tag=go")
    assert starred() == [("vic", "component:default/pay")]
    viewer.post(STAR)
    assert starred() == []
    actions = AuditEvent.objects.filter(target="component:default/pay").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == ["entity.star", "entity.unstar"]


def test_entity_star_answers_htmx_with_the_button(viewer, shop):
    text = viewer.post(STAR, headers={"HX-Request": "true"}).content.decode()
    assert 'aria-pressed="true"' in text
    assert f'id="star-{Entity.objects.get(name="pay").pk}"' in text


@pytest.mark.parametrize("away", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_entity_star_leads_nowhere_else(viewer, shop, away):
    assert viewer.post(STAR, {"next": away})["Location"] == "/catalog/"


def test_entity_star_takes_a_post_and_the_right_to_see_it(viewer, shop, settings):
    assert viewer.get(STAR).status_code == 405
    assert viewer.post("/catalog/default/component/none/star/").status_code == 404
    settings.DEFAULT_ROLE = ""
    assert viewer.post(STAR).status_code == 404
    assert starred() == []


def test_a_list_shows_the_stars_of_its_reader_alone(viewer, shop, client):
    viewer.post(STAR)
    text = page(viewer, "/catalog/?show=starred")
    assert names(text) == ["Pay API"]
    assert text.count('aria-pressed="true"') == 1
    client.force_login(User.objects.create_user("other"))
    text = page(client, "/catalog/?show=starred")
    assert names(text) == []
    assert "You have no stars yet" in text


def test_a_star_outlives_what_it_marks(viewer, shop, tree):
    viewer.post(STAR)
    Entity.objects.get(name="pay").delete()
    tree.write("catalog-info.yaml", component("pay"))
    read(shop)
    entity = Entity.objects.get(name="pay")
    assert is_starred(User.objects.get(username="vic"), entity)
