"""Builds as last seen: newer evidence wins, one reading serves all, a failure loses nothing."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from pipelines import builds
from pipelines.builds import AT_ONCE, AT_WORK, LEASE, attach, hint, record, refresh, want
from pipelines.models import Build, Pipeline, Server, Trigger
from pipelines.providers.base import RemoteBuild, State
from portal.http import HttpClient
from tests.pipelines.world import confirmed_link, make_pipeline, make_server, make_service

NOW = timezone.now()


@pytest.fixture
def pipeline():
    return make_pipeline(make_server(), "acme/shop")


@pytest.fixture
def live(sandbox, server_at):
    """A pipeline of the sandbox with 30 builds that ended."""
    sandbox.buildkite.pipeline("acme/shop", history=30)
    return make_pipeline(server_at(sandbox.buildkite), "acme/shop")


def remote(state="running", number=1, **fields):
    return RemoteBuild(
        pipeline="acme/shop",
        external_id=str(number),
        number=number,
        state=State(state),
        raw_state=state,
        **fields,
    )


def make_trigger(pipeline, **fields):
    values = {"action": "start", "actor_name": "Ana", "state": "uncertain", "attempt": 1}
    return Trigger.objects.create(pipeline=pipeline, **{**values, **fields})


def ago(seconds):
    return timezone.now() - timedelta(seconds=seconds)


def long_ago():
    """As if the newest readings had been a while ago."""
    Pipeline.objects.update(builds_tried_at=ago(600), not_before=None, due_at=None, asked_at=[])


# --- record -----------------------------------------------------------------------------------
@pytest.mark.django_db
def test_record_keeps_one_row_and_the_newer_word(pipeline):
    record(pipeline, remote("running"), NOW)
    record(pipeline, remote("passed"), NOW + timedelta(seconds=2))
    build = record(pipeline, remote("queued"), NOW + timedelta(seconds=1))
    assert (build.state, build.observed_at) == ("passed", NOW + timedelta(seconds=2))
    assert Build.objects.count() == 1


@pytest.mark.django_db
def test_record_lets_an_ended_build_move_again(pipeline):
    record(pipeline, remote("failed"), NOW)
    assert record(pipeline, remote("running"), NOW + timedelta(seconds=1)).state == "running"


@pytest.mark.django_db
def test_record_cuts_what_is_too_long_and_drops_what_can_not_be_kept(pipeline):
    build = record(
        pipeline,
        remote(
            message="a\x00" + "m" * 900,
            who="\ud800" + "w" * 300,
            web_url="javascript:alert(1)",
        ),
        NOW,
    )
    assert build.message == "a" + "m" * 498 + "…"
    assert (len(build.who), build.web_url) == (200, "")
    build = record(pipeline, remote(number=10**12, web_url="https://x/" + "y" * 1000), NOW)
    assert (build.number, build.web_url) == (None, "")


@pytest.mark.django_db
@pytest.mark.parametrize("external_id", ["", "x" * 201, "a\x00b"])
def test_record_refuses_an_id_that_can_not_be_kept_whole(pipeline, external_id):
    broken = RemoteBuild("acme/shop", external_id, State.PASSED, "passed")
    with pytest.raises(ValueError, match="id"):
        record(pipeline, broken, NOW)


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["dispatching", "dispatched", "uncertain", "failed"])
def test_record_links_the_trigger_whose_request_id_it_carries(pipeline, state):
    trigger = make_trigger(pipeline, state=state)
    build = record(pipeline, remote(request_id=str(trigger.request_id)), NOW)
    trigger.refresh_from_db()
    assert (build.trigger, trigger.state) == (trigger, "linked")


@pytest.mark.django_db
def test_record_links_no_trigger_that_was_never_sent(pipeline):
    """Whoever reads a request id early could otherwise pass a build of theirs off as its build."""
    queued = make_trigger(pipeline, state="queued", attempt=0)
    denied = make_trigger(pipeline, state="denied")
    elsewhere = make_trigger(make_pipeline(pipeline.server, "acme/other"))
    for number, trigger in enumerate((queued, denied, elsewhere)):
        asked = remote(number=number, request_id=str(trigger.request_id))
        assert record(pipeline, asked, NOW).trigger is None
    assert record(pipeline, remote(request_id="not-ours", number=8), NOW).trigger is None
    assert record(pipeline, remote(request_id=str(uuid.uuid4()), number=9), NOW).trigger is None


@pytest.mark.django_db
def test_a_trigger_keeps_its_first_build(pipeline):
    """A rebuild in the vendor's own pages copies the request id along."""
    trigger = make_trigger(pipeline)
    first = record(pipeline, remote(request_id=str(trigger.request_id)), NOW)
    second = record(pipeline, remote(number=2, request_id=str(trigger.request_id)), NOW)
    assert (first.trigger, second.trigger) == (trigger, None)
    assert not attach(second, trigger)
    assert not attach(first, make_trigger(pipeline))


