"""The tabs above an entity's pages: which of them there are, and which is open."""

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.docs.layout import TECHDOCS_ENTITY
from catalog.models import Entity
from portal.templatetags.ui import entity_url

OVERVIEW = "overview"


@dataclass(frozen=True)
class Tab:
    """One page of an entity; `name` is what that page calls itself in `{% entity_tabs %}`."""

    name: str
    label: str
    url: str


def tabs_of(entity: Entity) -> list[Tab]:
    """In reading order; one query, for the docs. None where the entity can have no page."""
    overview = entity_url(entity.ref)
    return list(_tabs(entity, overview)) if overview else []


def _tabs(entity: Entity, overview: str) -> Iterator[Tab]:
    yield Tab(OVERVIEW, "Overview", overview)
    if entity.kind == "Component":
        yield Tab("builds", "Builds", f"{overview}#builds")
    if entity.docs.exists() or TECHDOCS_ENTITY in entity.annotations:
        yield Tab("docs", "Docs", f"{overview}docs/")
    if entity.kind == "API" and entity.spec.get("definition"):
        yield Tab("definition", "Definition", f"{overview}definition/")
    yield Tab("dependencies", "Dependencies", f"{overview}graph/")
    yield Tab("raw", "Raw", f"{overview}raw/")
