"""What a change of policy would do, before it is saved: it is saved, looked at and taken back.

So nothing has to be guessed: both policies are what the database really holds, before and within a
transaction that is rolled back.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from portal import hooks
from portal.access import TEAM, default_grant, display_name, mapped_grants
from portal.group_age import why_of_all
from portal.models import Role, UserLink
from portal.policy import Grant
from portal.policy.effects import Line, Person, Policy, compare, gives_more


@dataclass(frozen=True)
class DryRun:
    """Two policies and the people in them."""

    before: Policy
    after: Policy
    people: tuple[Person, ...]

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
        person = next((one for one in self.people if one.user_id == user_id), None)
        if person is None:
            return False
        before, after = (policy.held_by(person.groups) for policy in (self.before, self.after))
        return gives_more(before, after) or any(
            line.gains and person in line.people for line in self.lines
        )


def try_out(change: Callable[[], object]) -> DryRun:
    """Makes the change, takes it back, and says what it would have done."""
    with transaction.atomic():
        before = read_policy()
        change()
        after = read_policy()
        transaction.set_rollback(True)
    return DryRun(before, after, read_people(before.grants.keys() | after.grants.keys()))


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
