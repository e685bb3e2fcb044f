"""Which scopes cover an entity, and which entities a scope may name (hook `scope_choices`)."""

from catalog.models import Entity, TeamClosure

Scopes = frozenset[tuple[str, str]]

# scope kind of portal.policy -> kind of entity
KINDS = {"team": "Group", "system": "System", "service": "Component"}


def scope_choices(kind: str) -> list[tuple[str, str]]:
    """[(entity ref, what people call it)] of every entity that a scope of this kind may name."""
    if kind not in KINDS:
        return []
    found = Entity.objects.filter(kind=KINDS[kind], state=Entity.State.ACTIVE).order_by("ref")
    return [(ref, title or name) for ref, title, name in found.values_list("ref", "title", "name")]


def scopes_of(entity: Entity) -> Scopes:
    """Every (scope kind, scope ref) that covers the entity, for a policy Target; one query.

    A team is covered by its own scope as well as by its owner's. The owner is as the descriptor
    says it. The teams above come from TeamClosure, which sync makes of trusted sources alone; trust
    is asked again here, for it may have been withdrawn.
    """
    scopes = {("everything", ""), ("service", entity.ref)}
    if entity.system_ref:
        scopes.add(("system", entity.system_ref))
    teams = {ref for ref in (entity.owner_ref, entity.ref) if ref.startswith("group:")}
    if teams:
        scopes |= {("team", ref) for ref in teams}
        above = TeamClosure.objects.filter(
            descendant__ref__in=teams,
            descendant__source__trusted_for_org=True,
            ancestor__source__trusted_for_org=True,
            ancestor__state=Entity.State.ACTIVE,
        )
        scopes |= {("team", ref) for ref in above.values_list("ancestor__ref", flat=True)}
    return frozenset(scopes)
