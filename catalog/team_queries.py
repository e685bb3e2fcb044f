"""What the pages of teams and people read."""

from dataclasses import dataclass

from django.db.models import Count, QuerySet

from catalog.models import Entity, Membership, Team
from catalog.queries import ROW_FIELDS, names_of


def teams() -> QuerySet[Team]:
    """Every team by name, each with `people`: how many direct members it has."""
    people = Count("memberships__user_ref", distinct=True)
    return Team.objects.only(*ROW_FIELDS).annotate(people=people).order_by("name", "ref")


@dataclass(frozen=True)
class Member:
    """A person in a team: who, and which source says so."""

    ref: str
    name: str
    source: str
    trusted: bool


def members_of(team: Entity) -> list[Member]:
    """The team's direct members, by name; two queries."""
    rows = list(Membership.objects.filter(team=team).select_related("origin"))
    names = names_of(row.user_ref for row in rows)
    members = [
        Member(row.user_ref, names[row.user_ref], row.origin.name, row.origin.trusted_for_org)
        for row in rows
    ]
    return sorted(members, key=lambda member: (member.name.lower(), member.ref, member.source))
