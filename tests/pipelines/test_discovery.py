"""Listing the pipelines of servers on schedule."""

import pytest
from django.db import connection
from django.utils import timezone

from pipelines import discovery
from pipelines.models import LinkProblem, PipelineLink, Server
from portal.http import HttpClient
from tests.pipelines.world import BUILDKITE_KEY, make_service

pytestmark = pytest.mark.django_db


def test_discovery_links_the_catalog_anew(acme):
    make_service("shop", {BUILDKITE_KEY: "acme/shop"})
    make_service("stale", {BUILDKITE_KEY: "acme/shpo"})
    assert discovery.discover(acme.pk)
    assert PipelineLink.objects.get().pipeline.external_id == "acme/shop"
    assert LinkProblem.objects.get().nearest == "acme/shop"
    acme.refresh_from_db()
    assert acme.pipelines_claimed_until is None
    assert acme.pipelines_due_at > timezone.now()
    assert discovery.due(timezone.now()) == []


def test_a_failed_discovery_is_noted_and_repeated_soon(acme, sandbox):
    sandbox.stop()
    assert not discovery.discover(acme.pk)
    acme.refresh_from_db()
    assert acme.unreachable_since
    assert "not reached" in acme.last_error
    assert acme.pipelines_due_at < timezone.now() + discovery.EVERY
    sandbox.start()
    assert discovery.discover(acme.pk)
    acme.refresh_from_db()
    assert (acme.unreachable_since, acme.last_error) == (None, "")


def test_two_workers_do_not_list_one_server_at_once(acme, sandbox):
    Server.objects.update(pipelines_claimed_until=timezone.now() + discovery.LEASE)
    assert not discovery.discover(acme.pk)
    assert discovery.due(timezone.now()) == []
    assert sandbox.requests() == []


def test_a_server_that_is_switched_off_is_not_listed(acme):
    assert discovery.due(timezone.now()) == [acme.pk]
    Server.objects.update(enabled=False)
    assert discovery.due(timezone.now()) == []


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_pipelines_are_listed(acme, monkeypatch):
    seen = []
    ask_vendor = HttpClient.request

    def spy(self, *args, **kwargs):
        seen.append(connection.in_atomic_block)
        return ask_vendor(self, *args, **kwargs)

    monkeypatch.setattr(HttpClient, "request", spy)
    discovery.discover(acme.pk)
    assert seen
    assert not any(seen)
