"""Who is in which team and which team is above which, worked out from the relations.

Membership keeps the source that says so, so that access can ask for trusted ones only. Which team
is above which decides what a grant covers, so TeamClosure is made of trusted sources alone: anyone
who can edit some descriptor could otherwise put another team below their own.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q

from catalog.models import Entity, Membership, Relation, TeamClosure
from catalog.relations import BATCH, batches

_ACTIVE = Entity.State.ACTIVE


def rebuild() -> None:
    """Brings Membership and TeamClosure in line with the relations and with who is trusted.

    Called by every sync, and wherever a source is trusted, distrusted or deleted.
    """
    _rebuild_memberships()
    _rebuild_closure()


def _rebuild_memberships() -> None:
    """From User.memberOf and Group.members; only entities that are active have a say."""
    declared = Relation.objects.filter(
        declared=True, source__state=_ACTIVE, source__source__isnull=False
    )
    by_users = declared.filter(
        type="memberOf", source__kind="User", target__kind="Group", target__state=_ACTIVE
    ).values_list("target_id", "source__ref", "source__source_id")
    by_groups = declared.filter(
        type="hasMember", source__kind="Group", target_ref__startswith="user:"
    ).values_list("source_id", "target_ref", "source__source_id")
    _make_equal(Membership, ("team_id", "user_ref", "origin_id"), set(by_users) | set(by_groups))


def _rebuild_closure() -> None:
    groups = Entity.objects.filter(kind="Group", state=_ACTIVE).values_list("pk", flat=True)
    wanted = set(_closure(groups, _trusted_parents()))
    _make_equal(TeamClosure, ("ancestor_id", "descendant_id", "depth"), wanted)


def _make_equal(
    model: type[Membership] | type[TeamClosure], columns: Sequence[str], wanted: set[Any]
) -> None:
    """Leaves exactly the wanted rows in the table, and those that are right untouched."""
    known = {tuple(row): pk for pk, *row in model.objects.values_list("pk", *columns)}
    for batch in batches([pk for row, pk in known.items() if row not in wanted]):
        model.objects.filter(pk__in=batch).delete()
    model.objects.bulk_create(
        [model(**dict(zip(columns, row, strict=True))) for row in wanted - known.keys()],
        batch_size=BATCH,
    )


def _trusted_parents() -> dict[int, set[int]]:
    """Group pk -> pks of its parents, where both come from sources trusted for it."""
    edges = Relation.objects.filter(
        Q(type="childOf") | Q(type="parentOf"),
        declared=True,
        source__kind="Group",
        source__state=_ACTIVE,
        source__source__trusted_for_org=True,
        target__kind="Group",
        target__state=_ACTIVE,
        target__source__trusted_for_org=True,
    )
    parents: dict[int, set[int]] = defaultdict(set)
    for kind, source_id, target_id in edges.values_list("type", "source_id", "target_id"):
        child, parent = (source_id, target_id) if kind == "childOf" else (target_id, source_id)
        parents[child].add(parent)
    return parents


def _closure(groups: Iterable[int], parents: dict[int, set[int]]) -> Iterable[tuple[int, int, int]]:
    """(ancestor, descendant, shortest depth); a cycle ends where it began."""
    for group in groups:
        depths = {group: 0}
        waiting = deque([group])
        while waiting:
            current = waiting.popleft()
            for parent in parents.get(current, ()):
                if parent not in depths:
                    depths[parent] = depths[current] + 1
                    waiting.append(parent)
        for ancestor, depth in depths.items():
            yield ancestor, group, depth
