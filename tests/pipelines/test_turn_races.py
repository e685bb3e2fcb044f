"""Two workers at one place in an environment, two forms at one glass, a freeze in between: threads
that meet at a barrier, on a database that lets them."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from pipelines import dispatch, glass, outbox
from pipelines.models import BrokenGlass, Build, Environment, Freeze, Trigger
from pipelines.triggers import request as ask_for
from tests.pipelines.test_races import together
from tests.pipelines.world import (
    confirmed_link,
    make_environments,
    make_person,
    make_pipeline,
    make_service,
)

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)
ASKED = glass.Asked("Checkout is down, the fix is on main.", "https://incidents.example/7", 30)


@pytest.fixture
def production():
    return make_environments()[1]


@pytest.fixture
def link(sandbox, server_at, production):
    sandbox.buildkite.pipeline("acme/shop")
    pipeline = make_pipeline(server_at(sandbox.buildkite), "acme/shop")
    return confirmed_link(make_service("shop"), pipeline)


@pytest.fixture
def olga():
    return make_person("olga", "owner")


def ask(person, link):
    about = {"entity": link.entity, "pipeline": link.pipeline}
    return ask_for(person, "start", **about, request_id=uuid.uuid4()).trigger


def freeze(environment):
    now = timezone.now()
    return Freeze.objects.create(
        environment=environment, starts_at=now - HOUR, ends_at=now + HOUR, reason="Close"
    )


@pytest.mark.parametrize("places", [1, 2])
def test_no_more_are_claimed_at_once_than_there_are_places(link, olga, production, places):
    Environment.objects.filter(pk=production.pk).update(concurrency=places)
    for _ in range(8):
        Trigger.objects.all().delete()
        asked = [ask(olga, link).pk for _ in range(4)]
        found = together(*[lambda pk=pk: outbox.claim(pk, timezone.now()) for pk in asked])
        taken = [trigger.pk for trigger in found if trigger]
        # Who came first goes first: a later one waits, even where it met the row before them.
        assert set(taken) <= set(asked[:places])
        for pk in asked:
            Trigger.objects.filter(pk=pk).update(not_before=timezone.now())
            outbox.claim(pk, timezone.now())
        claimed = Trigger.objects.filter(state="dispatching").order_by("pk")
        assert list(claimed.values_list("pk", flat=True)) == asked[:places]


def test_all_get_their_turn_in_their_order(link, olga, production, sandbox):
    Environment.objects.filter(pk=production.pk).update(concurrency=1)
    asked = [ask(olga, link).pk for _ in range(5)]
    sent = []
    for _ in range(len(asked)):
        Trigger.objects.filter(state="queued").update(not_before=timezone.now())
        together(*[lambda pk=pk: dispatch.dispatch(pk) for pk in asked])
        under_way = Trigger.objects.filter(state__in=["dispatched", "linked"])
        (pk,) = under_way.values_list("pk", flat=True)
        sent.append(pk)
        under_way.update(state="failed")
    assert sent == asked
    assert len(sandbox.buildkite.builds("acme/shop")) == len(asked)


def test_a_form_that_is_sent_many_times_at_once_breaks_the_glass_once(link, olga, production):
    found = together(*[lambda: glass.break_glass(olga, link.entity, production, ASKED).created] * 6)
    assert found.count(True) == BrokenGlass.objects.count() == 1


def test_two_reviews_at_once_are_one(link, olga, production):
    one = glass.break_glass(olga, link.entity, production, ASKED).glass
    glass.close(olga, one)
    people = [make_person(name, "deployer") for name in ("rita", "dan", "mia")]
    said = together(
        *[
            lambda person=person: glass.review(person, one, justified=True, comment="Seen.")
            for person in people
        ]
    )
    assert sorted(said) == ["", glass.REVIEWED, glass.REVIEWED]


# --- A freeze, or the end of the glass, at each step of a dispatch ------------------------------
@pytest.fixture(params=["freeze", "close", "over"])
def change(request, link, olga, production):
    """What stops Olga's request from the moment that it is called."""
    if request.param == "freeze":
        return lambda: freeze(production)
    freeze(production)
    one = glass.break_glass(olga, link.entity, production, ASKED).glass
    if request.param == "close":
        return lambda: glass.close(olga, one)
    return lambda: BrokenGlass.objects.update(ends_at=timezone.now())


@pytest.mark.parametrize("point", ["before_claim", "after_claim"])
def test_what_changes_before_it_is_sent_is_met(link, olga, monkeypatch, change, point):
    trigger = ask(olga, link)

    def reached(where, key):
        if where == point:
            together(change)  # in a connection of its own, as another worker would

    monkeypatch.setattr(dispatch, "reached", reached)
    dispatch.dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert (trigger.state, trigger.sent_at) == ("denied", None)
    assert not Build.objects.exists()


def test_a_freeze_set_at_any_moment_lets_nothing_out_that_was_decided_after_it(
    link, olga, production, sandbox
):
    """Whatever the order: denied means not sent, and after the freeze nothing is sent any more."""
    for _ in range(12):
        trigger = ask(olga, link)
        sent = len(sandbox.buildkite.builds("acme/shop"))
        together(lambda pk=trigger.pk: dispatch.dispatch(pk), lambda: freeze(production))
        trigger.refresh_from_db()
        went = len(sandbox.buildkite.builds("acme/shop")) - sent
        assert went == (trigger.state != "denied")
        late = Trigger.objects.get(pk=trigger.pk)
        late.pk, late.request_id, late.state = None, uuid.uuid4(), "queued"
        late.save()
        dispatch.dispatch(late.pk)
        late.refresh_from_db()
        assert late.state == "denied"
        Freeze.objects.all().delete()
