"""What the catalog's pages show of an entity, usable in the rooms above too."""

from typing import Any

from django import template

from catalog.links import contact_of
from catalog.models import Entity
from catalog.origin import line_url
from catalog.queries import Names

register = template.Library()

RELATION_WORDS = {
    "dependsOn": "Depends on",
    "dependencyOf": "Needed by",
    "providesApi": "Provides APIs",
    "consumesApi": "Consumes APIs",
    "apiProvidedBy": "Provided by",
    "apiConsumedBy": "Consumed by",
    "partOf": "Part of",
    "hasPart": "Consists of",
    "ownedBy": "Owned by",
    "ownerOf": "Owns",
    "childOf": "Team above",
    "parentOf": "Subteams",
    "memberOf": "Member of",
    "hasMember": "Members",
}
CONTACTS = 3


@register.inclusion_tag("catalog/_owner_cell.html")
def owner_cell(entity: Entity) -> dict[str, Any]:
    """The verdict strip's Owner cell: who owns the entity and how to reach them; one query."""
    owner = Entity.objects.filter(ref=entity.owner_ref).first() if entity.owner_ref else None
    contacts = contact_of(owner)[:CONTACTS] if owner else []
    return {"ref": entity.owner_ref, "owner": owner, "contacts": contacts}


@register.filter
def relation_words(relation_type: str) -> str:
    """The relation as a person says it; a type of somebody's own is shown as it is."""
    return RELATION_WORDS.get(relation_type, relation_type)


@register.filter
def relation_verb(relation_type: str) -> str:
    """The same within a sentence: "consumes APIs"."""
    words = relation_words(relation_type)
    return words[:1].lower() + words[1:]


@register.filter
def at_line(url: str, line: int | None) -> str:
    """A file's page at its host, at a line; empty where the address must not become a link."""
    return line_url(url or "", line)


@register.filter
def called(ref: str, names: Names) -> str:
    """What people call the entity of this ref."""
    return names[ref]
