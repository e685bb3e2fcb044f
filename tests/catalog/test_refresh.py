"""Having one entity read again."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from catalog import refresh, runs
from catalog.models import Entity, Repository, SourceFile, SyncRun
from portal.access import fresh_actor
from tests.catalog.people import give
from tests.catalog.trees import component, read

pytestmark = pytest.mark.django_db
FILE = "catalog-info.yaml"


@pytest.fixture
def dev(db):
    return give(User.objects.create_user("dev"), "developer")


def asked(user, name="pay"):
    """The entity as it is after somebody had it read again, and what they are told."""
    entity = Entity.objects.select_related("source", "file").get(name=name)
    run, decision = refresh.ask(user, entity, None)
    assert decision.allowed
    read(entity.source)
    return refresh.result_of(Entity.objects.get(name=name), str(run.pk))


def test_what_did_not_change_is_said(shop, dev):
    assert asked(dev).sentence == "Nothing changed."


def test_a_change_is_said(shop, tree, dev):
    tree.write(FILE, component("pay", {"title": "Payments"}))
    assert asked(dev).changed


def test_that_it_went_away_is_said_with_the_reason(shop, tree, dev):
    tree.write(FILE, component("other"))
    shop.max_missing_percent = 100
    shop.save()
    result = asked(dev)
    assert (result.tone, "no longer described in" in result.sentence) == ("warning", True)


def test_that_its_descriptor_became_invalid_is_no_success(shop, tree, dev):
    tree.write(FILE, component("pay", owner=7), component("other"))
    assert asked(dev).tone == "error"


def test_a_source_that_fails_says_why(shop, tree, dev):
    tree.remove(FILE)
    result = asked(dev)
    assert result.tone == "error"
    assert result.sentence.startswith("It could not be read: ")


def test_a_run_under_way_is_open(shop, dev):
    pay = Entity.objects.select_related("source", "file").get(name="pay")
    run, _ = refresh.ask(dev, pay, None)
    assert refresh.result_of(pay, str(run.pk)).is_open
    runs.claim(run.pk)
    assert refresh.result_of(pay, str(run.pk)).sentence == "Being read."


@pytest.mark.parametrize("number", ["", "x", "-1", "9" * 30, "²", "4711"])
def test_a_number_that_is_no_reading_of_its_source_is_none(shop, number):
    assert refresh.result_of(Entity.objects.get(name="pay"), number) is None


def test_a_reading_of_another_source_is_not_told(shop, tree):
    tree.write("other.yaml", component("other"))
    run = read(tree.source("other.yaml", slug="other"))
    assert refresh.result_of(Entity.objects.get(name="pay"), str(run.pk)) is None


def test_only_its_own_repository_is_read_where_the_source_has_many(shop, dev):
    repository = Repository.objects.create(source=shop, external_id="1", full_name="acme/pay")
    SourceFile.objects.update(repository=repository)
    pay = Entity.objects.select_related("source", "file").get(name="pay")
    before = timezone.now() - timedelta(seconds=1)
    run, _ = refresh.ask(dev, pay, None)
    repository.refresh_from_db()
    assert (run.partial, run.cause) == (True, SyncRun.Cause.PERSON)
    assert repository.flagged_at > before


def test_a_source_that_is_switched_off_or_deleted_refuses(shop, dev):
    pay = Entity.objects.select_related("source", "file").get(name="pay")
    pay.source.enabled = False
    assert "switched off" in refresh.decide_for(fresh_actor(dev.pk), pay).reason
    pay.source = None
    assert "deleted" in refresh.decide_for(fresh_actor(dev.pk), pay).reason
