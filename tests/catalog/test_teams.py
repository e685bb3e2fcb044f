"""Membership says who says so; the closure believes trusted sources only."""

import pytest

from catalog import teams
from catalog.models import Entity, Membership, TeamClosure
from tests.catalog.trees import component, document, group, read, user

pytestmark = pytest.mark.django_db

FILE = "catalog-info.yaml"


def members():
    return set(Membership.objects.values_list("team__name", "user_ref", "origin__slug"))


def above():
    """{(team above, team below, depth)} without each team's own row."""
    rows = TeamClosure.objects.filter(depth__gt=0)
    return set(rows.values_list("ancestor__name", "descendant__name", "depth"))


def test_members_come_from_both_ends_and_keep_their_origin(tree):
    tree.write("a.yaml", group("payments", members=["ana", "ghost"]))
    tree.write("b.yaml", user("ana", "payments"), user("ben", "payments", "nowhere"))
    read(tree.source("a.yaml", "a"))
    read(tree.source("b.yaml", "b"))
    assert members() == {
        ("payments", "user:default/ana", "a"),
        ("payments", "user:default/ghost", "a"),
        ("payments", "user:default/ana", "b"),
        ("payments", "user:default/ben", "b"),
    }


def test_leaving_a_team_takes_effect_at_once(tree):
    tree.write(FILE, group("payments"), user("ana", "payments"), user("ben", "payments"))
    source = tree.source()
    read(source)
    tree.write(FILE, group("payments"), user("ana"))
    read(source)
    assert Entity.objects.get(name="ben").state == "missing"
    assert members() == set()


def test_only_users_are_members_and_only_groups_have_them(tree):
    tree.write(
        FILE,
        group("payments", members=["group:default/other"]),
        component("pay"),
        document("User", "ana", memberOf=["component:default/pay"]),
    )
    read(tree.source())
    assert members() == set()


def test_the_closure_holds_every_team_above_with_its_distance(tree):
    tree.write(
        FILE,
        group("top", children=["middle"]),
        group("middle"),
        group("low", parent="middle"),
        group("alone"),
    )
    read(tree.source(trusted_for_org=True))
    assert above() == {("top", "middle", 1), ("middle", "low", 1), ("top", "low", 2)}
    assert TeamClosure.objects.filter(depth=0).count() == 4


def test_the_closure_survives_a_circle(tree):
    tree.write(FILE, group("a", parent="c"), group("b", parent="a"), group("c", parent="b"))
    read(tree.source(trusted_for_org=True))
    one_up = {("c", "a", 1), ("a", "b", 1), ("b", "c", 1)}
    two_up = {("b", "a", 2), ("c", "b", 2), ("a", "c", 2)}
    assert above() == one_up | two_up


def test_an_untrusted_source_puts_no_team_below_its_own(tree):
    tree.write("org.yaml", group("payments"))
    tree.write("own.yaml", group("mine", children=["payments"]))
    read(tree.source("org.yaml", "org", trusted_for_org=True))
    read(tree.source("own.yaml", "own"))
    assert Entity.objects.get(name="payments").relations.filter(type="childOf").exists()
    assert above() == set()


def test_trust_that_is_given_or_withdrawn_shows_in_the_closure(tree):
    tree.write(FILE, group("top", children=["low"]), group("low"))
    source = tree.source()
    read(source)
    assert above() == set()
    source.trusted_for_org = True
    source.save()
    teams.rebuild()
    assert above() == {("top", "low", 1)}
    source.delete()
    teams.rebuild()
    assert above() == set()


def test_a_team_that_is_gone_is_above_nobody(tree):
    tree.write(FILE, group("top", children=["low"]), group("low"), user("ana", "top"))
    source = tree.source(trusted_for_org=True)
    read(source)
    tree.write(FILE, group("low"), user("ana", "top"))
    read(source)
    assert (above(), members()) == (set(), set())