# --- refresh ----------------------------------------------------------------------------------
@pytest.mark.django_db
def test_refresh_reads_the_newest_builds(live):
    assert refresh(live.pk)
    assert Build.objects.count() == builds.READ_LIMIT
    live.refresh_from_db()
    assert live.builds_read_at
    assert live.builds_error == ""
    assert live.refresh_claimed_until is None


@pytest.mark.django_db
def test_a_second_refresh_costs_the_vendor_one_call_and_us_few_queries(
    live, sandbox, django_assert_max_num_queries
):
    refresh(live.pk)
    long_ago()
    asked = len(sandbox.requests())
    # Two limits are counted, and kept as they are told.
    with django_assert_max_num_queries(14):
        refresh(live.pk)
    assert len(sandbox.requests()) == asked + 1


@pytest.mark.django_db
def test_refreshes_offered_twice_read_once(live, sandbox):
    assert refresh(live.pk)
    assert not refresh(live.pk)
    assert len(sandbox.requests()) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["fail", "html200", "garbage", "drop", "truncate", "redirect"])
def test_a_failed_refresh_keeps_what_is_known(live, sandbox, fault):
    refresh(live.pk)
    long_ago()
    before = Pipeline.objects.values_list("builds_read_at", flat=True).get()
    sandbox.buildkite.fault(fault)
    assert refresh(live.pk)
    live.refresh_from_db()
    assert Build.objects.count() == builds.READ_LIMIT
    assert live.builds_read_at == before
    assert live.builds_error
    assert sandbox.buildkite.token not in live.builds_error


@pytest.mark.django_db
def test_an_outage_lets_all_reads_of_the_server_wait_longer_each_time(live, sandbox):
    sandbox.stop()
    pauses = []
    for _ in range(3):
        long_ago()
        Server.objects.update(not_before=None)
        refresh(live.pk)
        pauses.append(Server.objects.get().not_before - timezone.now())
    server = Server.objects.get()
    assert server.failures == 3
    assert server.unreachable_since < server.not_before
    assert pauses == sorted(pauses)
    long_ago()
    assert not refresh(live.pk)
    sandbox.start()
    Server.objects.update(not_before=None)
    assert refresh(live.pk)
    server.refresh_from_db()
    assert (server.failures, server.unreachable_since, server.last_error) == (0, None, "")


@pytest.mark.django_db
def test_a_rate_limit_pauses_without_calling_the_server_unreachable(live, sandbox):
    sandbox.buildkite.fault("rate_limit", times=1, seconds=50)
    refresh(live.pk)
    server = Server.objects.get()
    assert server.unreachable_since is None
    assert server.not_before > timezone.now() + timedelta(seconds=40)


@pytest.mark.django_db
def test_a_pipeline_that_is_hidden_does_not_pause_its_server(live, sandbox):
    hidden = make_pipeline(live.server, "acme/hidden")
    refresh(hidden.pk)
    hidden.refresh_from_db()
    assert hidden.builds_error
    assert refresh(live.pk)


@pytest.mark.django_db
def test_a_build_that_fell_out_of_the_newest_is_asked_for_itself(live, sandbox):
    old = record(live, remote("running", number=1), ago(60))
    lost = record(live, remote("running", number=999), ago(60))
    refresh(live.pk)
    old.refresh_from_db()
    lost.refresh_from_db()
    assert old.is_final
    assert (lost.state, lost.raw_state) == ("unknown", "no longer on the server")


@pytest.mark.django_db
def test_a_server_that_is_switched_off_is_not_asked(live, sandbox):
    Server.objects.update(enabled=False)
    assert not refresh(live.pk)
    assert sandbox.requests() == []


@pytest.mark.django_db(transaction=True)
def test_many_workers_read_once(live, sandbox):
    sandbox.buildkite.fault("slow", seconds=0.3)
    answers = []

    def work():
        answers.append(refresh(live.pk))
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(answers) == [False] * 7 + [True]
    assert len(sandbox.requests()) == 1


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_builds_are_read(live, monkeypatch):
    seen = []
    ask_vendor = HttpClient.request

    def spy(self, *args, **kwargs):
        seen.append(connection.in_atomic_block)
        return ask_vendor(self, *args, **kwargs)

    monkeypatch.setattr(HttpClient, "request", spy)
    refresh(live.pk)
    assert seen == [False]


@pytest.mark.django_db
def test_a_slow_server_does_not_take_all_workers(live, sandbox):
    reading = [
        make_pipeline(live.server, f"acme/{number}", refresh_claimed_until=timezone.now() + LEASE)
        for number in range(AT_ONCE)
    ]
    assert not refresh(live.pk)
    assert sandbox.requests() == []
    assert Pipeline.objects.get(pk=live.pk).refresh_claimed_until is None
    long_ago = timezone.now() + LEASE - AT_WORK
    Pipeline.objects.filter(pk=reading[0].pk).update(refresh_claimed_until=long_ago)
    assert refresh(live.pk)


