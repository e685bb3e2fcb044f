"""Which services stand behind a team, a person, a system or a domain.

Teams below others come from TeamClosure, which only trusted sources make. Each answer takes the
same number of queries however many there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db.models import Q

from catalog.models import Entity, Relation, TeamClosure
from catalog.seen import Seen

SERVICE = "Component"
_ACTIVE = Entity.State.ACTIVE


def services_of(
    objects: Sequence[Entity], seen: Seen, *, below: bool = False
) -> dict[int, set[int]]:
    """{pk of a team, person, system or domain: pks of its services that may be seen}.

    `below`: the services of a team's subteams too. A domain's are those of its systems.
    """
    owners, systems = _owners(objects, below), _systems(objects)
    mine = seen.entities().filter(kind=SERVICE, state=_ACTIVE)
    mine = mine.filter(Q(owner_ref__in=list(owners)) | Q(system_ref__in=list(systems)))
    found: dict[int, set[int]] = {item.pk: set() for item in objects}
    for pk, owner, system in mine.values_list("pk", "owner_ref", "system_ref"):
        for holder in owners.get(owner, set()) | systems.get(system, set()):
            found[holder].add(pk)
    return found


def _owners(objects: Iterable[Entity], below: bool) -> dict[str, set[int]]:
    """{ref of an owner: pks of the objects that it counts for}."""
    owners: dict[str, set[int]] = defaultdict(set)
    teams = [item for item in objects if item.kind == "Group"]
    for item in objects:
        if item.kind in {"Group", "User"}:
            owners[item.ref].add(item.pk)
    if below and teams:
        rows = TeamClosure.objects.filter(ancestor__in=teams)
        for pk, ref in rows.values_list("ancestor_id", "descendant__ref"):
            owners[ref].add(pk)
    return dict(owners)


def _systems(objects: Iterable[Entity]) -> dict[str, set[int]]:
    """{ref of a system: pks of the objects that it counts for}."""
    systems: dict[str, set[int]] = defaultdict(set)
    domains = [item for item in objects if item.kind == "Domain"]
    for item in objects:
        if item.kind == "System":
            systems[item.ref].add(item.pk)
    if domains:
        inside = domains_in(domain.ref for domain in domains)
        wanted = {ref for refs in inside.values() for ref in refs}
        systems_in = parts_of(wanted, "System")
        for domain in domains:
            for ref in inside[domain.ref]:
                for system in systems_in[ref]:
                    systems[system].add(domain.pk)
    return dict(systems)


def domains_in(refs: Iterable[str]) -> dict[str, set[str]]:
    """{domain ref: itself and every domain below it}; one query, and cycles end."""
    below: dict[str, set[str]] = defaultdict(set)
    edges = Relation.objects.filter(
        type="partOf",
        source__kind="Domain",
        source__state=_ACTIVE,
        target_ref__startswith="domain:",
    )
    for child, parent in edges.values_list("source__ref", "target_ref"):
        below[parent].add(child)
    found = {}
    for ref in refs:
        seen, waiting = {ref}, [ref]
        while waiting:
            new = below[waiting.pop()] - seen
            seen |= new
            waiting.extend(new)
        found[ref] = seen
    return found


def parts_of(refs: Iterable[str], kind: str) -> dict[str, set[str]]:
    """{whole: refs of the entities of this kind that say they are part of it}; one query."""
    edges = Relation.objects.filter(
        type="partOf", target_ref__in=list(refs), source__kind=kind, source__state=_ACTIVE
    )
    found: dict[str, set[str]] = defaultdict(set)
    for whole, part in edges.values_list("target_ref", "source__ref"):
        found[whole].add(part)
    return found
