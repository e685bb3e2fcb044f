"""What befalls a source, replayed over real HTTP: the set of refs before equals the set after, plus
exactly the tombstones that the story names."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from catalog import guard, sync
from catalog.models import Entity, Source, SourceFile, Star
from portal.models import AuditEvent, Role, RoleMapping
from tests.catalog.trees import component, location, problems, read

pytestmark = pytest.mark.django_db

ROOT = "/all.yaml"
COUNT = 12


@pytest.fixture(autouse=True)
def loopback(settings):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    settings.CATALOG_ABSENT_AFTER_SECONDS = 600


@pytest.fixture
def admin():
    user = User.objects.create_user("ada")
    user.groups.add(Group.objects.create(name="idp:platform"))
    role = Role.objects.get(slug="admin")
    RoleMapping.objects.create(group="idp:platform", role=role, scope_kind="everything")
    return user


@pytest.fixture
def shelf(tree, site):
    """A source whose root names a file for each of twelve services, read once."""
    names = [f"s{number}" for number in range(COUNT)]
    site.serve(ROOT, location("root", targets=[f"./{name}.yaml" for name in names]))
    for name in names:
        site.serve(f"/{name}.yaml", component(name))
    source = tree.source()
    Source.objects.filter(pk=source.pk).update(kind="url", target=site.url + ROOT)
    source.refresh_from_db()
    read(source)
    assert alive() == {"root", *names}
    return source


def alive():
    return set(Entity.objects.filter(state="active").values_list("name", flat=True))


def tombstones():
    gone = Entity.objects.filter(state="missing", gone_at__isnull=False).exclude(reason="")
    return set(gone.values_list("name", flat=True))


def later(seconds=601):
    """As if the first 404 had been so long ago."""
    past = timezone.now() - timedelta(seconds=seconds)
    SourceFile.objects.filter(misses__gt=0).update(missed_at=past)


def no_more(site, *names):
    for name in names:
        site.answer(f"/{name}.yaml", 404)


# --- Storms ----------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
@pytest.mark.parametrize("where", ["root", "every file", "half of the files"])
def test_a_storm_of_refusals_marks_nothing_however_long_it_lasts(shelf, site, status, where):
    before = alive()
    paths = {"root": [ROOT], "every file": list(site.pages)[1:], "half of the files": []}[where]
    for path in paths or list(site.pages)[1::2]:
        site.answer(path, status)
    for _ in range(5):
        read(shelf)
        later()
    assert (alive(), tombstones()) == (before, set())
    assert problems(shelf)


def test_an_answer_that_breaks_off_changes_nothing(shelf, site):
    before = alive()
    whole = "---\n".join(["kind: Component\n"] * 3)
    site.answer("/s3.yaml", 200, whole, content_length=str(10 * len(whole)))
    site.answer("/s4.yaml", 200, "apiVersion: backstage.io/v1alpha1\nkind: Comp")
    for _ in range(4):
        read(shelf)
        later()
    assert (alive(), tombstones()) == (before, set())
    assert len(problems(shelf)) >= 2


def test_a_page_to_sign_in_is_no_empty_catalog(shelf, site):
    before = alive()
    for path in list(site.pages):
        site.answer(path, 200, "<!doctype html><title>Sign in</title>", content_type="text/html")
    for _ in range(4):
        assert read(shelf).state == "failed"
        later()
    assert (alive(), tombstones()) == (before, set())


# --- 404 -------------------------------------------------------------------------------------
def test_a_404_is_believed_after_three_readings_and_ten_minutes(shelf, site):
    before = alive()
    no_more(site, "s1")
    for _ in range(4):
        read(shelf)
        assert (alive(), tombstones()) == (before, set())  # often, but not for long enough
    later()
    read(shelf)
    assert (alive(), tombstones()) == (before - {"s1"}, {"s1"})
    assert Entity.objects.get(name="s1").reason.startswith("The file http")


def test_a_404_that_was_long_but_not_often_is_not_believed(shelf, site):
    no_more(site, "s1")
    for _ in range(2):
        read(shelf)
        later()
    assert tombstones() == set()


def test_a_file_that_comes_back_between_begins_to_count_anew(shelf, site):
    for _ in range(3):
        no_more(site, "s1")
        for _ in range(2):
            read(shelf)
            later()
        site.serve("/s1.yaml", component("s1"))
        read(shelf)
    assert tombstones() == set()
    assert SourceFile.objects.filter(misses__gt=0).count() == 0


def test_what_is_marked_is_removed_only_if_it_is_still_absent(shelf, site, settings):
    before = alive()
    no_more(site, "s1", "s2")
    for _ in range(3):
        read(shelf)
        later()
    assert tombstones() == {"s1", "s2"}
    past = timezone.now() - timedelta(seconds=settings.CATALOG_REMOVE_AFTER_SECONDS + 1)
    Entity.objects.filter(state="missing").update(gone_at=past)
    site.serve("/s2.yaml", component("s2"))
    site.answer("/s3.yaml", 503)
    read(shelf)
    assert (alive(), tombstones()) == (before - {"s1"}, set())
    assert not Entity.objects.filter(name="s1").exists()


def test_a_root_that_is_gone_is_believed_and_all_of_it_held_back(shelf, site):
    before = alive()
    site.answer(ROOT, 404)
    for _ in range(5):
        assert read(shelf).state == "failed"
        later()
    assert (alive(), tombstones()) == (before, set())
    assert shelf.held["count"] == COUNT + 1


# --- Moves -----------------------------------------------------------------------------------
def test_files_that_are_renamed_take_everything_along(shelf, site):
    before = dict(Entity.objects.values_list("ref", "pk"))
    Star.objects.create(user=User.objects.create_user("eve"), entity_ref="component:default/s1")
    targets = [f"./services/s{number}.yaml" for number in range(COUNT)]
    site.serve(ROOT, location("root", targets=targets))
    for number in range(COUNT):
        no_more(site, f"s{number}")
        site.serve(f"/services/s{number}.yaml", component(f"s{number}"))
    run = read(shelf)
    assert (run.added, run.missing, run.removed) == (0, 0, 0)
    assert dict(Entity.objects.values_list("ref", "pk")) == before
    assert tombstones() == set()
    assert Star.objects.filter(entity_ref__in=before).count() == 1
    assert all("/services/" in e.location for e in Entity.objects.filter(kind="Component"))


# --- Too much at once ------------------------------------------------------------------------
def fewer(site, left):
    site.serve(ROOT, location("root", targets=[f"./s{number}.yaml" for number in range(left)]))


def test_a_mass_removal_waits_and_only_the_set_that_was_seen_goes(shelf, site, admin):
    before = alive()
    fewer(site, 7)
    run = read(shelf)
    assert run.state == "succeeded"
    assert "5 of its 13 entities are gone at once" in run.message
    assert (alive(), tombstones()) == (before, set())
    seen = shelf.held["digest"]
    fewer(site, 6)
    read(shelf)
    assert shelf.held["count"] == 6
    assert guard.release(shelf, seen, admin, None)[0] is None  # not what was seen
    assert (alive(), tombstones()) == (before, set())
    released, _ = guard.release(shelf, shelf.held["digest"], admin, None)
    assert released is not None
    sync.run(released.pk)
    gone = {f"s{number}" for number in range(6, COUNT)}
    assert (alive(), tombstones()) == (before - gone, gone)
    shelf.refresh_from_db()
    assert (shelf.held, shelf.released) == ({}, "")
    outcomes = AuditEvent.objects.filter(action=guard.ACTION).order_by("pk")
    assert list(outcomes.values_list("outcome", flat=True)) == ["denied", "ok"]


def test_what_was_released_and_has_grown_meanwhile_waits_again(shelf, site, admin):
    fewer(site, 7)
    read(shelf)
    released, _ = guard.release(shelf, shelf.held["digest"], admin, None)
    fewer(site, 5)
    sync.run(released.pk)
    shelf.refresh_from_db()
    assert tombstones() == set()
    assert shelf.held["count"] == 7


def test_a_hold_clears_itself_when_the_files_come_back(shelf, site):
    fewer(site, 3)
    read(shelf)
    assert shelf.held
    fewer(site, COUNT)
    read(shelf)
    assert shelf.held == {}
    assert tombstones() == set()


def test_a_few_at_once_are_everyday_work(shelf, site):
    fewer(site, 9)  # 3 of 13
    read(shelf)
    assert tombstones() == {"s9", "s10", "s11"}


def test_nobody_without_the_right_lets_them_go(shelf, site):
    fewer(site, 3)
    read(shelf)
    stranger = User.objects.create_user("stan")
    run, decision = guard.release(shelf, shelf.held["digest"], stranger, None)
    assert (run, decision.allowed) == (None, False)
    read(shelf)
    assert tombstones() == set()
