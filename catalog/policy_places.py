"""What permissions of the catalog are about: every entity, and the catalog as a whole (hook
`policy_places`)."""

from collections.abc import Iterator

from catalog.models import Entity
from catalog.scopes import Scopes, scopes_below, teams_above
from portal.policy import Target
from portal.policy.effects import Place

OF_ENTITIES = frozenset({"catalog.view", "entity.refresh"})
OF_OWNERS = OF_ENTITIES | {"role.grant"}
# Asked about no entity, so that only a role for everything gives them.
OF_ALL = frozenset(
    {"catalog.view", "build.view", "source.sync", "source.register", "source.decide", "policy.view"}
)


def policy_places(ref: str = "") -> list[Place]:
    """Three queries, whatever the number of entities."""
    everything = Place(("all",), "the portal itself", OF_ALL, Target(""), about_no_build=True)
    return [*([] if ref else [everything]), *_of_entities(ref)]


def entity_scopes(ref: str = "", kind: str = "") -> Iterator[tuple[Entity, Scopes]]:
    """Each entity with what covers it, loaded with what that and its name take; two queries."""
    above = teams_above()
    found = Entity.objects.only(
        "ref", "kind", "name", "title", "owner_ref", "system_ref", "document"
    )
    found = found.filter(ref=ref) if ref else found
    for entity in found.filter(kind=kind) if kind else found:
        yield entity, scopes_below(entity, above)


def _of_entities(ref: str) -> Iterator[Place]:
    for entity, scopes in entity_scopes(ref):
        permissions = OF_OWNERS if entity.kind in ("Component", "Group") else OF_ENTITIES
        label = str(entity)
        target = Target(label, scopes)
        yield Place(("entity", entity.ref), label, permissions, target, about_no_build=True)
