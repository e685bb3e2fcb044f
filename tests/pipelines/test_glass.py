"""Broken glass: who may break it, what it lets through and for how long, and the second person."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from catalog.apply import remove
from pipelines import dispatch, glass
from pipelines.facts import facts_of
from pipelines.models import BrokenGlass, Environment, EnvironmentRule, Freeze, PipelineLink
from pipelines.targets import decide_for
from portal.access import actor_for
from portal.models import AuditEvent, Role, RoleMapping
from tests.pipelines import four_eyes
from tests.pipelines.four_eyes import decided, freeze
from tests.pipelines.world import (
    confirmed_link,
    make_build,
    make_person,
    make_pipeline,
    make_service,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
ASKED = glass.Asked("Checkout is down, the fix is on main.", "https://incidents.example/7", 30)


@pytest.fixture
def olga():
    return make_person("olga", "owner")


@pytest.fixture
def rita():
    return make_person("rita", "deployer")


@pytest.fixture
def frozen(production):
    return freeze(production)


def broken(person, link, production, asked=ASKED):
    done = glass.break_glass(person, link.entity, production, asked)
    assert done.glass is not None, done.decision.reason
    return done.glass


def closed(person, link, production, hours_ago=0.0):
    """Glass that was broken so long ago, and closed at once."""
    one = broken(person, link, production)
    moved = -hours_ago * HOUR
    BrokenGlass.objects.filter(pk=one.pk).update(
        starts_at=one.starts_at + moved,
        ends_at=one.starts_at + moved,
        review_by=one.review_by + moved,
    )
    one.refresh_from_db()
    return one


def ask(person, link):
    return four_eyes.ask(person, link, commit="")


def review(person, one, *, justified=True):
    return glass.review(person, one, justified=justified, comment="Looked at the incident.")


# --- What it lets through ---------------------------------------------------------------------
@pytest.mark.usefixtures("frozen")
def test_it_lets_its_holder_past_a_freeze_and_approvals_and_nobody_else(
    link, olga, rita, production
):
    production.approvals = 2
    production.save()
    assert decided(olga, link).rule == "freeze"
    broken(olga, link, production)
    assert decided(olga, link).rule == "break-glass"
    assert decided(rita, link).rule == "freeze"


@pytest.mark.usefixtures("frozen")
def test_it_is_for_one_service_and_one_environment(link, olga, production):
    other = confirmed_link(make_service("cart"), make_pipeline(link.pipeline.server, "acme/cart"))
    broken(olga, link, production)
    assert decided(olga, other).rule == "freeze"
    BrokenGlass.objects.update(environment=Environment.objects.get(slug="staging"))
    assert decided(olga, link).rule == "freeze"


@pytest.mark.usefixtures("frozen")
def test_what_is_linked_after_it_was_broken_is_not_let_through(link, olga, production):
    """The lock of an overdue review follows the pipelines that it was broken for."""
    one = broken(olga, link, production)
    late = confirmed_link(link.entity, make_pipeline(link.pipeline.server, "acme/late"))
    facts = facts_of(link.entity, [late.pipeline])
    stopped = decided(olga, late)
    assert stopped.rule == "freeze"
    assert glass.way_out(actor_for(olga), stopped, production, facts) == ""
    assert set(one.pipelines.all()) == {link.pipeline}
    assert decided(olga, link).rule == "break-glass"


@pytest.mark.parametrize("status", ["read", None])
def test_nothing_is_broken_where_nothing_can_be_run(link, olga, production, status):
    link.delete() if status is None else PipelineLink.objects.update(status=status)
    done = glass.break_glass(olga, link.entity, production, ASKED)
    assert (done.glass, done.decision.reason) == (None, glass.NOTHING_TO_RUN)


@pytest.mark.usefixtures("frozen")
def test_it_gives_no_role_and_opens_no_branch(link, olga, production):
    production.protected_branches = "release/*"
    production.save()
    broken(olga, link, production)
    assert decided(olga, link).reason == "Production takes release/* only, not main."
    assert decided(olga, link, "activate").allowed is False


@pytest.mark.usefixtures("frozen")
def test_what_was_sent_under_it_is_its(link, olga, production):
    one = broken(olga, link, production)
    trigger = ask(olga, link).trigger
    assert trigger.glass == one
    assert trigger.approvals_needed == 0


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("how", ["closed", "over", "role taken"])
def test_what_was_asked_for_under_it_is_decided_again_when_it_is_sent(link, olga, production, how):
    one = broken(olga, link, production)
    trigger = ask(olga, link).trigger
    if how == "closed":
        glass.close(olga, one)
    elif how == "over":
        BrokenGlass.objects.update(ends_at=timezone.now())
    else:
        role = RoleMapping.objects.get().role
        role.permissions = [name for name in role.permissions if name != "glass.break"]
        role.save()
    dispatch.dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.state == "denied"
    assert "frozen until" in trigger.message


def test_broken_between_asking_and_sending_it_counts_and_is_noted(link, olga, production, frozen):
    Freeze.objects.update(starts_at=timezone.now() + HOUR / 2)
    trigger = ask(olga, link).trigger
    Freeze.objects.update(starts_at=timezone.now() - HOUR)
    one = broken(olga, link, production)
    dispatch.dispatch(trigger.pk)
    trigger.refresh_from_db()
    assert trigger.glass == one
    assert "frozen" not in trigger.message  # the server that is not there says something else


# --- Who may break it -------------------------------------------------------------------------
def test_the_permission_is_needed_and_a_denial_is_audited(link, rita, production):
    done = glass.break_glass(rita, link.entity, production, ASKED)
    assert (done.glass, done.decision.allowed) == (None, False)
    event = AuditEvent.objects.get(action="glass.break")
    assert (event.outcome, event.actor) == ("denied", "Rita")


def test_an_agent_never_breaks_it_nor_passes_by_it(link, olga, production, frozen):
    broken(olga, link, production)
    agent = replace(actor_for(olga), agent="deploy bot")
    facts = facts_of(link.entity, [link.pipeline])
    assert glass.may_break(agent, production, facts).rule == "agent"
    assert decide_for(agent, "start", link.entity, link.pipeline).allowed is False


def test_it_is_audited_with_reason_and_incident(link, olga, production):
    one = broken(olga, link, production)
    event = AuditEvent.objects.get(action="glass.break")
    assert event.reason == ASKED.reason
    assert event.data["incident"] == one.incident_url == ASKED.incident_url
    assert event.data["minutes"] == 30
    assert one.ends_at - one.starts_at == timedelta(minutes=30)
    assert one.review_by - one.starts_at == timedelta(hours=24)


def test_an_hour_is_the_most_whatever_is_asked_for(link, olga, production):
    one = broken(olga, link, production, glass.Asked(ASKED.reason, ASKED.incident_url, 600))
    assert one.ends_at - one.starts_at == HOUR


def test_a_form_that_is_sent_twice_breaks_it_once(link, olga, production):
    first = glass.break_glass(olga, link.entity, production, ASKED)
    second = glass.break_glass(olga, link.entity, production, ASKED)
    assert (first.created, second.created) == (True, False)
    assert first.glass == second.glass


# --- Closing and reviewing --------------------------------------------------------------------
def test_it_is_closed_early_by_its_holder_or_a_reviewer(link, olga, rita, production):
    viewer = make_person("vera")
    one = broken(olga, link, production)
    assert "may not" in glass.close(viewer, one)
    assert glass.close(rita, one) == ""
    one.refresh_from_db()
    assert one.ends_at <= timezone.now()
    assert glass.close(olga, one) == glass.CLOSED
    done = AuditEvent.objects.get(action="glass.close", outcome="ok")
    assert (done.actor, done.on_behalf_of) == ("Rita", "Olga")


def test_a_second_person_reviews_it_once_it_is_closed(link, olga, rita, production):
    one = broken(olga, link, production)
    assert review(rita, one) == glass.STILL_OPEN
    glass.close(olga, one)
    assert review(rita, one, justified=False) == ""
    one.refresh_from_db()
    assert (one.reviewer, one.justified, one.comment) == (rita, False, "Looked at the incident.")
    assert one.remind_at is None
    assert review(make_person("dan", "deployer"), one) == glass.REVIEWED
    assert AuditEvent.objects.get(action="glass.review", outcome="ok").data["justified"] is False


def test_nobody_reviews_their_own_not_even_in_the_database(link, olga, production):
    olga.is_superuser = True
    olga.save()
    one = closed(olga, link, production)
    assert review(olga, one) == "Nobody reviews what they did themselves."
    with pytest.raises(IntegrityError), transaction.atomic():
        BrokenGlass.objects.update(reviewer=olga)


def test_a_reviewer_needs_the_scope(link, olga, production):
    other = make_person(
        "omar", "deployer", scope_kind="service", scope_ref="component:default/other"
    )
    assert "not for" in review(other, closed(olga, link, production))


def test_unreviewed_after_a_day_it_is_locked_for_the_service_until_the_review(
    link, olga, rita, production
):
    one = closed(olga, link, production, hours_ago=25)
    paul = make_person("paul", "owner")
    denied = glass.break_glass(paul, link.entity, production, ASKED)
    assert denied.glass is None
    assert denied.decision.reason.startswith("Break-glass is locked for this service: nobody has")
    assert "Olga" in denied.decision.reason
    assert any("Deployer" in helper for helper in denied.decision.helpers)
    cart = confirmed_link(make_service("cart"), make_pipeline(link.pipeline.server, "acme/cart"))
    broken(paul, cart, production)
    assert review(rita, one) == ""
    broken(paul, link, production)


def test_a_service_that_is_registered_anew_stays_locked(link, olga, production):
    closed(olga, link, production, hours_ago=25)
    link.entity.delete()
    again = make_service("shop")
    assert BrokenGlass.objects.get().entity is None
    assert glass.break_glass(olga, again, production, ASKED).glass is None


def test_the_hour_is_not_prolonged_by_breaking_it_anew(link, olga, rita, production):
    one = closed(olga, link, production)
    denied = glass.break_glass(olga, link.entity, production, ASKED)
    assert denied.glass is None
    assert "Somebody else who may approve for Production" in denied.decision.reason
    assert any("Deployer" in helper for helper in denied.decision.helpers)
    broken(olga, link, Environment.objects.get(slug="staging"))
    broken(make_person("paul", "owner"), link, production)
    assert review(rita, one) == ""
    broken(olga, link, production)


# --- Where it is offered -----------------------------------------------------------------------
def test_the_way_out_is_offered_where_it_helps_and_to_whom_it_may(
    link, olga, rita, production, frozen
):
    facts = facts_of(link.entity, [link.pipeline])

    def offered(person):
        actor = actor_for(person)
        decision = decide_for(actor, "start", link.entity, link.pipeline, facts=facts)
        return glass.way_out(actor, decision, production, facts)

    assert offered(olga) == f"/services/{link.entity.pk}/glass/production/"
    assert offered(rita) == ""
    link.delete()
    facts = facts_of(link.entity, [link.pipeline])
    assert offered(olga) == ""  # what stops it is no freeze


def test_where_approvers_hold_one_role_reviewers_hold_it_too(link, olga, rita, production):
    production.approver_role = Role.objects.get(slug="admin")
    production.save()
    one = closed(olga, link, production)
    assert review(rita, one).startswith("Only people with the role Admin")
    assert review(make_person("lena", "admin"), one) == ""


@pytest.mark.usefixtures("frozen")
def test_it_lets_nobody_past_what_another_place_asks_for(link, olga, production):
    """A build that was started elsewhere may take effect in staging as well."""
    staging = Environment.objects.get(slug="staging")
    EnvironmentRule.objects.create(order=1, parameter="TARGET=test", environment=staging)
    build = make_build(link.pipeline, 1)
    broken(olga, link, production)
    assert decided(olga, link, "retry", build).rule == "break-glass"
    freeze(staging)
    assert decided(olga, link, "retry", build).rule == "freeze"
    broken(olga, link, staging)
    assert decided(olga, link, "retry", build).rule == "break-glass"


# --- Under another name -----------------------------------------------------------------------
def renamed(link):
    """The service as its descriptor's author names it anew, with the same pipeline."""
    with transaction.atomic():
        remove([link.entity_id])
    return confirmed_link(make_service("shop2"), link.pipeline)


@pytest.mark.parametrize("hours_ago", [0, 25])
def test_another_name_unlocks_nothing(link, olga, rita, production, hours_ago):
    closed(olga, link, production, hours_ago)
    again = renamed(link)
    for person in [olga] if hours_ago == 0 else [olga, make_person("otto", "owner")]:
        facts = facts_of(again.entity, [])
        assert not glass.may_break(actor_for(person), production, facts).allowed
    review(rita, BrokenGlass.objects.get())
    assert glass.may_break(actor_for(olga), production, facts_of(again.entity, [])).allowed


@pytest.mark.usefixtures("frozen")
def test_open_glass_is_of_the_name_that_it_was_broken_for(link, olga, production):
    broken(olga, link, production)
    again = renamed(link)
    assert decided(olga, again).rule == "freeze"
    assert not glass.may_break(actor_for(olga), production, facts_of(again.entity, [])).allowed