# --- want and due -----------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_first_look_asks_for_a_refresh_and_the_next_viewers_do_not(pipeline):
    now = timezone.now()
    assert want([pipeline], now) == [pipeline.pk]
    assert want([pipeline], now + timedelta(seconds=1)) == []


@pytest.mark.django_db
def test_whoever_comes_anew_brings_a_planned_reading_forward(pipeline):
    now = timezone.now()
    Pipeline.objects.update(builds_tried_at=now, due_at=now + timedelta(minutes=2))
    assert want([pipeline], now) == []
    assert want([pipeline], now + timedelta(seconds=16)) == []  # looks all the time
    assert want([pipeline], now + timedelta(seconds=40)) == [pipeline.pk]
    Pipeline.objects.update(due_at=now + timedelta(minutes=9))  # webhooks are alive
    assert want([pipeline], now + timedelta(seconds=80)) == []


@pytest.mark.django_db
def test_a_failing_pipeline_is_not_asked_every_few_seconds(live, sandbox):
    sandbox.buildkite.fault("garbage")
    refresh(live.pk)
    now = timezone.now()
    assert want([live], now + timedelta(seconds=25)) == []
    assert want([live], now + timedelta(seconds=31)) == [live.pk]


@pytest.mark.django_db
def test_a_thousand_viewers_cost_one_query_each(pipeline, django_assert_num_queries):
    now = timezone.now()
    want([pipeline], now)
    with django_assert_num_queries(1):
        want([pipeline], now + timedelta(seconds=1))


@pytest.mark.django_db
def test_due_offers_what_is_looked_at_first_then_linked_ones_by_age(pipeline, settings):
    settings.TICK_SECONDS = 60  # so that the budget leaves room for all of them
    now = timezone.now()
    looked_at = make_pipeline(pipeline.server, "looked-at", refresh_wanted_at=now)
    nobody_looks = make_pipeline(
        pipeline.server, "left", refresh_wanted_at=now - timedelta(minutes=5)
    )
    old = make_pipeline(pipeline.server, "old", builds_tried_at=now - timedelta(hours=2))
    older = make_pipeline(pipeline.server, "older", builds_tried_at=now - timedelta(hours=3))
    fresh = make_pipeline(pipeline.server, "fresh", builds_tried_at=now)
    gone = make_pipeline(pipeline.server, "gone", gone_at=now)
    for linked in (looked_at, old, older, fresh, gone):
        confirmed_link(make_service(linked.name), linked)
    assert builds.due(now, 10) == [looked_at.pk, older.pk, old.pk]
    assert builds.due(now, 2) == [looked_at.pk, older.pk]
    assert nobody_looks.pk not in builds.due(now, 10)


@pytest.mark.django_db
def test_nothing_is_due_while_the_server_has_to_wait(pipeline):
    now = timezone.now()
    want([pipeline], now)
    Server.objects.update(not_before=now + timedelta(seconds=30))
    assert builds.due(now, 10) == []
    assert builds.due(now + timedelta(seconds=31), 10) == []  # nobody looks any more
    want([pipeline], now + timedelta(seconds=31))
    assert builds.due(now + timedelta(seconds=31), 10) == [pipeline.pk]


# --- hint -------------------------------------------------------------------------------------
@pytest.fixture
def linked(live):
    confirmed_link(make_service("shop"), live)
    return live


@pytest.mark.django_db
def test_a_hint_makes_a_linked_pipeline_due_that_was_just_read(linked, sandbox):
    refresh(linked.pk)
    now = timezone.now()
    assert builds.due(now, 10) == []
    unlinked = make_pipeline(linked.server, "acme/other")
    assert hint([linked.pk, unlinked.pk], now) == [linked.pk]
    assert builds.due(now, 10) == [linked.pk]
    assert refresh(linked.pk)
    assert builds.due(timezone.now(), 10) == []


@pytest.mark.django_db
def test_a_hint_during_a_reading_leads_to_one_more(linked, sandbox, monkeypatch):
    ask_vendor = HttpClient.request
    asked = []

    def hinted_meanwhile(self, *args, **kwargs):
        asked.append(hint([linked.pk], timezone.now()) if not asked else None)
        return ask_vendor(self, *args, **kwargs)

    monkeypatch.setattr(HttpClient, "request", hinted_meanwhile)
    refresh(linked.pk)
    assert asked == [[]]  # the reading that runs holds the claim
    assert builds.due(timezone.now(), 10) == [linked.pk]
    assert refresh(linked.pk)
    assert builds.due(timezone.now(), 10) == []
