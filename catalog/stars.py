"""Stars: a person's own marks on entities. They give no right and are nobody else's business."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from catalog.models import Entity, Star
from catalog.pages import entity_or_404
from portal import audit
from portal.guard import actor_of

audit.register("entity.star", "starred an entity")
audit.register("entity.unstar", "took a star off an entity")


@require_POST
def entity_star(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """Sets the star or takes it away; htmx gets the button anew, a plain form the page again."""
    entity = entity_or_404(request, namespace, kind, name)
    starred = toggle(request, entity)
    if request.htmx:
        return render(request, "catalog/_star.html", {"entity": entity, "starred": starred})
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure())
    return redirect(back if safe else "catalog:entity_list")


def is_starred(user: object, entity: Entity) -> bool:
    """Whether the person has starred it; one query."""
    return isinstance(user, User) and Star.objects.filter(user=user, entity_ref=entity.ref).exists()


def toggle(request: HttpRequest, entity: Entity) -> bool:
    """Whether the entity has the person's star now."""
    user = actor_of(request).user_id
    removed, _ = Star.objects.filter(user=user, entity_ref=entity.ref).delete()
    if not removed:
        Star.objects.get_or_create(user_id=user, entity_ref=entity.ref)
    action = "entity.unstar" if removed else "entity.star"
    audit.record(action, actor=actor_of(request), target=entity.ref, request=request)
    return not removed
