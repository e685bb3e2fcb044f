"""What a change of policy would do, before it is saved: it is saved, looked at and taken back.

So nothing has to be guessed: both policies are what the database really holds, before and within a
transaction that is rolled back.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from portal import hooks
from portal.access import TEAM, default_grant, display_name, mapped_grants
from portal.group_age import why_of_all
from portal.models import Role, UserLink
from portal.policy import RUNNING, Grant
from portal.policy.effects import Line, Person, Policy, compare, gives_more

# What a change may give that shows only when somebody does something: which build runs where.
OF_BUILDS = RUNNING | {"trigger.approve"}


@dataclass(frozen=True)
class Unseen:
    """What of a change no look at the database tells, as a sentence, and whom it may give
    something: whoever holds any of these permissions somewhere, or anybody (None)."""

    why: str
    to: frozenset[str] | None = OF_BUILDS


@dataclass(frozen=True)
class DryRun:
    """Two policies and the people in them, and what they do not tell."""

    before: Policy
    after: Policy
    people: tuple[Person, ...]
    unseen: Unseen | None = None

    @cached_property
    def lines(self) -> list[Line]:
        return compare(self.people, self.before, self.after)

    @cached_property
    def digest(self) -> str:
        """Of all that the lines are computed from: another one may lead to other lines."""
        whole = [self.before, self.after, self.people]
        return sha256(json.dumps(whole, default=_plain, sort_keys=True).encode()).hexdigest()

    def gives(self, user_id: int | None) -> bool:
        """Whether the person could do anything that they could not; also where there is nothing
        yet to do it to."""
        person = self._person(user_id)
        if person is None:
            return False
        before = self.before.held_by(person.groups)
        return gives_more(before, self.after.held_by(person.groups_then)) or any(
            line.gains and person in line.people for line in self.lines
        )

    def may_give(self, user_id: int | None) -> bool:
        """Whether what is unseen may give the person something."""
        person = self._person(user_id)
        if self.unseen is None or self.unseen.to is None or person is None:
            return self.unseen is not None and self.unseen.to is None
        held = self.after.held_by(person.groups_then)
        return any(grant.permissions & self.unseen.to for grant in held)

    def _person(self, user_id: int | None) -> Person | None:
        return next((one for one in self.people if one.user_id == user_id), None)


def try_out(change: Callable[[], object]) -> DryRun:
    """Makes the change, takes it back, and says what it would have done."""
    with transaction.atomic():
        before = read_policy()
        change()
        after = read_policy()
        mapped = before.grants.keys() | after.grants.keys()
        then = {person.user_id: person.groups for person in read_people(mapped)}
        transaction.set_rollback(True)
    return DryRun(before, after, tuple(_moved(person, then) for person in read_people(mapped)))


def _moved(person: Person, then: Mapping[int, frozenset[str]]) -> Person:
    """With the groups that the change brings the person into or out of."""
    after = then.get(person.user_id, person.groups)
    return person if after == person.groups else replace(person, then=after)


def lock() -> None:
    """Until the transaction ends nobody else changes policy."""
    list(Role.objects.select_for_update().order_by("pk"))


def read_policy(ref: str = "") -> Policy:
    """What holds now, in this transaction; of one entity, where its ref is given."""
    grants: dict[str, list[Grant]] = {}
    for grant in mapped_grants():
        grants.setdefault(grant.group, []).append(grant)
    places = [place for found in hooks.policy_places.ask(ref) for place in found]
    return Policy(
        {group: tuple(held) for group, held in grants.items()},
        tuple(default_grant()),
        tuple(places),
    )


def read_people(groups: Iterable[str], user: User | None = None) -> tuple[Person, ...]:
    """Everybody active, or one person, with those of the groups that they are in; five queries."""
    mapped = frozenset(groups)
    users = User.objects.filter(is_active=True).order_by("pk")
    users = users.filter(pk=user.pk) if user else users
    held: dict[int, set[str]] = {one.pk: set() for one in users}
    pairs = User.groups.through.objects.filter(user__in=users).exclude(group__name__startswith=TEAM)
    for user_id, name in pairs.values_list("user_id", "group__name"):
        if name in mapped and user_id in held:
            held[user_id].add(name)
    for user_id, names in _by_teams(mapped).items():
        if user_id in held:
            held[user_id] |= names & mapped
    incomplete = why_of_all([user.pk] if user else None)
    return tuple(
        Person(one.pk, display_name(one), frozenset(held[one.pk]), incomplete.get(one.pk, ""))
        for one in users
    )


def _by_teams(mapped: frozenset[str]) -> Mapping[int, set[str]]:
    """The teams that the catalog has people in, by user; where roles are mapped from any."""
    if not any(group.startswith(TEAM) for group in mapped):
        return {}
    links = dict(UserLink.objects.values_list("user_ref", "user_id"))
    found: dict[int, set[str]] = {}
    for answer in hooks.subjects_of_all.ask():
        for user_ref, subjects in answer.items():
            if user_ref in links:
                found.setdefault(links[user_ref], set()).update(subjects)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Grant):  # a row that is not there yet has another number each time
        return {**vars(value), "mapping_id": None}
    return vars(value) if is_dataclass(value) else str(value)
