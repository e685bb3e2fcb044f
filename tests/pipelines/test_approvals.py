"""Four eyes: who may approve what, what an approval is bound to, and what ends it."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from pipelines import approvals, awaiting, outbox, settling, triggers
from pipelines.approvers import decide_approval
from pipelines.dispatch import dispatch
from pipelines.facts import facts_of
from pipelines.models import Approval, Build, Environment, EnvironmentRule, Pipeline, Trigger
from portal.access import fresh_actor
from portal.models import AuditEvent, Identity, Role, RoleMapping
from tests.pipelines.four_eyes import COMMIT, approve, ask, asked, make_guarded, make_link, people
from tests.pipelines.world import link_to, make_build, make_person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def production():
    return make_guarded()


@pytest.fixture
def link(sandbox, server_at, production):
    return make_link(sandbox, server_at)


@pytest.fixture
def ana():
    return make_person("ana", "deployer")


@pytest.fixture
def ben():
    return make_person("ben", "deployer")


def state(trigger):
    trigger.refresh_from_db()
    return trigger.state


def sent(sandbox):
    return [entry for entry in sandbox.accepted("buildkite") if entry.action == "start"]


# --- Asked for --------------------------------------------------------------------------------
def test_a_request_waits_for_approval_with_all_that_it_is_bound_to(link, ana, production):
    before = timezone.now()
    outcome = ask(ana, link)
    trigger = outcome.trigger
    assert (trigger.state, trigger.approvals_needed, trigger.unpinned) == ("awaiting", 1, False)
    assert (trigger.commit, len(trigger.fingerprint)) == (COMMIT, 64)
    assert trigger.approve_by >= before + timedelta(minutes=production.approval_minutes)
    assert outcome.decision.rule == "approvals"
    assert "bens (Deployer)" not in outcome.decision.sentence
    event = AuditEvent.objects.get(action="build.start")
    assert (event.outcome, event.rule) == ("ok", "approvals")
    assert event.data["fingerprint"] == trigger.fingerprint


def test_nothing_is_sent_before_it_is_approved(link, ana, sandbox):
    trigger = asked(ana, link)
    dispatch(trigger.pk)
    Trigger.objects.update(state="queued")
    dispatch(trigger.pk)
    assert sent(sandbox) == []
    assert outbox.claim(trigger.pk, timezone.now()) is None


def test_what_is_approved_is_sent_as_it_was_approved(link, ana, ben, sandbox):
    trigger = asked(ana, link)
    assert approve(ben, trigger, comment="Go.") == ""
    assert state(trigger) == "queued"
    dispatch(trigger.pk)
    assert state(trigger) == "linked"
    build = sandbox.buildkite.builds("acme/shop")[0]
    assert (build.commit, build.branch) == (COMMIT, "main")
    event = AuditEvent.objects.get(action="approval.approve")
    assert (event.actor, event.on_behalf_of, event.outcome) == ("Ben", "Ana", "ok")
    assert event.data["comment"] == "Go."
    assert event.data["fingerprint"] == trigger.fingerprint


def test_a_cancel_needs_nobody_else(link, ana):
    build = make_build(link.pipeline, 1, "running")
    assert asked(ana, link, action="cancel", build=build).state == "queued"


def test_where_nobody_has_to_approve_nothing_is_bound(link, ana, production):
    Environment.objects.update(approvals=0)
    trigger = asked(ana, link)
    assert (trigger.state, trigger.fingerprint, trigger.approve_by) == ("queued", "", None)


@pytest.mark.parametrize("action", ["promote", "retry", "activate"])
def test_whatever_makes_something_run_is_approved_as_a_start_is(
    sandbox, server_at, production, ben, action
):
    lena = make_person("lena", "admin")
    link = link_to(sandbox, server_at, "drone")
    Pipeline.objects.update(active=action != "activate")
    link.pipeline.refresh_from_db()
    fields = {"target": "production"} if action == "promote" else {}
    if action != "activate":
        Environment.objects.update(approvals=0)
        dispatch(asked(lena, link).pk)
        Build.objects.update(state="passed")
        Environment.objects.update(approvals=1)
        fields["build"] = Build.objects.get()
    trigger = asked(lena, link, action=action, **fields)
    assert (trigger.state, trigger.unpinned) == ("awaiting", False)
    assert trigger.commit == ("" if action == "activate" else fields["build"].commit)
    dispatch(trigger.pk)
    assert state(trigger) == "awaiting"
    assert approve(ben, trigger) == ""
    dispatch(trigger.pk)
    assert state(trigger) == "linked"


# --- Who may ----------------------------------------------------------------------------------
def test_nobody_approves_their_own_request_and_the_database_holds_it(link, ana):
    trigger = asked(ana, link)
    assert approve(ana, trigger) == "Nobody approves their own request."
    assert AuditEvent.objects.get(action="approval.approve").outcome == "denied"
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.create(
            trigger=trigger, approver=ana, requester=ana, verdict="approve", fingerprint="x"
        )
    assert state(trigger) == "awaiting"


@pytest.mark.parametrize("whose", ["ana", "ben"])
def test_groups_that_nobody_confirms_count_neither_to_ask_nor_to_approve(
    link, ana, ben, sandbox, whose
):
    """Both are read anew when it is sent, however that was asked for."""
    trigger = asked(ana, link)
    assert approve(ben, trigger) == ""
    user = {"ana": ana, "ben": ben}[whose]
    aged = timezone.now() - timedelta(days=settings.GROUPS_MAX_AGE_DAYS)
    Identity.objects.create(issuer="i", subject=whose, user=user, confirmed_at=aged)
    dispatch(trigger.pk)
    assert sent(sandbox) == []
    assert state(trigger) == "denied"


def test_a_superuser_approves_nothing_not_even_for_others(link, ana):
    trigger = asked(ana, link)
    root = make_person("root")
    root.is_superuser = root.is_staff = True
    root.save()
    assert "may not approve" in approve(root, trigger)
    ana.is_superuser = True
    ana.save()
    assert approve(ana, trigger) == "Nobody approves their own request."
    assert state(trigger) == "awaiting"


@pytest.mark.parametrize("role", ["viewer", "developer", ""])
def test_who_may_not_approve_here_is_told_who_may(link, ana, role):
    trigger = asked(ana, link)
    assert approve(make_person("otto", role), trigger) != ""
    assert not Approval.objects.exists()
    assert state(trigger) == "awaiting"


def test_only_the_named_role_approves(link, ana, ben, production):
    lead = Role.objects.create(slug="lead", name="Lead", permissions=["trigger.approve"], rank=35)
    Environment.objects.filter(pk=production.pk).update(approver_role=lead)
    trigger = asked(ana, link)
    assert "Only people with the role Lead" in approve(ben, trigger)
    RoleMapping.objects.create(group="idp:bens", role=lead)
    assert approve(ben, trigger) == ""
    assert state(trigger) == "queued"


# --- How many ---------------------------------------------------------------------------------
def test_an_approvers_conditions_count_what_the_build_takes_along(link, ana, ben, production):
    RoleMapping.objects.filter(group="idp:bens").update(parameters="TARGET: one of test")
    for started_with, allowed in (("test", True), ("prod", False)):
        start = Trigger.objects.create(
            action="start", pipeline=link.pipeline, parameters={"TARGET": started_with}
        )
        build = make_build(link.pipeline, start.pk, "waiting", trigger=start)
        asked_for = Trigger(
            action="unblock", pipeline=link.pipeline, build=build, actor=ana, subject_name="Go",
            environment=production, parameters={"TARGET": "test"},
        )  # fmt: skip
        facts = facts_of(link.entity, [link.pipeline])
        assert decide_approval(fresh_actor(ben.pk), asked_for, facts).allowed is allowed


def test_two_approvals_are_of_two_people(link, ana, ben):
    Environment.objects.update(approvals=2)
    trigger = asked(ana, link)
    assert approve(ben, trigger) == ""
    assert approve(ben, trigger) == approvals.SAID_ALREADY
    assert state(trigger) == "awaiting"
    assert approvals.lacking(trigger) == 1
    assert approve(make_person("cleo", "deployer"), trigger) == ""
    assert state(trigger) == "queued"


def test_one_refusal_with_a_reason_ends_it(link, ana, ben, sandbox):
    Environment.objects.update(approvals=2)
    trigger = asked(ana, link)
    cleo = make_person("cleo", "deployer")
    assert approve(ben, trigger) == ""
    assert approve(cleo, trigger, "refuse", "  ") == approvals.SAY_WHY
    assert approve(cleo, trigger, "refuse", "Not on a Friday.") == ""
    assert (state(trigger), trigger.message) == ("refused", "Cleo refused it: Not on a Friday.")
    assert trigger.finished_at is not None
    assert approve(make_person("dora", "deployer"), trigger) == approvals.NOT_WAITING
    Trigger.objects.update(state="queued", approvals_needed=1)
    dispatch(trigger.pk)
    assert sent(sandbox) == []


def test_a_verdict_of_nobodys_form_is_an_error(link, ana, ben):
    with pytest.raises(ValueError, match="perhaps"):
        approve(ben, asked(ana, link), "perhaps")


# --- What voids it ----------------------------------------------------------------------------
def test_an_approval_of_another_page_is_not_taken(link, ana, ben):
    trigger = asked(ana, link)
    for seen in ("", "0" * 64, trigger.fingerprint[:-1]):
        assert approvals.give(ben, trigger, "approve", seen=seen) == approvals.OTHER_PAGE
    assert not Approval.objects.exists()


def another_rule():
    staging = Environment.objects.get(slug="staging")
    EnvironmentRule.objects.create(order=1, branch="main", environment=staging)


def another_parameter():
    declared = [{"name": "REGION", "type": "string", "default": "eu"}]
    Pipeline.objects.update(parameters=declared)


def another_number():
    Environment.objects.update(approvals=2)


def another_name():
    Pipeline.objects.update(external_id="acme/shop-old")


CHANGES = {
    another_rule: "takes effect in Staging, not in Production",
    another_parameter: "the parameter REGION",
    another_number: "Production asks for 2 approvals now",
    another_name: "the pipeline",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_before_the_approval_ends_the_request(link, ana, ben, change):
    trigger = asked(ana, link)
    change()
    assert CHANGES[change] in approve(ben, trigger)
    assert (state(trigger), Approval.objects.count()) == ("denied", 0)
    assert "Ask again." in trigger.message
    assert AuditEvent.objects.filter(action="trigger.void", outcome="denied").exists()


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_after_the_approval_is_never_sent(link, ana, ben, change, sandbox):
    trigger = asked(ana, link)
    approve(ben, trigger)
    change()
    dispatch(trigger.pk)
    assert (state(trigger), sent(sandbox)) == ("denied", [])
    assert CHANGES[change] in trigger.message


def test_an_approver_who_lost_the_right_counts_no_more(link, ana, ben, sandbox):
    trigger = asked(ana, link)
    approve(ben, trigger)
    ben.groups.clear()
    dispatch(trigger.pk)
    assert (state(trigger), sent(sandbox)) == ("denied", [])
    assert "needs 1 more approval. Ask again." in trigger.message


def test_who_asked_and_lost_the_right_gets_nothing_sent(link, ana, ben, sandbox):
    trigger = asked(ana, link)
    approve(ben, trigger)
    ana.groups.clear()
    dispatch(trigger.pk)
    assert (state(trigger), sent(sandbox)) == ("denied", [])


def test_what_needed_nobody_when_it_was_asked_for_is_not_sent_where_somebody_has_to(
    link, ana, sandbox
):
    Environment.objects.update(approvals=0)
    trigger = asked(ana, link)
    Environment.objects.filter(slug="production").update(approvals=1)
    dispatch(trigger.pk)
    assert (state(trigger), sent(sandbox)) == ("denied", [])


def test_the_row_can_not_be_bent_to_something_else(link, ana, ben, sandbox):
    """Whatever wrote into the row: what was approved is sent, or nothing."""
    for values in (
        {"branch": "other"},
        {"commit": "d" * 40},
        {"parameters": {"DEBUG": "1"}},
        {"subject": "x"},
        {"fingerprint": "0" * 64},
        {"unpinned": True},
    ):
        trigger = asked(ana, link)
        approve(ben, trigger)
        Trigger.objects.filter(pk=trigger.pk).update(**values)
        dispatch(trigger.pk)
        assert state(trigger) in {"denied", "queued"}, values
    assert sent(sandbox) == []


# --- Time and taking back ----------------------------------------------------------------------
def test_what_nobody_approves_expires(link, ana, ben):
    trigger = asked(ana, link)
    assert approvals.expire(timezone.now()) == []
    Trigger.objects.update(approve_by=timezone.now())
    assert approve(ben, trigger) == approvals.TOO_LATE
    assert approvals.expire(timezone.now()) == [trigger.pk]
    assert (state(trigger), approvals.expire(timezone.now())) == ("expired", [])
    assert AuditEvent.objects.filter(action="trigger.expired").count() == 1


def test_who_asked_may_take_it_back(link, ana, ben):
    trigger = asked(ana, link)
    assert settling.withdraw(ana, trigger) == ""
    assert state(trigger) == "withdrawn"
    assert approve(ben, trigger) == approvals.NOT_WAITING


def test_what_waited_long_for_its_approval_is_sent_all_the_same(link, ana, ben, sandbox):
    trigger = asked(ana, link)
    Trigger.objects.update(created_at=timezone.now() - timedelta(hours=9))
    approve(ben, trigger)
    dispatch(trigger.pk)
    assert state(trigger) == "linked"


def test_a_form_that_is_sent_twice_is_one_request(link, ana):
    first = ask(ana, link)
    again = ask(ana, link, request_id=first.trigger.request_id)
    assert (again.trigger, again.created) == (first.trigger, False)
    other = ask(ana, link, request_id=first.trigger.request_id, commit="d" * 40)
    assert other.trigger is None
    assert Trigger.objects.count() == 1


def test_many_people_may_be_asked_and_the_first_ones_do(link, ana):
    Environment.objects.update(approvals=3)
    trigger = asked(ana, link)
    for person in people("b1", "b2", "b3"):
        assert approve(person, trigger) == ""
    assert state(trigger) == "queued"
    assert approve(people("b4")[0], trigger) == approvals.NOT_WAITING


def test_one_person_asks_for_so_much_at_once_and_for_no_more(link, ana, monkeypatch):
    monkeypatch.setattr(triggers, "MAX_WAITING", 2)
    first = asked(ana, link)
    asked(ana, link)
    outcome = ask(ana, link)
    assert (outcome.trigger, list(outcome.errors)) == (None, [""])
    settling.withdraw(ana, first)
    assert ask(ana, link).trigger


def test_one_persons_many_requests_hide_nobody_elses(link, ana, ben, monkeypatch):
    monkeypatch.setattr(awaiting, "MAX_LISTED", 2)
    carl = make_person("carl", "deployer")
    mine = [asked(ana, link) for _ in range(3)]
    other = asked(carl, link)
    found = {item.trigger for item in awaiting.waiting(fresh_actor(ben.pk))}
    assert found == {mine[0], other}


def test_a_denial_keeps_no_more_of_values_than_a_look_at_them_needs(link, production):
    variables = {"NOTE": "x" * 4000}
    ask(make_person("vic"), link, parameters=variables)
    event = AuditEvent.objects.get(action="build.start")
    assert (event.outcome, len(event.data["parameters"]["NOTE"])) == ("denied", 100)
