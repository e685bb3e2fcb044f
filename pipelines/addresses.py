"""Who is written to: those who may approve a request, and the owners of a service."""

from collections.abc import Iterable, Iterator

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from catalog.digest import address_of
from catalog.models import Entity, Membership
from pipelines.approvers import PERMISSION, people
from pipelines.facts import Facts, facts_of
from pipelines.glass import may_review
from pipelines.models import BrokenGlass, Trigger
from portal import notify
from portal.access import TEAM, fresh_actor
from portal.models import Role, UserLink

MAX_TOLD = 20


def approvers(trigger: Trigger, facts: Facts) -> list[str]:
    """The addresses of people who may approve it and have not said anything yet; a few, each once.
    Who was here last comes first."""
    said = trigger.approvals.values("approver")
    asked = _candidates(facts).exclude(pk__in=said).exclude(pk=trigger.actor_id)
    return _few(user.email for user in people(trigger, facts, asked.order_by("-last_login", "pk")))


def reviewers(glass: BrokenGlass) -> list[str]:
    """The addresses of people who may say whether it was justified; a few, each once."""
    facts = facts_of(glass.entity, [])
    asked = _candidates(facts).exclude(pk=glass.by_id).order_by("-last_login", "pk")
    may = (user for user in asked if may_review(fresh_actor(user.pk), glass, facts).allowed)
    return _few(user.email for user in may)


def owners(entity: Entity | None) -> list[str]:
    """The owning team's own address, else those of its members. Only of sources that an
    administrator trusts for it: anybody could have us write to anybody otherwise."""
    if entity is None or not entity.owner_ref:
        return []
    rows = Entity.objects.filter(ref=entity.owner_ref, state=Entity.State.ACTIVE)
    team = rows.filter(source__trusted_for_org=True).first()
    if team is None:
        return []
    address = address_of(team)
    return [address] if address else _few(user.email for user in _members([team.ref]))


def requester(trigger: Trigger) -> list[str]:
    return _few([trigger.actor.email] if trigger.actor else [])


def _candidates(facts: Facts) -> QuerySet[User]:
    """Everybody who could hold the permission anywhere; policy says who does here."""
    users = User.objects.filter(is_active=True).exclude(email="")
    default = Role.objects.filter(slug=settings.DEFAULT_ROLE).first()
    if default is not None and PERMISSION in default.permissions:
        return users
    mappings = [row for row in facts.mappings if PERMISSION in row.role.permissions]
    groups = {row.group for row in mappings}
    teams = [group.removeprefix(TEAM) for group in groups if group.startswith(TEAM)]
    in_group = Q(groups__name__in=sorted(groups))
    return users.filter(in_group | Q(pk__in=_members(teams).values("pk"))).distinct()


def _members(team_refs: Iterable[str]) -> QuerySet[User]:
    """Those whom a trusted source has in one of the teams, or in one below it."""
    rows = Membership.objects.filter(
        team__ancestors__ancestor__ref__in=list(team_refs), origin__trusted_for_org=True
    )
    linked = UserLink.objects.filter(user_ref__in=rows.values("user_ref"))
    return User.objects.filter(is_active=True, pk__in=linked.values("user")).order_by("pk")


def _few(addresses: Iterable[str]) -> list[str]:
    """Usable ones, each once in whatever case; stops looking when there are enough."""
    found: dict[str, str] = {}
    for address in _usable(addresses):
        found.setdefault(address.casefold(), address)
        if len(found) == MAX_TOLD:
            break
    return list(found.values())


def _usable(addresses: Iterable[str]) -> Iterator[str]:
    for written in addresses:
        address = notify.usable(written)
        if address:
            yield address
