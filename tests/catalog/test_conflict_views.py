"""Two places that describe one name: both are shown, and a person may decide."""

import re

import pytest
from django.contrib.auth.models import User

from catalog.models import Entity, NameDecision, SourceFile
from portal.models import AuditEvent
from tests.catalog.pages import page
from tests.catalog.people import give
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db
PAY = "/catalog/default/component/pay/"


@pytest.fixture
def two(tree):
    """The first source holds "pay", the second claims it as well."""
    tree.write("one.yaml", component("pay", {"title": "First"}))
    tree.write("two.yaml", component("pay", {"title": "Second"}), component("web"))
    sources = [tree.source(f"{slug}.yaml", slug=slug) for slug in ("one", "two")]
    for source in sources:
        read(source)
    return sources


@pytest.fixture
def admin(client):
    client.force_login(give(User.objects.create_user("ada"), "admin"))
    return client


def test_conflict_decide_is_offered_where_both_sides_are_shown(admin, two):
    SourceFile.objects.filter(source=two[1]).update(url="https://host.example/a/blob/m/two.yaml")
    text = page(admin, PAY)
    assert "2 places describe component:default/pay" in text
    assert re.search(r">One</a></strong> has it", text)
    assert re.search(r">Two</a></strong> claims it", text)
    assert 'href="https://host.example/a/blob/m/two.yaml#L1"' in text
    assert text.count("Give it the name") == 1
    assert "Problems in its descriptor" not in text


def test_conflict_decide_gives_the_name_to_the_other_source(
    admin, two, at_once, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        response = admin.post(f"{PAY}conflict/", {"source": "two"})
    entity = Entity.objects.get(name="pay")
    assert (entity.source, entity.title) == (two[1], "Second")
    assert NameDecision.objects.get().by.username == "ada"
    assert re.search("Read <time[^>]*>[^<]*</time>", page(admin, response["Location"]))
    assert AuditEvent.objects.filter(action="entity.name", outcome="ok").exists()


def test_conflict_decide_is_for_those_who_may(viewer, two):
    assert "Give it the name" not in page(viewer, PAY)
    assert viewer.post(f"{PAY}conflict/", {"source": "two"}).status_code == 403
    assert not NameDecision.objects.exists()


@pytest.mark.parametrize("slug", ["", "nope", "a\x00b"])
def test_conflict_decide_for_no_source_is_not_found(admin, two, slug):
    assert admin.post(f"{PAY}conflict/", {"source": slug}).status_code == 404


def test_conflict_decide_for_a_source_that_claims_nothing_is_refused(admin, two, tree):
    tree.write("three.yaml", component("other"))
    read(tree.source("three.yaml", slug="three"))
    assert admin.post(f"{PAY}conflict/", {"source": "three"}).status_code == 403


def test_conflict_decide_is_no_way_out_within_one_source(admin, tree):
    tree.write("a.yaml", component("pay"))
    tree.write("b.yaml", component("pay"))
    read(tree.source("*.yaml"))
    text = page(admin, PAY)
    assert "Give it the name" not in text
    assert "Two documents of one source" in text
