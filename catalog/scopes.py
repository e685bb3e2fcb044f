"""Which entities a role mapping's scope may name (hook `scope_choices`)."""

from catalog.models import Entity

# scope kind of portal.policy -> kind of entity
KINDS = {"team": "Group", "system": "System", "service": "Component"}


def scope_choices(kind: str) -> list[tuple[str, str]]:
    """[(entity ref, what people call it)] of every entity that a scope of this kind may name."""
    if kind not in KINDS:
        return []
    found = Entity.objects.filter(kind=KINDS[kind], state=Entity.State.ACTIVE).order_by("ref")
    return [(ref, title or name) for ref, title, name in found.values_list("ref", "title", "name")]
