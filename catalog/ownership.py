"""Descriptors that move an entity under other people's grants: what the trail says, what ends.

Whoever edits a descriptor may name another owner or system, and with it who may start the entity's
builds. The sync applies that, and says so where a role mapping's scope is concerned. A role that
the owners of a team gave on a service of theirs ends as soon as it is not theirs.
"""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q

from catalog.models import Entity, Source, TeamClosure
from portal import audit
from portal.models import RoleMapping

ACTION = "catalog.owner"
audit.register(ACTION, "changed an owner or system by a descriptor")
audit.register("role.end", "ended a role that a team had given")
# More in one reading are a reorganisation; they are counted, not listed.
MAX_EVENTS = 100


def record_changes(source: Source, changes: Iterable[tuple[Entity, Entity]]) -> None:
    """`changes`: (the entity as it was, as it is). Writes in the caller's transaction."""
    moved = [
        (before, after)
        for before, after in changes
        if (before.owner_ref, before.system_ref) != (after.owner_ref, after.system_ref)
    ]
    if not moved:
        return
    granted = _granted()
    concerned = [pair for pair in moved if _scopes(*pair) & granted]
    for before, after in concerned[:MAX_EVENTS]:
        audit.record(
            ACTION,
            target=after.ref,
            data={
                "owner": {"before": before.owner_ref, "after": after.owner_ref},
                "system": {"before": before.system_ref, "after": after.system_ref},
                "source": source.slug,
                "place": f"{after.location}:{after.line}",
            },
        )
    if len(concerned) > MAX_EVENTS:
        more = {"source": source.slug, "more": len(concerned) - MAX_EVENTS}
        audit.record(ACTION, target=f"source: {source.slug}", data=more)


def end_roles() -> None:
    """Takes back what teams gave on services that are not theirs any more, or gone; in the
    transaction that moves or removes them."""
    own = Q(owner_ref=OuterRef("team")) | Q(ref=OuterRef("team"))
    theirs = Entity.objects.filter(own, ref=OuterRef("scope_ref"))
    given = RoleMapping.objects.exclude(team="").select_related("role")
    for mapping in given.filter(~Exists(theirs)):
        audit.record(
            "role.end",
            target=f"{mapping.group}: {mapping.role} in {mapping.scope_ref}",
            reason=f"{mapping.scope_ref} no longer belongs to {mapping.team}, which gave it.",
            data={"team": mapping.team, "environment": mapping.environment},
        )
        mapping.delete()


def _granted() -> set[tuple[str, str]]:
    """Every (scope kind, ref) that a role mapping names, and the teams below the teams it names."""
    named = RoleMapping.objects.exclude(scope_kind="everything")
    granted = set(named.values_list("scope_kind", "scope_ref"))
    teams = [ref for kind, ref in granted if kind == "team"]
    below = TeamClosure.objects.filter(ancestor__ref__in=teams)
    return granted | {("team", ref) for ref in below.values_list("descendant__ref", flat=True)}


def _scopes(before: Entity, after: Entity) -> set[tuple[str, str]]:
    teams = {("team", entity.owner_ref) for entity in (before, after)}
    systems = {("system", entity.system_ref) for entity in (before, after)}
    return teams | systems | {("service", after.ref)}
