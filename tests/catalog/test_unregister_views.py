"""Taking an entity out of the catalog."""

import re

import pytest
from django.contrib.auth.models import User

from catalog.models import Entity, Source
from portal.models import AuditEvent, Role
from tests.catalog.pages import page, queries
from tests.catalog.people import give
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db
PAY = "/catalog/default/component/pay/"
REMOVE = f"{PAY}unregister/"


@pytest.fixture
def admin(client):
    client.force_login(give(User.objects.create_user("ada", first_name="Ada"), "admin"))
    return client


@pytest.fixture
def registered(shop):
    """A source that a person registered; it holds the whole shop."""
    Source.objects.update(registered_by=User.objects.create_user("rob", first_name="Rob"))
    return Source.objects.get()


def test_entity_unregister_lists_all_that_goes_and_says_what_happens(admin, registered):
    text = page(admin, REMOVE)
    assert "which Rob registered" in text
    assert re.search(rf'What goes <span class="count">{Entity.objects.count()}<', text)
    assert 'href="/catalog/default/component/ledger/"' in text
    assert "Stop reading Org" in text


def test_entity_unregister_is_offered_to_those_who_may(admin, registered):
    link = 'href="/catalog/default/component/pay/unregister/"'
    assert link in page(admin, PAY)
    Source.objects.update(registered_by=None)
    assert link not in page(admin, PAY)


def test_entity_unregister_is_not_offered_to_others(viewer, registered):
    assert "/unregister/" not in page(viewer, PAY)


def test_entity_unregister_counts_only_what_may_be_seen(client, registered, settings):
    settings.DEFAULT_ROLE = ""
    user = give(User.objects.create_user("sam"), "viewer", "service", "component:default/pay")
    client.force_login(user)
    text = page(client, REMOVE)
    assert re.search(r'What goes <span class="count">1<', text)
    assert "and what you may not see" in text
    assert f"{Entity.objects.count()} in all" not in text
    Role.objects.create(name="Remover", slug="remover", rank=1, permissions=["source.register"])
    give(user, "remover")
    assert (
        "What it describes is marked as gone" in client.post(REMOVE, follow=True).content.decode()
    )


def test_entity_unregister_marks_what_went_and_deletes_the_source(admin, registered):
    response = admin.post(REMOVE, follow=True)
    assert response.redirect_chain[-1][0] == PAY
    text = response.content.decode()
    assert "is not read any more" in text
    assert "left its source" in text
    assert not Source.objects.exists()
    assert set(Entity.objects.values_list("state", flat=True)) == {"missing"}
    assert AuditEvent.objects.get(action="source.unregister").outcome == "ok"
    assert "nobody reads it any more" in page(admin, REMOVE)


def test_entity_unregister_says_where_to_delete_what_an_administrator_configured(admin, shop):
    text = page(admin, REMOVE)
    assert re.search(r"begins at line \d+ of <span class=\"mono\">catalog-info.yaml", text)
    assert '<form method="post"' not in text.partition('id="remove"')[2]
    assert admin.post(REMOVE).status_code == 422
    assert Source.objects.exists()


def test_entity_unregister_is_refused_with_the_reason(viewer, registered):
    assert re.search(r"<button[^>]*disabled[^>]*>Stop reading Org<", page(viewer, REMOVE))
    assert viewer.post(REMOVE).status_code == 403
    assert Source.objects.exists()
    assert AuditEvent.objects.get(action="source.unregister").outcome == "denied"


def test_entity_unregister_asks_the_same_number_of_queries_however_much_goes(
    admin, registered, tree
):
    few = queries(admin, REMOVE)
    tree.write("catalog-info.yaml", *(component(n) for n in ("pay", *(f"c{i}" for i in range(40)))))
    read(registered)
    assert queries(admin, REMOVE) <= few
