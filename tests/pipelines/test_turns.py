"""How many runs of one service are under way: first come, first served, and nobody starves."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from pipelines import dispatch, outbox, turns
from pipelines.models import Build, Environment, EnvironmentRule, Pipeline, Trigger
from pipelines.triggers import request as ask_for
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


@pytest.fixture
def production():
    environment = make_environments()[1]
    environment.concurrency = 1
    environment.save()
    return environment


@pytest.fixture
def link(production):
    return confirmed_link(make_service("shop"), make_pipeline(make_server("ci"), "acme/shop"))


@pytest.fixture
def ana():
    return make_person("ana", "admin")


def ask(person, link, action="start", **fields):
    about = {"entity": link.entity, "pipeline": link.pipeline}
    return ask_for(person, action, **about, request_id=uuid.uuid4(), **fields).trigger


def claim(trigger):
    """The trigger as a worker gets it, and its message otherwise."""
    now = timezone.now()
    Trigger.objects.filter(pk=trigger.pk).update(not_before=now)
    claimed = outbox.claim(trigger.pk, now)
    trigger.refresh_from_db()
    return claimed.state if claimed else trigger.message


def becomes(trigger, state, **build):
    """What was sent is known as a build in that state."""
    Trigger.objects.filter(pk=trigger.pk).update(state="linked")
    values = {"external_id": str(trigger.pk), "number": trigger.pk, "queued_at": timezone.now()}
    values |= {"observed_at": timezone.now(), "branch": "main", **build}
    return Build.objects.update_or_create(
        trigger=trigger, pipeline=trigger.pipeline, defaults={**values, "state": state}
    )[0]


def test_the_second_waits_for_the_first_and_says_for_which(link, ana, production):
    first, second = ask(ana, link), ask(make_person("ben", "admin"), link)
    assert claim(first) == "dispatching"
    assert claim(second) == (
        "Waits for “start acme/shop” of Ana: Production takes one run of shop at once."
    )
    assert (second.state, second.attempt) == ("queued", 0)
    assert second.not_before > timezone.now()
    becomes(first, "running")
    assert claim(second).startswith(f"Waits for acme/shop #{first.pk} of Ana:")
    becomes(first, "passed")
    assert claim(second) == "dispatching"


def test_it_asks_for_what_it_waits_for_to_be_read(link, ana):
    first, second = ask(ana, link), ask(ana, link)
    claim(first)
    becomes(first, "running")
    Pipeline.objects.update(refresh_wanted_at=None)
    claim(second)
    assert Pipeline.objects.get().refresh_wanted_at is not None


@pytest.mark.parametrize("state", ["dispatched", "uncertain"])
def test_what_may_be_running_counts(link, ana, state):
    first, second = ask(ana, link), ask(ana, link)
    Trigger.objects.filter(pk=first.pk).update(state=state)
    assert claim(second).startswith("Waits for ")


@pytest.mark.parametrize("state", ["denied", "failed", "withdrawn", "awaiting", "refused"])
def test_what_is_not_under_way_does_not_count(link, ana, state):
    first, second = ask(ana, link), ask(ana, link)
    Trigger.objects.filter(pk=first.pk).update(state=state)
    assert claim(second) == "dispatching"


def test_who_came_first_goes_first(link, ana):
    first, second, third = ask(ana, link), ask(ana, link), ask(ana, link)
    assert claim(third).endswith("and 1 more: Production takes one run of shop at once.")
    assert claim(second).startswith("Waits for “start acme/shop” of Ana:")
    assert claim(first) == "dispatching"


def test_as_many_as_the_environment_takes(link, ana, production):
    Environment.objects.filter(pk=production.pk).update(concurrency=2)
    first, second, third = ask(ana, link), ask(ana, link), ask(ana, link)
    assert [claim(first), claim(second)] == ["dispatching"] * 2
    assert "takes 2 runs of shop" in claim(third)


def test_other_services_and_environments_are_not_in_the_way(link, ana, production):
    first = ask(ana, link)
    claim(first)
    cart = confirmed_link(make_service("cart"), make_pipeline(link.pipeline.server, "acme/cart"))
    assert claim(ask(ana, cart)) == "dispatching"
    assert claim(ask(ana, link, branch="feature/x")) == "dispatching"


def test_what_may_take_effect_in_a_laxer_environment_waits_for_its_turn_there_too(link, ana):
    staging = Environment.objects.get(slug="staging")
    Environment.objects.update(concurrency=None)
    Environment.objects.filter(pk=staging.pk).update(concurrency=1)
    claim(ask(ana, link, branch="feature/x"))
    EnvironmentRule.objects.create(order=1, parameter="TARGET=test", environment=staging)
    elsewhere = make_build(link.pipeline, 90, "failed")
    assert "Staging takes one run" in claim(ask(ana, link, "retry", build=elsewhere))


def test_a_cancel_never_waits(link, ana):
    first = ask(ana, link)
    claim(first)
    build = becomes(first, "running")
    assert claim(ask(ana, link, "cancel", build=build)) == "dispatching"


def test_a_page_warns_of_it(link, ana, production):
    assert turns.warning(link.entity, production) == ""
    first = ask(ana, link)
    assert turns.warning(link.entity, production).startswith("Waits for “start acme/shop” of Ana:")
    becomes(first, "passed")
    assert turns.warning(link.entity, production) == ""
    assert turns.warning(link.entity, None) == ""


def test_a_request_whose_environment_changed_waits_for_its_turn_there(link, ana, production):
    production.concurrency = 1
    staging = Environment.objects.get(slug="staging")
    running = ask(ana, link)
    Trigger.objects.filter(pk=running.pk).update(state="dispatched")
    moved = ask(ana, link, branch="feature/x")
    assert moved.environment == staging
    EnvironmentRule.objects.all().delete()
    dispatch.dispatch(moved.pk)
    moved.refresh_from_db()
    assert (moved.state, moved.environment, moved.attempt) == ("queued", production, 0)
    assert claim(moved).startswith("Waits for ")


def test_who_only_waits_for_a_turn_is_not_given_up(link, ana):
    first, second = ask(ana, link), ask(ana, link)
    assert claim(first) == "dispatching"
    Trigger.objects.filter(pk=second.pk).update(created_at=timezone.now() - timedelta(hours=2))
    assert claim(second).startswith("Waits for ")
    becomes(first, "passed")
    Trigger.objects.filter(pk=second.pk).update(not_before=timezone.now())
    dispatch.dispatch(second.pk)
    second.refresh_from_db()
    assert "Given up" not in second.message
    assert second.attempt == 1


def test_approvals_do_not_outlive_the_wait_for_a_turn(link, ana):
    """Else who asked could choose the night by holding the run before it open."""
    first, second = ask(ana, link), ask(ana, link)
    assert claim(first) == "dispatching"
    assert claim(second).startswith("Waits for ")
    becomes(first, "passed")
    now = timezone.now()
    Trigger.objects.filter(pk=second.pk).update(not_before=now, approve_by=now - timedelta(hours=2))
    dispatch.dispatch(second.pk)
    second.refresh_from_db()
    assert (second.state, second.message[:23]) == ("denied", "It waited for its turn ")
