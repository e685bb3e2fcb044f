"""Who gains and who loses what when policy changes, and who may do what where.

Everybody's answer before and after is decide()'s own. People who hold the same grants are asked
once, and so are places that the same rules cover. What passes by itself is kept apart from what is
granted: conditions are named instead of tried, freezes are times, and broken glass is left aside.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from portal.policy.conditions import NONE, Conditions
from portal.policy.covering import Covering, Scope
from portal.policy.decision import decide
from portal.policy.facts import Actor, Effect, Grant, Target
from portal.policy.periods import Periods, without
from portal.policy.words import RUNNING

# Whatever runs something from a branch; switching a pipeline on runs nothing yet.
BRANCHED = RUNNING - {"pipeline.activate"}
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # grants are asked without their hours

Core = tuple[str, frozenset[str], Conditions]  # what a grant gives, wherever it does


@dataclass(frozen=True)
class Place:
    """Something that permissions are about, in one environment; `key` is the same before and after.

    `branches` are the only ones that run there, as globs; `frozen` is when nothing does. What is
    `about_no_build` is asked without branch and parameters, so no condition about them holds.
    """

    key: tuple[str, ...]
    label: str
    permissions: frozenset[str]
    target: Target
    branches: str = ""
    frozen: Periods = ()
    about_no_build: bool = False


@dataclass(frozen=True)
class Person:
    """Somebody with the groups that roles are given to; `incomplete` as an Actor has it.

    `then` are the groups after the change; None: the same.
    """

    user_id: int
    name: str
    groups: frozenset[str]
    incomplete: str = ""
    then: frozenset[str] | None = None

    @property
    def groups_then(self) -> frozenset[str]:
        return self.groups if self.then is None else self.then


@dataclass(frozen=True)
class Policy:
    """What is granted to each group and to everybody, and where."""

    grants: Mapping[str, tuple[Grant, ...]]
    everybody: tuple[Grant, ...] = ()
    places: tuple[Place, ...] = ()

    def held_by(self, groups: Iterable[str]) -> tuple[Grant, ...]:
        found = [grant for group in sorted(groups) for grant in self.grants.get(group, ())]
        return (*found, *self.everybody)


@dataclass(frozen=True)
class Way:
    """How something may be done: with how many approvals, from which branches, and when not."""

    approvals: int = 0
    branches: str = ""
    frozen: Periods = ()


@dataclass(frozen=True)
class Line:
    """These people gain or lose these permissions in these places, under this condition.

    Before and after are None where it may not be done at all. Only where both are a Way it is the
    terms that change.
    """

    people: tuple[Person, ...]
    permissions: tuple[str, ...]
    places: tuple[Place, ...]
    conditions: Conditions
    before: Way | None
    after: Way | None

    @property
    def environment(self) -> str:
        return self.places[0].target.environment

    @property
    def count(self) -> int:
        return len(self.people) * len(self.permissions) * len(self.places)

    @property
    def gains(self) -> bool:
        return bool(more_in(self.before, self.after))

    @property
    def loses(self) -> bool:
        return bool(more_in(self.after, self.before))


def more_in(before: Way | None, after: Way | None) -> bool:
    """Whether the second lets somebody do anything that the first does not."""
    if after is None or before is None:
        return after is not None
    other_branches = before.branches not in ("", after.branches)
    earlier = without(before.frozen, after.frozen)
    return after.approvals < before.approvals or other_branches or bool(earlier)


def compare(people: Iterable[Person], before: Policy, after: Policy) -> list[Line]:
    """Everything that changes for anybody, people and places with the same change in one line."""
    return _Comparison(before, after).lines(people)


def gives_more(before: Sequence[Grant], after: Sequence[Grant]) -> bool:
    """Whether the second hold a permission that the first do not, by what they say and wherever
    that is: there may be nothing yet that it covers."""
    return any(
        not any(_includes(old, new, permission) for old in before)
        for new in after
        for permission in new.permissions
    )


def _includes(old: Grant, new: Grant, permission: str) -> bool:
    return (
        permission in old.permissions
        and (old.scope_kind == "everything" or _scope(old)[:2] == _scope(new)[:2])
        and old.in_environment(new.environment)
        and old.conditions in (NONE, new.conditions)
    )


# Cores by number: comparing and hashing numbers is quick, and it is done millions of times.
_Held = frozenset[tuple[Scope, int]]
_Part = tuple[frozenset[int], frozenset[int], str]  # cores before and after, why incomplete
_NONE: frozenset[Scope] = frozenset()


@dataclass(frozen=True)
class _Alike:
    """People who hold the same."""

    people: tuple[Person, ...]
    before: _Held
    after: _Held
    incomplete: str

    @cached_property
    def scopes_of_change(self) -> frozenset[Scope]:
        return frozenset(scope for scope, _ in self.before ^ self.after)


def _scope(grant: Grant) -> Scope:
    return (grant.scope_kind, grant.scope_ref, grant.environment)


@dataclass(frozen=True)
class _Rules:
    """What decides in a place; the same for many places."""

    scopes: frozenset[Scope]
    permissions: frozenset[str]
    environment: str
    approvals: int
    role: str
    branches: str
    frozen: Periods
    about_no_build: bool

    def way(self, permission: str) -> Way:
        running = permission in RUNNING
        return Way(
            self.approvals if running else 0,
            self.branches if permission in BRANCHED else "",
            self.frozen if running else (),
        )


_NOWHERE = _Rules(_NONE, frozenset(), "", 0, "", "", (), about_no_build=True)

# One change: of which permission, under which condition, from what to what.
_Change = tuple[str, Conditions, Way | None, Way | None]
# The same for several permissions, and for whom, by their place among those who are alike.
_Found = tuple[tuple[int, ...], tuple[str, ...], Conditions, Way | None, Way | None]


@dataclass
class _Comparison:
    """Two policies; answers are kept, for the same question comes often."""

    before: Policy
    after: Policy
    _numbers: dict[Core, int] = field(default_factory=dict)
    _cores: list[Core] = field(default_factory=list)
    _answers: dict[object, bool] = field(default_factory=dict)
    _parts: dict[object, dict[_Part, list[int]]] = field(default_factory=dict)

    def lines(self, people: Iterable[Person]) -> list[Line]:
        groups = self._alike(people)
        found: dict[tuple[_Found, str], list[Place]] = defaultdict(list)
        for (old, new), places in self._places().items():
            for key in _by_permissions(self._changes(groups, old, new)):
                found[key, places[0].target.environment] += places
        lines = [_line(key, groups, places) for (key, _), places in found.items()]
        return sorted(lines, key=lambda line: (not line.gains, -line.count, line.places[0].label))

    def _alike(self, people: Iterable[Person]) -> list[_Alike]:
        mapped = self.before.grants.keys() | self.after.grants.keys()
        found: dict[tuple[frozenset[str], frozenset[str], str], list[Person]] = defaultdict(list)
        for person in people:
            groups = person.groups & mapped
            then = groups if person.then is None else person.then & mapped
            found[groups, then, person.incomplete].append(person)
        return [
            _Alike(tuple(those), self._held(self.before, old), self._held(self.after, new), reason)
            for (old, new, reason), those in found.items()
        ]

    def _held(self, policy: Policy, groups: frozenset[str]) -> _Held:
        """Without grants whose conditions can't be read: they give nothing."""
        return frozenset(
            (_scope(grant), self._number((grant.role, grant.permissions, grant.conditions)))
            for grant in policy.held_by(groups)
            if not grant.conditions.faults()
        )

    def _number(self, core: Core) -> int:
        if core not in self._numbers:
            self._numbers[core] = len(self._cores)
            self._cores.append(core)
        return self._numbers[core]

    def _places(self) -> dict[tuple[_Rules | None, _Rules | None], list[Place]]:
        """The places that the same rules decide about, before and after; None: no such place."""
        sides = [_rules_of(self.before), _rules_of(self.after)]
        places = {
            place.key: place for policy in (self.before, self.after) for place in policy.places
        }
        found: dict[tuple[_Rules | None, _Rules | None], list[Place]] = defaultdict(list)
        for key, place in places.items():
            found[sides[0].get(key), sides[1].get(key)].append(place)
        return found

    def _changes(
        self, groups: Sequence[_Alike], old: _Rules | None, new: _Rules | None
    ) -> dict[_Change, list[int]]:
        """For whom, by their place among the groups, each thing changes under these rules."""
        found: dict[_Change, list[int]] = defaultdict(list)
        scopes = (old.scopes if old else _NONE, new.scopes if new else _NONE, old == new)
        if scopes not in self._parts:
            self._parts[scopes] = _parts(groups, *scopes)
        for (before, after, incomplete), places in self._parts[scopes].items():
            if old != new or before != after:
                for change in self._changes_of(before, after, incomplete, old, new):
                    found[change] += places
        return found

    def _changes_of(
        self,
        before: frozenset[int],
        after: frozenset[int],
        incomplete: str,
        old: _Rules | None,
        new: _Rules | None,
    ) -> Iterator[_Change]:
        conditions = {self._cores[number][2] for number in before | after} - {NONE}
        if (old or new or _NOWHERE).about_no_build:
            conditions = {one for one in conditions if not (one.branches or one.parameters)}
        for permission in _permissions(old) | _permissions(new):
            always = (
                self._way(before, old, permission, NONE, incomplete),
                self._way(after, new, permission, NONE, incomplete),
            )
            if always[0] != always[1]:
                yield permission, NONE, *always
            for condition in conditions:
                ways = (
                    self._way(before, old, permission, condition, incomplete),
                    self._way(after, new, permission, condition, incomplete),
                )
                if ways != always and ways[0] != ways[1]:
                    yield permission, condition, *ways

    def _way(
        self,
        numbers: frozenset[int],
        rules: _Rules | None,
        permission: str,
        conditions: Conditions,
        incomplete: str,
    ) -> Way | None:
        """How it may be done where just this condition holds; None: not at all."""
        if rules is None or permission not in rules.permissions:
            return None
        key = (numbers, permission, conditions, rules.role, bool(incomplete))
        if key not in self._answers:
            cores = [self._cores[number] for number in numbers]
            self._answers[key] = _is_granted(cores, permission, conditions, rules.role, incomplete)
        return rules.way(permission) if self._answers[key] else None


