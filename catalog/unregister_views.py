"""Taking an entity out of the catalog: what goes with it, what happens then, and where to do it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from catalog import register
from catalog.apply import grace
from catalog.models import Entity
from catalog.origin import origin_of
from catalog.pages import entity_or_404, head
from catalog.seen import seen_of
from portal.guard import actor_of
from portal.templatetags.ui import entity_url

SHOWN = 200


@require_http_methods(["GET", "HEAD", "POST"])
def entity_unregister(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """Lists what goes; POST takes the entity's source away where a person registered it."""
    entity = entity_or_404(request, namespace, kind, name)
    problem = ""
    if request.method == "POST" and entity.source is not None:
        try:
            count = register.unregister(entity.source, request.user, request)
        except register.Refused as refused:
            problem = str(refused)
        else:
            marked = _marked(count if seen_of(request).everything else None)
            messages.success(request, f"{entity.source} is not read any more. {marked}")
            return redirect(entity_url(entity.ref))
    context = head(request, entity) | _what_goes(request, entity) | {"problem": problem}
    status = 422 if problem else 200
    return render(request, "catalog/entity_unregister.html", context, status=status)


def _what_goes(request: HttpRequest, entity: Entity) -> dict[str, Any]:
    source = entity.source
    here = source is not None and register.can_unregister(source)
    goes = register.what_goes(source) if here and source is not None else Entity.objects.none()
    seen = seen_of(request)
    shown = seen.among(goes)
    return {
        "here": here,
        "goes": shown[:SHOWN],
        "total": shown.count(),
        "all_shown": seen.everything,
        "decision": register.decide_for(actor_of(request)) if here else None,
        "origin": origin_of(entity, seen),
        "grace": grace().total_seconds(),
    }


def _marked(count: int | None) -> str:
    """`count` is None for who may not see them all."""
    what = "Its entity is" if count == 1 else f"Its {count} entities are"
    what = "What it describes is" if count is None else what
    return f"{what} marked as gone and removed later."
