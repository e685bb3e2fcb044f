"""What the catalog's pages show of an entity, usable in the rooms above too."""

from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from catalog.forms import WITHOUT_BUILDS
from catalog.graph import Node
from catalog.links import contact_of
from catalog.models import Entity
from catalog.origin import line_url
from catalog.queries import Names
from catalog.seen import seen_of
from portal.templatetags.ui import entity_url, ref_link

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


@register.inclusion_tag("catalog/_owner_cell.html", takes_context=True)
def owner_cell(context: Context, entity: Entity) -> dict[str, Any]:
    """The verdict strip's Owner cell: who owns the entity and how to reach them; one query."""
    seen = seen_of(context["request"])
    owner = seen.entities().filter(ref=entity.owner_ref).first() if entity.owner_ref else None
    contacts = contact_of(owner)[:CONTACTS] if owner else []
    return {
        "ref": entity.owner_ref,
        "owner": owner,
        "contacts": contacts,
        "sees_all": seen.everything,
    }


@register.simple_tag(takes_context=True)
def dangling(context: Context) -> SafeString:
    """Beside a ref that leads nowhere: nobody describes it, or the reader may not see it."""
    if seen_of(context["request"]).everything:
        return mark_safe('<span class="tag tag--warning">not in the catalog</span>')
    return mark_safe('<span class="tag">not in what you may see</span>')


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
def is_built(entity: Entity) -> bool:
    """Whether anything could be built of it: of people and teams nothing is said instead."""
    return entity.kind not in WITHOUT_BUILDS


@register.simple_tag
def named_link(ref: str, names: Names) -> SafeString:
    """A link to the entity, by what people call it; what is not among the names is no link."""
    if ref in names:
        return ref_link(ref, names[ref])
    return format_html('<span title="{}">{}</span>', ref, names[ref])


@register.simple_tag(takes_context=True)
def node_link(context: Context, node: Node) -> SafeString:
    """A graph's node in words; one that nobody describes, or the reader may not see, is no link."""
    if node.state:
        return ref_link(node.ref, node.label)
    return format_html('<span class="mono">{}</span> {}', node.label, dangling(context))


@register.simple_tag
def star_button(entity: Entity, starred: bool) -> SafeString:
    """The star; a list has fifty, so it is no template. _star.html is the same, for htmx."""
    return format_html(
        '<button class="star" id="star-{0}" type="submit" form="star-form" formaction="{1}star/"'
        ' hx-post="{1}star/" hx-target="this" hx-swap="outerHTML" aria-pressed="{2}"'
        ' aria-label="Star {3}" title="{4}"></button>',
        entity.pk,
        entity_url(entity.ref),
        "true" if starred else "false",
        entity,
        "Take the star away" if starred else "Find it again under Starred",
    )
