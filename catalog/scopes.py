"""Which scopes cover an entity, and what a scope may name (hook `scope_choices`)."""

from collections.abc import Iterable, Mapping

from django.db.models.fields.json import KeyTransform

from catalog.models import Entity, Tag, TeamClosure

Scopes = frozenset[tuple[str, str]]

# scope kind of portal.policy -> kind of entity
KINDS = {"team": "Group", "system": "System", "service": "Component"}


def scope_choices(kind: str) -> list[tuple[str, str]]:
    """[(what a scope of this kind may name, what people call it)]."""
    active = Entity.objects.filter(state=Entity.State.ACTIVE)
    if kind == "tag":
        found = Tag.objects.filter(entity__in=active).order_by("value").distinct()
        return [(value, "") for value in found.values_list("value", flat=True)]
    if kind == "label":
        labels = KeyTransform("labels", KeyTransform("metadata", "document"))
        named = active.annotate(labels=labels).exclude(labels=None)
        every = {label for held in named.values_list("labels", flat=True) for label in _pairs(held)}
        return [(label, "") for label in sorted(every)]
    if kind not in KINDS:
        return []
    entities = active.filter(kind=KINDS[kind]).order_by("ref")
    return [
        (ref, title or name) for ref, title, name in entities.values_list("ref", "title", "name")
    ]


def scopes_of(entity: Entity) -> Scopes:
    """Every (scope kind, scope ref) that covers the entity, for a policy Target; one query.

    Owner, system, tags and labels are the descriptor's own word: whoever can edit it decides them.
    A team and a system are covered by their own scope, too. The teams above come from TeamClosure,
    which sync makes of trusted sources alone; trust is asked again here, for it may have been
    withdrawn. catalog.seen says the same in SQL.
    """
    teams = _teams_of(entity)
    above = teams_above(teams) if teams else {}
    return scopes_below(entity, above)


def scopes_below(entity: Entity, above: Mapping[str, Iterable[str]]) -> Scopes:
    """As scopes_of(), without a query: `above` are the teams above each team."""
    scopes = {("everything", ""), ("service", entity.ref)}
    scopes |= {("tag", tag) for tag in _texts(entity.metadata.get("tags"))}
    scopes |= {("label", label) for label in _pairs(entity.metadata.get("labels"))}
    systems = {entity.system_ref, entity.ref if entity.ref.startswith("system:") else ""}
    scopes |= {("system", ref) for ref in systems if ref}
    for team in _teams_of(entity):
        scopes |= {("team", team), *(("team", ref) for ref in above.get(team, ()))}
    return frozenset(scopes)


def teams_above(teams: Iterable[str] | None = None) -> dict[str, list[str]]:
    """Of these teams, or of all, those that are above them and trusted; one query."""
    rows = TeamClosure.objects.filter(
        descendant__source__trusted_for_org=True,
        ancestor__source__trusted_for_org=True,
        ancestor__state=Entity.State.ACTIVE,
    )
    rows = rows if teams is None else rows.filter(descendant__ref__in=list(teams))
    found: dict[str, list[str]] = {}
    for team, ref in rows.values_list("descendant__ref", "ancestor__ref"):
        found.setdefault(team, []).append(ref)
    return found


def _teams_of(entity: Entity) -> set[str]:
    return {ref for ref in (entity.owner_ref, entity.ref) if ref.startswith("group:")}


def _texts(value: object) -> list[str]:
    """A document is somebody else's: what is no list of texts holds none."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _pairs(value: object) -> list[str]:
    """Labels as a scope names them: "tier=gold"."""
    if not isinstance(value, dict):
        return []
    return [f"{key}={text}" for key, text in value.items() if isinstance(text, str)]
