"""What the catalog's pages share: finding the entity that an address names, and what each says."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest

from catalog.apply import grace
from catalog.entity_queries import issues_of, relations_of, system_and_domain
from catalog.hints import hints_of
from catalog.links import links_of
from catalog.models import Entity
from catalog.origin import origin_of
from catalog.scopes import scopes_of
from catalog.seen import VIEW, Seen, seen_of
from portal.guard import require, require_seen
from portal.policy import Target

PER_PAGE = 50
# With more tags than FOLDED_TAGS, only SHOWN_TAGS are shown at once.
SHOWN_TAGS, FOLDED_TAGS = 8, 11
CATALOG = Target("the catalog")


def seen_or_denied(request: HttpRequest, target: Target = CATALOG) -> Seen:
    """What a list may show to the person; who sees nothing at all is Denied, and told why."""
    seen = seen_of(request)
    if seen.nothing:
        require(request, VIEW, target)
    return seen


def entity_or_404(request: HttpRequest, namespace: str, kind: str, name: str) -> Entity:
    """The entity, where the person may see it; else Http404 with a sentence."""
    ref = f"{kind}:{namespace}/{name}".lower()
    # PostgreSQL refuses to compare with a NUL, which an address may hold.
    found = Entity.objects.filter(ref=ref).select_related("source", "file")
    entity = found.first() if "\x00" not in ref else None
    sentence = (
        f"The catalog has no {kind} called {name} in the namespace {namespace}, or you may not see "
        "it. It may have been renamed, or removed because its descriptor went away."
    )
    if entity is None:
        raise Http404(sentence)
    require_seen(request, VIEW, Target(str(entity), scopes_of(entity)), sentence)
    return entity


def head(request: HttpRequest, entity: Entity) -> dict[str, Any]:
    """What stands above each of an entity's pages, for _entity_head.html."""
    system, domain = system_and_domain(entity, seen_of(request))
    tags = [tag.value for tag in entity.tags.order_by("value")]
    folded = len(tags) > FOLDED_TAGS
    return {
        "entity": entity,
        "system": system,
        "domain": domain,
        "tags": tags[:SHOWN_TAGS] if folded else tags,
        "more_tags": tags[SHOWN_TAGS:] if folded else [],
        "removed_at": entity.gone_at and entity.gone_at + grace(),
    }


def about(
    request: HttpRequest, entity: Entity, but: tuple[str, ...] = ("ownedBy",)
) -> dict[str, Any]:
    """What every entity's own page says."""
    seen = seen_of(request)
    return head(request, entity) | {
        "links": links_of(entity),
        "relations": relations_of(entity, seen, but),
        "issues": issues_of(entity),
        "origin": origin_of(entity, seen),
        "hints": hints_of(entity),
    }


def page_of(request: HttpRequest, found: Any, total: int) -> Page:
    """One page of rows whose total is already known; a wrong page number gives the nearest."""
    paginator = Paginator(found, PER_PAGE)
    paginator.count = total
    return paginator.get_page(request.GET.get("page"))
