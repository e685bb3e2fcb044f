"""Comparing two policies: what cannot be tried out in a database's one moment, and times."""

from dataclasses import replace
from datetime import UTC, datetime

from portal.policy import NONE, Conditions, Grant, Target
from portal.policy.effects import Person, Place, Policy, Way, compare, gives_more
from portal.policy.periods import joined, without

ANA = Person(1, "Ana", frozenset({"idp:a"}))
DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 10)]
START = frozenset({"build.start"})


def grant(ref="", conditions=NONE, environment="", permissions=START):
    kind = "team" if ref else "everything"
    return Grant("Deployer", permissions, kind, ref, environment, 1, "idp:a", conditions)


def policy(*grants, frozen=(), branches="", approvals=0):
    target = Target("pay", environment="production", approvals_needed=approvals)
    place = Place(("run", "pay"), "pay", START, target, branches, frozen)
    return Policy({"idp:a": grants}, (), (place,))


def change(before, after):
    return [
        (line.before, line.after, line.gains, line.loses) for line in compare([ANA], before, after)
    ]


def test_a_freeze_takes_its_time_and_nothing_else():
    frozen = ((DAYS[0], DAYS[2]),)
    before, after = policy(grant()), policy(grant(), frozen=frozen)
    assert change(before, after) == [(Way(), Way(frozen=frozen), False, True)]
    assert change(after, before) == [(Way(frozen=frozen), Way(), True, False)]
    moved = policy(grant(), frozen=((DAYS[1], DAYS[3]),))
    assert [found[2:] for found in change(after, moved)] == [(True, True)]
    assert change(policy(), policy(frozen=frozen)) == []


def test_terms_that_change_are_gains_or_losses_or_both():
    easier = change(policy(grant(), approvals=2), policy(grant(), approvals=1))
    assert [found[2:] for found in easier] == [(True, False)]
    other = change(policy(grant(), branches="main"), policy(grant(), branches="release/*"))
    assert [found[2:] for found in other] == [(True, True)]
    narrower = change(policy(grant()), policy(grant(), branches="main"))
    assert [found[2:] for found in narrower] == [(False, True)]


def test_a_condition_is_named_where_it_makes_a_difference():
    on_main = Conditions(branches="main")
    lines = compare([ANA], policy(), policy(grant(conditions=on_main)))
    assert [line.conditions for line in lines] == [on_main]
    assert compare([ANA], policy(grant()), policy(grant(), grant(conditions=on_main))) == []
    assert compare([ANA], policy(), policy(grant(conditions=Conditions(branches=", ,")))) == []


def test_more_is_what_no_grant_included_wherever_it_is():
    assert gives_more([], [grant("group:default/none")])
    assert not gives_more([grant()], [grant("group:default/none", environment="production")])
    assert gives_more([grant(environment="staging")], [grant()])
    assert gives_more([grant(conditions=Conditions(hours="x"))], [grant()])
    assert not gives_more([grant()], [grant(conditions=Conditions(hours="x"))])


def test_times_are_joined_and_subtracted():
    assert joined([(DAYS[2], DAYS[3]), (DAYS[0], DAYS[2]), (DAYS[4], DAYS[4])]) == (
        (DAYS[0], DAYS[3]),
    )
    assert without(((DAYS[0], DAYS[5]),), ((DAYS[1], DAYS[2]), (DAYS[3], DAYS[8]))) == (
        (DAYS[0], DAYS[1]),
        (DAYS[2], DAYS[3]),
    )


def test_a_condition_about_builds_gives_nothing_where_no_build_is_asked_about():
    place = Place(("all",), "the portal", START, Target(""), about_no_build=True)
    branches, hours = Conditions(branches="main"), Conditions(hours="Mon-Fri 08:00-18:00 UTC")
    for conditions, gained in ((branches, []), (hours, [hours])):
        after = Policy({"idp:a": (grant(conditions=conditions),)}, (), (place,))
        lines = compare([ANA], Policy({}, (), (place,)), after)
        assert [line.conditions for line in lines] == gained


def test_who_comes_into_a_group_gains_what_it_holds():
    same = policy(grant())
    moved = replace(ANA, groups=frozenset(), then=frozenset({"idp:a"}))
    (line,) = compare([ANA, moved], same, same)
    assert (line.people, line.gains, line.loses) == ((moved,), True, False)
    left = replace(ANA, then=frozenset())
    assert [line.loses for line in compare([left], same, same)] == [True]