def _permissions(rules: _Rules | None) -> frozenset[str]:
    return rules.permissions if rules else frozenset()


def _is_granted(
    cores: Iterable[Core], permission: str, conditions: Conditions, role: str, incomplete: str
) -> bool:
    grants = tuple(
        Grant(name, permissions, "everything", "", "")
        for name, permissions, its in cores
        if its in (NONE, conditions)
    )
    actor = Actor(0, "", grants=grants, incomplete=incomplete)
    decision = decide(actor, permission, Target("", role=role), now=_ANY_TIME)
    return decision.effect is not Effect.DENY


def _parts(
    groups: Sequence[_Alike], old: frozenset[Scope], new: frozenset[Scope], same: bool
) -> dict[_Part, list[int]]:
    """The groups by what they hold in these scopes before and after; where the `same` rules decide,
    without those for whom nothing changes in them."""
    found: dict[_Part, list[int]] = defaultdict(list)
    for place, alike in enumerate(groups):
        if not same or not alike.scopes_of_change.isdisjoint(old):
            before = frozenset([number for scope, number in alike.before if scope in old])
            after = frozenset([number for scope, number in alike.after if scope in new])
            found[before, after, alike.incomplete].append(place)
    return found


def _rules_of(policy: Policy) -> dict[tuple[str, ...], _Rules]:
    grants = [*policy.everybody, *(one for held in policy.grants.values() for one in held)]
    covering = Covering({_scope(grant) for grant in grants})
    return {
        place.key: _Rules(
            covering.of(place.target),
            place.permissions,
            place.target.environment,
            place.target.approvals_needed,
            place.target.role,
            place.branches,
            place.frozen,
            place.about_no_build,
        )
        for place in policy.places
    }


def _by_permissions(changes: Mapping[_Change, list[int]]) -> Iterator[_Found]:
    """Permissions with the same change for the same people, as one."""
    found: dict[tuple[tuple[int, ...], Conditions, Way | None, Way | None], list[str]] = (
        defaultdict(list)
    )
    for (permission, conditions, before, after), people in changes.items():
        found[tuple(people), conditions, before, after].append(permission)
    for (those, conditions, before, after), permissions in found.items():
        yield those, tuple(sorted(permissions)), conditions, before, after


def _line(found: _Found, groups: Sequence[_Alike], places: list[Place]) -> Line:
    numbers, permissions, conditions, before, after = found
    people = tuple(person for number in numbers for person in groups[number].people)
    return Line(people, permissions, tuple(places), conditions, before, after)
