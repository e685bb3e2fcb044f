"""A server's client, and what its answers teach."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from pipelines.dispatch import dispatch
from pipelines.gates import gates_of
from pipelines.logs import steps_of
from pipelines.models import Server, Trigger
from pipelines.providers.errors import (
    BudgetSpent,
    Misconfigured,
    NotAuthorized,
    NotFound,
    ProviderError,
    RateLimited,
    Unavailable,
)
from pipelines.servers import (
    FIRST_PAUSE,
    PROBE_LEASE,
    CircuitOpen,
    admit,
    client_for,
    is_open,
    may_ask,
    note_answer,
    note_failure,
    note_success,
    pause_after,
)
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_environments,
    make_person,
    make_pipeline,
    make_server,
    make_service,
)

pytestmark = pytest.mark.django_db


# --- client_for -------------------------------------------------------------------------------
def test_a_client_asks_its_server(acme):
    assert client_for(acme).check().who == "Stagedoor"


def test_an_unknown_provider_names_the_known_ones():
    with pytest.raises(Misconfigured, match=r"'cobol' is not known. Known are: .*jenkins"):
        client_for(make_server(provider="cobol"))


def test_a_credential_that_can_not_be_resolved_is_a_provider_error():
    with pytest.raises(Misconfigured, match="this environment variable is not set"):
        client_for(make_server())


@pytest.mark.parametrize("options", [None, [], "x"])
def test_options_that_are_no_object_count_as_none(acme, options):
    acme.options = options
    assert client_for(acme).check().who == "Stagedoor"


def test_options_of_the_wrong_kind_are_a_provider_error(acme):
    acme.options = {"organizations": 7}
    with pytest.raises(Misconfigured, match="organizations"):
        client_for(acme)


def test_a_private_address_that_is_not_allowed_is_refused(acme, settings, sandbox):
    settings.OUTGOING_ALLOW = []
    with pytest.raises(ProviderError):
        client_for(acme).check()
    assert sandbox.requests() == []


# --- What answers teach -----------------------------------------------------------------------
def test_success_is_written_only_when_it_is_news(django_assert_num_queries):
    server = make_server()
    note_failure(server, Unavailable("down"))
    note_success(server)
    server.refresh_from_db()
    assert (server.failures, server.last_error, server.not_before) == (0, "", None)
    with django_assert_num_queries(1):
        note_success(server)


def test_pauses_grow_to_a_limit():
    assert pause_after(0) < 7
    assert pause_after(3) > 30
    assert max(pause_after(99) for _ in range(50)) <= 300


# --- The circuit ------------------------------------------------------------------------------
def fail(server, times, error=None):
    for _ in range(times):
        note_failure(server, error or Unavailable("down"))
    server.refresh_from_db()
    return server


def pause_over():
    Server.objects.update(not_before=timezone.now() - timedelta(seconds=1))


def test_a_circuit_opens_after_some_failures_and_says_since_when():
    server = make_server()
    fail(server, 2)
    assert not is_open(server)
    admit(server)
    fail(server, 1)
    with pytest.raises(CircuitOpen, match=r"Unreachable since \d\d:\d\d UTC"):
        admit(server)
    assert server.unreachable_since < timezone.now()
    note_success(server)
    server.refresh_from_db()
    admit(server)


def test_exactly_one_probe_goes_out_when_the_pause_is_over():
    server = fail(make_server(), 3)
    now = timezone.now()
    assert not may_ask(server, now)
    pause_over()
    assert [may_ask(server, now) for _ in range(3)] == [True, False, False]
    # Its worker died: the next one is let through later.
    assert may_ask(server, now + PROBE_LEASE + timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
def test_many_workers_probe_once():
    server = fail(make_server(), 3)
    pause_over()
    answers = []

    def work():
        answers.append(may_ask(server, timezone.now()))
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(answers) == [False] * 7 + [True]


def test_a_failed_probe_doubles_the_pause_and_a_good_one_closes_the_circuit():
    server = fail(make_server(), 3)
    pause_over()
    before = timezone.now()
    assert may_ask(server, before)
    fail(server, 1)
    assert server.not_before > before + timedelta(seconds=FIRST_PAUSE * 2**3 * 0.8)
    pause_over()
    assert may_ask(server, timezone.now())
    note_success(server)
    assert may_ask(server, timezone.now())  # known by the newer row though `server` is old


def test_an_answer_of_any_kind_closes_the_circuit():
    server = fail(make_server(), 5)
    note_answer(server, NotFound("hidden"))
    server.refresh_from_db()
    assert (server.failures, server.unreachable_since) == (0, None)


def test_who_refuses_the_credential_was_reached():
    server = fail(fail(make_server(), 3), 1, NotAuthorized("no"))
    assert (server.failures, server.unreachable_since) == (4, None)
    admit(server)


def test_a_refusal_of_our_own_is_no_failure():
    server = make_server()
    note_failure(server, BudgetSpent("spent", 30))
    note_failure(server, CircuitOpen("open"))
    server.refresh_from_db()
    assert (server.failures, server.not_before, server.last_error) == (0, None, "")


@pytest.mark.parametrize(("after", "low", "high"), [(50, 49, 51), (9000, 299, 301), (0, 0, 2)])
def test_a_rate_limit_waits_as_long_as_it_says(after, low, high):
    server = fail(make_server(), 1, RateLimited("slow", after))
    pause = (server.not_before - timezone.now()).total_seconds()
    assert low <= pause <= high
    assert server.unreachable_since is None


def test_a_rate_limit_that_says_nothing_waits_longer_each_time():
    server, pauses = make_server(), []
    for _ in range(4):
        fail(server, 1, RateLimited("slow"))
        pauses.append(server.not_before - timezone.now())
    assert pauses == sorted(pauses)
    assert pauses[-1] > timedelta(seconds=30)


@pytest.mark.django_db(transaction=True)
def test_a_trigger_waits_for_an_open_circuit_without_losing_an_attempt(acme, sandbox):
    ana = make_person("ana", "deployer")
    pipeline = make_pipeline(acme, "acme/shop")
    make_environments()
    shop = make_service("shop")
    confirmed_link(shop, pipeline)
    trigger = Trigger.objects.create(
        action="start", actor=ana, actor_name="Ana", pipeline=pipeline, entity=shop, branch="main"
    )
    fail(acme, 3)
    for _ in range(3):
        Trigger.objects.update(not_before=timezone.now())
        dispatch(trigger.pk)
        trigger.refresh_from_db()
        assert (trigger.state, trigger.attempt) == ("queued", 0)
    assert "Unreachable since" in trigger.message
    assert sandbox.requests() == []
    note_success(acme)
    Trigger.objects.update(not_before=timezone.now())
    dispatch(trigger.pk)
    assert len(sandbox.accepted("buildkite")) == 1


def test_what_pages_read_of_a_silent_server_costs_no_request(client, acme, sandbox):
    """The row alone tells, so that a thousand pages wait for no time-out."""
    client.force_login(make_person("vi", "viewer"))
    build = make_build(make_pipeline(acme, "acme/shop"), 1, "running")
    confirmed_link(make_service("shop"), build.pipeline)
    fail(acme, 3)
    page = client.get(reverse("pipelines:build_detail", args=[build.pk])).content.decode()
    assert "It is tried again by itself." in page
    assert sandbox.requests() == []


def test_a_server_that_is_switched_off_is_asked_for_nothing(sandbox, server_at):
    """Its address may be somebody else's by now, who would get the credential."""
    server = server_at(sandbox.buildkite, enabled=False)
    build = make_build(make_pipeline(server, "acme/shop"), 1, "waiting")
    assert gates_of(build) == ([], "Buildkite is switched off in Stagedoor.")
    with pytest.raises(Unavailable, match="switched off"):
        steps_of(build)
    assert sandbox.requests() == []
