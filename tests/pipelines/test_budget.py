"""What a vendor allows is counted before it is spent, and shared by who asks."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from pipelines import budget
from pipelines.budget import (
    Purpose,
    exhaust,
    key_of,
    learn,
    list_pause,
    quotas_for,
    shortages,
    sweep_pace,
)
from pipelines.models import Quota
from pipelines.providers.base import Limit
from pipelines.providers.buildkite import Buildkite
from pipelines.providers.errors import BudgetSpent
from pipelines.server_status import notices_of
from pipelines.servers import client_for
from tests.pipelines.world import make_server

RULE = Limit("requests", 50, 60.0)


@pytest.fixture
def server(sandbox, server_at, monkeypatch):
    """A server of a vendor that allows 50 requests a minute and says no more about it."""
    monkeypatch.setattr(Buildkite, "limits", (RULE,))
    monkeypatch.setattr(Buildkite, "read_limits", classmethod(lambda cls, headers: ()))
    sandbox.buildkite.pipeline("acme/shop")
    return server_at(sandbox.buildkite)


def spend(server, purpose, times):
    """How many of so many requests went out."""
    client = client_for(server, purpose)
    for sent in range(times):
        try:
            client.list_builds("acme/shop", limit=1)
        except BudgetSpent:
            return sent
    return times


@pytest.mark.django_db
def test_a_part_is_for_nobody_four_fifths_for_viewers_and_all_for_acts(server, sandbox):
    assert spend(server, Purpose.SWEEP, 60) == 5
    assert spend(server, Purpose.WATCH, 60) == 35
    assert spend(server, Purpose.ACT, 60) == 10
    assert len(sandbox.requests()) == 50


@pytest.mark.django_db
def test_viewers_leave_its_fifth_to_what_nobody_looks_at(server):
    assert spend(server, Purpose.WATCH, 30) == 30
    assert spend(server, Purpose.SWEEP, 20) == 5


@pytest.mark.django_db
def test_what_webhooks_hint_at_leaves_half_to_those_who_look(server):
    assert spend(server, Purpose.HINT, 60) == 25
    assert spend(server, Purpose.WATCH, 60) == 15


@pytest.mark.django_db
def test_a_long_list_is_read_more_seldom(server):
    assert list_pause(server, [RULE], 2) < timedelta(minutes=10)
    assert list_pause(server, [Limit("hourly", 1000, 3600.0)], 21) > timedelta(minutes=20)


@pytest.mark.django_db
def test_a_clock_that_was_set_back_does_not_keep_a_window_for_hours(server):
    spend(server, Purpose.ACT, 50)
    Quota.objects.update(window_started_at=timezone.now() + timedelta(hours=1))
    assert spend(server, Purpose.ACT, 60) == 50


@pytest.mark.django_db
def test_a_new_window_begins_anew(server):
    spend(server, Purpose.ACT, 50)
    assert spend(server, Purpose.ACT, 1) == 0
    Quota.objects.update(window_started_at=timezone.now() - timedelta(seconds=61))
    assert spend(server, Purpose.SWEEP, 60) == 5


@pytest.mark.django_db
def test_a_spent_budget_says_until_when_and_sends_nothing(server, sandbox):
    spend(server, Purpose.SWEEP, 5)
    with pytest.raises(BudgetSpent, match=r"45 of 50 requests are left") as caught:
        client_for(server, Purpose.SWEEP).list_builds("acme/shop")
    assert 0 < caught.value.retry_after <= 60
    assert len(sandbox.requests()) == 5


@pytest.mark.django_db
def test_two_servers_with_one_credential_share_its_limits(server, monkeypatch):
    twin = make_server("twin", base_url=f"{server.base_url}/", credential_ref=server.credential_ref)
    monkeypatch.setenv("STAGEDOOR_CREDENTIAL_OTHER", "other")
    stranger = make_server(
        "other", base_url=server.base_url, credential_ref="env:STAGEDOOR_CREDENTIAL_OTHER"
    )
    assert spend(server, Purpose.SWEEP, 10) == 5
    assert spend(twin, Purpose.SWEEP, 1) == 0
    assert key_of(stranger) != key_of(twin)


@pytest.mark.django_db
def test_the_vendors_own_word_counts_what_others_spend(server):
    quotas_for(server, [RULE])
    learn(key_of(server), [Limit("requests", 50, 60.0, remaining=10, reset_after=30)])
    assert spend(server, Purpose.WATCH, 1) == 0
    assert spend(server, Purpose.ACT, 1) == 1
    Quota.objects.update(resets_at=timezone.now())
    assert spend(server, Purpose.WATCH, 1) == 1


@pytest.mark.django_db
def test_limits_are_read_from_the_answers(sandbox, server_at, monkeypatch):
    def told(cls, headers):
        return [Limit("told", 7, 60.0, remaining=3, reset_after=20.0)] if headers else ()

    monkeypatch.setattr(Buildkite, "read_limits", classmethod(told))
    server = server_at(sandbox.buildkite)
    client_for(server).check()
    quota = Quota.objects.get(name="told")
    assert (quota.limit, quota.remaining) == (7, 3)
    assert quota.resets_at < timezone.now() + timedelta(seconds=21)


@pytest.mark.django_db
@pytest.mark.parametrize("remaining", [-5, 0, 10**12])
def test_what_a_vendor_tells_may_have_any_size(server, remaining):
    learn(key_of(server), [Limit("odd", 10**12, -3.0, remaining=remaining, reset_after=-1.0)])
    assert Quota.objects.get(name="odd").seconds == 1


@pytest.mark.django_db
def test_after_too_often_nothing_goes_out_for_anybody(server, sandbox):
    quotas_for(server, [RULE])
    exhaust(server, timezone.now() + timedelta(seconds=30))
    assert spend(server, Purpose.ACT, 1) == 0
    assert sandbox.requests() == []


@pytest.mark.django_db
def test_a_request_costs_few_queries_however_many_limits_are_known(
    server, django_assert_num_queries
):
    client = client_for(server)
    client.list_builds("acme/shop", limit=1)
    learn("somebody else's", [Limit(str(number), 5, 60.0) for number in range(20)])
    with django_assert_num_queries(1):
        client.list_builds("acme/shop", limit=1)


@pytest.mark.django_db
def test_the_sweep_is_spread_over_the_window(server, settings):
    settings.TICK_SECONDS = 5
    assert sweep_pace(server, [RULE], timezone.now()) == 1  # five in twelve ticks
    spend(server, Purpose.SWEEP, 10)
    assert sweep_pace(server, [RULE], timezone.now()) == 0


@pytest.mark.django_db
def test_a_long_list_waits_for_its_share_instead_of_failing_half_way(sandbox, server, monkeypatch):
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        Quota.objects.update(window_started_at=timezone.now() - timedelta(seconds=61))

    monkeypatch.setattr(budget, "sleep", sleep)
    assert spend(server, Purpose.LIST, 12) == 12
    assert len(waited) == 2
    monkeypatch.setattr(budget, "PATIENCE", 1.0)
    assert spend(server, Purpose.LIST, 12) < 12


@pytest.mark.django_db
def test_of_many_long_lists_two_wait_and_leave_the_workers_to_people(server):
    with budget.WAITING, budget.WAITING:
        assert spend(server, Purpose.LIST, 6) == 5


@pytest.mark.django_db
def test_a_shortage_is_said_with_its_end(server, django_assert_num_queries):
    now = timezone.now()
    others = [make_server(f"s{number}") for number in range(5)]
    assert shortages([server, *others], now) == {}
    spend(server, Purpose.WATCH, 40)
    with django_assert_num_queries(1):
        (said,) = notices_of([server, *others], timezone.now())[server.pk]
    assert said.startswith("Builds on Buildkite are read less often: 10 of 50 requests left until")


@pytest.mark.django_db(transaction=True)
def test_many_workers_never_spend_more_than_there_is(server, sandbox):
    quotas_for(server, [RULE])
    sent = []

    def work():
        sent.append(spend(server, Purpose.SWEEP, 5))
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(sent) == len(sandbox.requests()) == 5


@pytest.mark.django_db
def test_a_vendor_without_limits_is_asked_with_courtesy(sandbox, server_at, monkeypatch):
    monkeypatch.setattr(Buildkite, "limits", ())
    monkeypatch.setattr(Buildkite, "read_limits", classmethod(lambda cls, headers: ()))
    client_for(server_at(sandbox.buildkite)).check()
    assert Quota.objects.get().limit == budget.COURTESY.limit
