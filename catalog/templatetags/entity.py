"""What stands in the head of each of an entity's pages, whichever view draws it."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.db.models import Q
from django.template import Context
from django.utils import timezone

from catalog.models import Entity, SourceFile
from catalog.names import PERMISSION, Claimant, Conflict, conflicts_of
from catalog.refresh import decide_for, result_of
from catalog.register import can_unregister
from catalog.register import decide_for as decide_to_register
from catalog.stars import is_starred
from catalog.tabs import OVERVIEW, tabs_of
from portal.guard import actor_of
from portal.policy import Target, decide

register = template.Library()


@dataclass(frozen=True)
class Side:
    """One of the places that describe a contested name."""

    claimant: Claimant
    holds: bool
    can_take: bool
    is_chosen: bool
    file_url: str


@register.inclusion_tag("catalog/_entity_tabs.html")
def entity_tabs(entity: Entity, current: str = "") -> dict[str, Any]:
    """The tabs of an entity's pages, with the open one marked; one query."""
    return {"tabs": tabs_of(entity), "current": current or OVERVIEW}


@register.inclusion_tag("catalog/_entity_actions.html", takes_context=True)
def entity_actions(context: Context, entity: Entity) -> dict[str, Any]:
    """The buttons beside its name; two queries, for its star and for the scopes that cover it."""
    request = context["request"]
    return {
        "entity": entity,
        "request": request,
        "starred": is_starred(request.user, entity),
        "may_refresh": decide_for(actor_of(request), entity),
        "csrf_token": context.get("csrf_token"),
    }


@register.simple_tag(takes_context=True)
def may_remove(context: Context, entity: Entity) -> bool:
    """Whether the person can have its source read no more; the page would tell others only why."""
    source = entity.source
    if source is None or not can_unregister(source):
        return False
    return decide_to_register(actor_of(context["request"])).allowed


@register.inclusion_tag("catalog/_refresh.html", takes_context=True)
def refresh_result(context: Context, entity: Entity) -> dict[str, Any]:
    """What became of the reading that the address names, `?run=7`; no query without one."""
    run_id = context["request"].GET.get("run", "")
    return {"entity": entity, "refresh": result_of(entity, run_id) if run_id else None}


@register.inclusion_tag("catalog/_conflict.html", takes_context=True)
def name_conflict(context: Context, entity: Entity) -> dict[str, Any]:
    """Who else claims its name; one query where nobody does."""
    conflict = conflicts_of(entity.ref)
    if conflict is None:
        return {}
    actor, target = actor_of(context["request"]), Target(entity.ref)
    sides = _sides(conflict)
    return {
        "entity": entity,
        "conflict": conflict,
        "sides": sides,
        "same_source": any(not side.holds and not side.can_take for side in sides),
        "may_decide": decide(actor, PERMISSION, target, now=timezone.now()).allowed,
        "csrf_token": context.get("csrf_token"),
    }


def _sides(conflict: Conflict) -> list[Side]:
    holder = conflict.holder
    every = [*([holder] if holder else []), *conflict.claimants]
    wanted = Q()
    for claimant in every:
        wanted |= Q(source=claimant.source, location=claimant.location)
    files = SourceFile.objects.filter(wanted).values_list("source", "location", "url")
    urls = {(source, location): url for source, location, url in files}
    chosen = conflict.decision.source if conflict.decision else None
    return [
        Side(
            claimant=claimant,
            holds=claimant is holder,
            can_take=claimant.source is not None
            and (holder is None or claimant.source != holder.source),
            is_chosen=chosen is not None and claimant.source == chosen,
            file_url=urls.get(
                (claimant.source.pk if claimant.source else None, claimant.location), ""
            ),
        )
        for claimant in every
    ]
