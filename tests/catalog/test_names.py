"""Who keeps a name that two claim is seen from both sides, and a person may decide otherwise."""

import pytest
from django.contrib.auth.models import Group, User

from catalog import names, sync
from catalog.models import Entity, NameDecision
from portal.models import AuditEvent, Role, RoleMapping
from tests.catalog.trees import component, group, problems, read, states

pytestmark = pytest.mark.django_db

PAY = "component:default/pay"


@pytest.fixture
def admin():
    user = User.objects.create_user("ada")
    user.groups.add(Group.objects.create(name="idp:platform"))
    role = Role.objects.get(slug="admin")
    RoleMapping.objects.create(group="idp:platform", role=role, scope_kind="everything")
    return user


@pytest.fixture
def rivals(tree):
    tree.write("a.yaml", component("pay", {"title": "First"}), component("own"))
    tree.write("b.yaml", component("ship"), component("pay", {"title": "Second"}))
    sources = tree.source("a.yaml", "first"), tree.source("b.yaml", "second")
    for source in sources:
        read(source)
    return sources


def pay():
    return Entity.objects.get(ref=PAY)


def test_a_conflict_is_seen_from_both_sides(rivals):
    first, second = rivals
    conflict = names.conflicts_of(PAY)
    assert (conflict.holder.source, conflict.holder.location, conflict.holder.line) == (
        first, "a.yaml", 1
    )  # fmt: skip
    (claim,) = conflict.claimants
    assert (claim.source, claim.location) == (second, "b.yaml")
    assert claim.line > 1
    assert pay().has_issues
    assert names.conflicts_of("component:default/own") is None


def test_a_persons_word_gives_the_name_to_the_other_source(rivals, admin):
    first, second = rivals
    before = pay().pk
    run, decision = names.decide(PAY, second, admin, None)
    assert decision.allowed
    assert pay().source == first  # until it is read
    sync.run(run.pk)
    assert (pay().source, pay().title, pay().pk) == (second, "Second", before)
    assert problems(second) == []
    read(first)
    assert pay().source == second
    assert "keeps the name" in problems(first)[0]
    assert names.conflicts_of(PAY).claimants[0].source == first
    assert AuditEvent.objects.get(action=names.ACTION).target == PAY


def test_a_decision_outlives_that_the_name_was_free_for_a_while(rivals, tree, admin):
    first, second = rivals
    sync.run(names.decide(PAY, second, admin, None)[0].pk)
    tree.write("b.yaml", component("ship"))
    read(second)
    read(first)
    assert pay().source == first
    tree.write("b.yaml", component("ship"), component("pay"))
    read(second)
    assert pay().source == second


def test_nobody_decides_without_the_right(rivals):
    _, second = rivals
    run, decision = names.decide(PAY, second, User.objects.create_user("stan"), None)
    assert (run, decision.allowed) == (None, False)
    assert not NameDecision.objects.exists()
    assert AuditEvent.objects.get(action=names.ACTION).outcome == "denied"


def test_a_source_that_does_not_claim_the_name_cant_be_given_it(rivals, tree, admin):
    other = tree.source("c.yaml", "third")
    run, decision = names.decide(PAY, other, admin, None)
    assert (run, decision.allowed) == (None, False)
    assert "does not claim" in decision.reason


def test_the_conflict_ends_with_the_document_that_lost(rivals, tree):
    _, second = rivals
    tree.write("b.yaml", component("ship"))
    read(second)
    assert names.conflicts_of(PAY) is None
    assert not pay().has_issues
    assert states() == {"pay": "active", "own": "active", "ship": "active"}


# --- Teams and people belong to who is trusted for them --------------------------------------
def sources_of_one_team(tree):
    tree.write("stranger.yaml", group("admins", title="Stranger"))
    tree.write("org.yaml", group("admins", title="Ours"))
    return tree.source("stranger.yaml", "stranger"), tree.source(
        "org.yaml", "org", trusted_for_org=True
    )


def test_a_trusted_source_takes_a_team_from_one_that_is_not(tree):
    stranger, org = sources_of_one_team(tree)
    read(stranger)
    read(org)
    assert Entity.objects.get(ref="group:default/admins").source == org
    read(stranger)
    assert Entity.objects.get(ref="group:default/admins").source == org
    assert "org" in problems(stranger)[0]


def test_a_team_that_is_missing_at_a_trusted_source_is_nobody_elses(tree):
    stranger, org = sources_of_one_team(tree)
    read(org)
    tree.write("org.yaml", group("others"))
    read(org)
    read(stranger)
    held = Entity.objects.get(ref="group:default/admins")
    assert (held.source, held.state) == (org, "missing")


def test_a_persons_word_stands_over_trust(tree, admin):
    stranger, org = sources_of_one_team(tree)
    read(stranger)
    NameDecision.objects.create(entity_ref="group:default/admins", source=stranger, by=admin)
    read(org)
    assert Entity.objects.get(ref="group:default/admins").source == stranger
