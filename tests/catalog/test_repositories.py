"""Rows of repositories and their pull requests: renamed, lost, flagged at any moment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from catalog import repositories
from catalog.models import PullRequest, Repository, Source, SourceFile, SyncRun
from catalog.sources.base import RemoteRepository
from tests.catalog.hosts.bitbucket import BitbucketHost
from tests.catalog.hosts.forge import Pull
from tests.catalog.test_sources_bitbucket import FILE, read_all, reader

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PAY = RemoteRepository(
    "{1}",
    "acme/pay",
    "https://bitbucket.org/acme/pay",
    marker="m1",
    head_commit="c1",
    descriptor="",
)
WEB = RemoteRepository("{2}", "acme/web", "https://bitbucket.org/acme/web", marker="m1")


@pytest.fixture
def source() -> Source:
    return Source.objects.create(slug="acme", name="Acme", kind="bitbucket", target="acme")


@pytest.fixture
def host(settings, monkeypatch):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_BB", "s3cret-token")
    with BitbucketHost().running() as running:
        yield running


def row(external_id: str) -> Repository:
    return Repository.objects.get(external_id=external_id)


# --- record ----------------------------------------------------------------------------------
def test_a_list_becomes_rows_and_rows_the_next_readings_knowledge(source):
    assert repositories.record(source, [PAY, WEB], True, NOW) == {"{1}", "{2}"}
    assert (row("{1}").has_descriptor, row("{2}").has_descriptor) == (False, None)
    assert repositories.known(source) == (PAY, WEB)
    assert repositories.record(source, [PAY, WEB], True, NOW) == set()
    changed = replace(PAY, marker="m2", descriptor=FILE)
    assert repositories.record(source, [changed, WEB], True, NOW) == {"{1}"}
    assert row("{1}").has_descriptor


def test_what_is_as_it_was_costs_few_queries(source, django_assert_max_num_queries):
    many = [replace(PAY, external_id=str(n), full_name=f"acme/r{n}") for n in range(1000)]
    repositories.record(source, many, True, NOW)
    with django_assert_max_num_queries(10):
        repositories.record(source, many, True, NOW + timedelta(hours=1))
    assert Repository.objects.filter(read_at=NOW + timedelta(hours=1)).count() == 1000


def test_a_renamed_repository_stays_the_same_row(source):
    repositories.record(source, [PAY], True, NOW)
    pk = row("{1}").pk
    repositories.record(source, [replace(PAY, full_name="acme/payments")], True, NOW)
    assert (row("{1}").pk, row("{1}").full_name) == (pk, "acme/payments")


def test_files_are_tied_to_the_repository_that_has_the_name_now(source):
    repositories.record(source, [PAY], True, NOW)
    file = SourceFile.objects.create(source=source, location=f"acme/pay/{FILE}", digest="x")
    repositories.tie(source)
    file.refresh_from_db()
    assert file.repository == row("{1}")
    renamed, other = replace(PAY, full_name="acme/old"), replace(PAY, external_id="{3}")
    repositories.record(source, [renamed, other], True, NOW)
    file.refresh_from_db()
    assert file.repository == row("{3}")


def test_absent_from_whole_lists_for_long_enough_is_gone(source, settings):
    grace = timedelta(seconds=settings.CATALOG_REMOVE_AFTER_SECONDS)
    repositories.record(source, [PAY, WEB], True, NOW)
    PullRequest.objects.create(repository=row("{2}"), number=1, title="x", url="", updated_at=NOW)
    for complete, moment, state in (
        (True, NOW + grace / 2, "active"),
        (False, NOW + 2 * grace, "active"),
        (True, NOW + 2 * grace, "gone"),
    ):
        repositories.record(source, [PAY], complete, moment)
        assert row("{2}").state == state
    assert not PullRequest.objects.exists()
    assert repositories.record(source, [PAY, WEB], True, NOW + 3 * grace) == {"{2}"}
    assert row("{2}").state == "active"


def test_what_hosts_say_is_cut_to_what_can_be_stored(source):
    odd = replace(PAY, description="a\0b\ud800" + "x" * 9000, default_branch="b" * 400)
    repositories.record(source, [odd], True, NOW)
    assert len(row("{1}").default_branch) == 255
    assert row("{1}").description.startswith("ab?x")


# --- Flags -----------------------------------------------------------------------------------
def test_a_flag_makes_it_new_and_is_taken_away_by_the_reading_that_began_later(source):
    repositories.record(source, [PAY, WEB], True, NOW)
    repositories.flag([row("{1}")], NOW)
    assert repositories.flagged(source) == {"{1}"}
    assert [known.marker for known in repositories.known(source)] == ["", "m1"]
    assert repositories.record(source, [PAY], False, NOW + timedelta(seconds=1)) == {"{1}"}
    assert repositories.flagged(source) == set()


def test_a_flag_that_comes_while_a_reading_runs_stays(source):
    repositories.record(source, [PAY], True, NOW)
    SyncRun.objects.create(source=source, cause="schedule", state="running", started_at=NOW)
    repositories.flag([row("{1}")], NOW + timedelta(seconds=5))
    repositories.record(source, [replace(PAY, head_commit="c2")], True, NOW + timedelta(seconds=9))
    assert repositories.flagged(source) == {"{1}"}


# --- Pull requests ---------------------------------------------------------------------------
@pytest.fixture
def hosted(host, source):
    """Three repositories, listed and recorded; the host's own and the reader."""
    found = [host.add(name, {FILE: "x"}) for name in ("pay", "web", "ledger")]
    found[0].pulls = [Pull(1, "One"), Pull(2, "Two")]
    some = reader(host)
    read_all(some)
    repositories.record(source, some.repositories(), True, timezone.now())
    host.asked.clear()
    return host, some


def test_open_pull_requests_take_the_place_of_what_was_known(hosted, source):
    host, some = hosted
    now = timezone.now()
    assert repositories.read_pull_requests(source, some, (), now) == 3
    pay = row(host.find("acme/pay").id)
    assert set(pay.pull_requests.values_list("number", flat=True)) == {1, 2}
    # Nothing is due: nothing is asked.
    host.asked.clear()
    assert repositories.read_pull_requests(source, some, (), now) == 0
    assert host.asked == []
    host.find("acme/pay").pulls = [Pull(2, "Two, again")]
    repositories.flag([pay], now)
    assert repositories.read_pull_requests(source, some, (), now) == 1
    assert list(pay.pull_requests.values_list("title", flat=True)) == ["Two, again"]
    later = now + repositories.PULL_REQUESTS_AGE
    assert repositories.read_pull_requests(source, some, (), later) == 3


def test_no_more_than_a_fifth_of_what_is_left_is_spent(hosted, source):
    _, some = hosted
    some.usage.remaining = 10
    assert repositories.read_pull_requests(source, some, (), timezone.now()) == 2
    assert repositories.read_pull_requests(source, some, (), timezone.now()) == 1


def test_a_refusal_keeps_what_is_known(hosted, source):
    host, some = hosted
    now = timezone.now()
    repositories.read_pull_requests(source, some, (), now)
    host.pulls_refused = True
    assert repositories.read_pull_requests(source, some, (), now + timedelta(hours=2)) == 0
    assert PullRequest.objects.count() == 2
    host.pulls_refused, host.limited_after = False, 0
    assert repositories.read_pull_requests(source, some, (), now + timedelta(hours=4)) == 0
    assert PullRequest.objects.count() == 2
