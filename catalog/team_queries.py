"""What the pages of teams and people read."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from django.db.models import Count, QuerySet

from catalog.models import Entity, Membership, Relation, Team, TeamClosure
from catalog.queries import ROW_FIELDS, names_of
from catalog.seen import Seen

# Of the tree of subteams; who has more has a page that nobody reads to its end.
MAX_NODES = 200


def teams() -> QuerySet[Team]:
    """Every team by name, each with `people`: how many direct members it has."""
    people = Count("memberships__user_ref", distinct=True)
    return Team.objects.only(*ROW_FIELDS).annotate(people=people).order_by("name", "ref")


def parents_of(found: Iterable[Entity], seen: Seen) -> dict[int, list[Relation]]:
    """{team pk: the edges to the teams directly above it}; one query."""
    edges = Relation.objects.filter(source__in=list(found), type="childOf").select_related("target")
    above: dict[int, list[Relation]] = defaultdict(list)
    rows = list(edges.defer("target__document").order_by("target_ref"))
    seen.veil(rows)
    for edge in rows:
        above[edge.source_id].append(edge)
    return above


# --- Teams around a team ---------------------------------------------------------------------
def above(team: Entity, seen: Seen) -> list[Entity]:
    """The teams above it that may be seen, the highest first, as trusted sources say."""
    rows = TeamClosure.objects.filter(descendant=team, depth__gt=0).select_related("ancestor")
    if not seen.everything:
        rows = rows.filter(ancestor__in=seen.entities())
    rows = rows.defer("ancestor__document").order_by("-depth", "ancestor__ref")
    return [row.ancestor for row in rows]


def refs_below(team: Entity, seen: Seen) -> list[str]:
    """The team's ref and those of all teams below it that may be seen, as trusted sources say."""
    rows = TeamClosure.objects.filter(ancestor=team, depth__gt=0)
    if not seen.everything:
        rows = rows.filter(descendant__in=seen.entities())
    return [
        team.ref,
        *rows.order_by("depth", "descendant__ref").values_list("descendant__ref", flat=True),
    ]


@dataclass
class Node:
    """A subteam; `entity` is None where nobody describes it, or the reader may not see it."""

    ref: str
    entity: Entity | None
    below: list["Node"] = field(default_factory=list)


def subteams(team: Entity, refs: Collection[str], seen: Seen) -> list[Node]:
    """The teams below as a tree, by name; `refs` are those that refs_below() gives. One query.

    A team that is below several stands under the first; a cycle ends where it began.
    """
    edges = (
        Relation.objects.filter(type="parentOf", source__ref__in=list(refs))
        .select_related("target")
        .defer("target__document")
        .order_by("target_ref")
    )
    children: dict[int, list[Relation]] = defaultdict(list)
    rows = list(edges)
    seen.veil(rows)
    for edge in rows:
        children[edge.source_id].append(edge)
    root = Node(team.ref, team)
    told, waiting = {team.ref}, [root]
    while waiting and len(told) < MAX_NODES:
        node = waiting.pop(0)
        for edge in children[node.entity.pk] if node.entity else ():
            if edge.target_ref not in told:
                told.add(edge.target_ref)
                node.below.append(Node(edge.target_ref, edge.target))
        waiting += node.below
    return root.below


# --- People ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Member:
    """A person in a team or several: who, in which, and which source says so.

    `known`: the catalog has the person, and the reader may see them; else there is only a ref.
    """

    ref: str
    name: str
    source: str
    trusted: bool
    known: bool = True
    team: str = ""


def members_of(team: Entity, seen: Seen, refs: Collection[str] = ()) -> list[Member]:
    """The direct members, by name; with `refs` those of all these teams. Two queries."""
    rows = Membership.objects.select_related("origin", "team").defer("team__document")
    rows = rows.filter(team__ref__in=list(refs)) if refs else rows.filter(team=team)
    found: dict[tuple[str, int], list[Membership]] = defaultdict(list)
    for row in rows.order_by("team__name"):
        found[row.user_ref, row.origin_id].append(row)
    names = names_of((ref for ref, _ in found), seen)
    members = [
        Member(
            ref,
            names[ref],
            ins[0].origin.name,
            ins[0].origin.trusted_for_org,
            ref in names,
            ", ".join(str(row.team) for row in ins),
        )
        for (ref, _), ins in found.items()
    ]
    return sorted(members, key=lambda member: (member.name.lower(), member.ref, member.source))


def teams_of_person(person: Entity) -> Iterator[tuple[Entity, bool]]:
    """(team, the person is in it directly): first those, then the ones above; two queries."""
    rows = Membership.objects.filter(user_ref=person.ref).select_related("team")
    direct = {row.team_id: row.team for row in rows.defer("team__document").order_by("team__name")}
    yield from ((team, True) for team in direct.values())
    higher = TeamClosure.objects.filter(descendant__in=direct, depth__gt=0)
    higher = (
        higher.exclude(ancestor__in=direct).select_related("ancestor").order_by("ancestor__name")
    )
    seen: set[int] = set()
    for row in higher.defer("ancestor__document"):
        if row.ancestor_id not in seen:
            seen.add(row.ancestor_id)
            yield row.ancestor, False
