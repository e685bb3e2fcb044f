"""Having an entity read again, and how that goes."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from catalog import tasks
from catalog.pages import entity_or_404
from catalog.refresh import ask, result_of
from portal.fragments import wants_fragment
from portal.guard import Denied
from portal.templatetags.ui import entity_url


@require_http_methods(["GET", "HEAD", "POST"])
def entity_refresh(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """POST asks for a reading; GET with `run` gives htmx what became of it."""
    entity = entity_or_404(request, namespace, kind, name)
    here = entity_url(entity.ref)
    if request.method == "POST":
        run, decision = ask(request.user, entity, request)
        if run is None:
            raise Denied(decision)
        tasks.sync_source.delay_on_commit(run.pk)
        return redirect(f"{here}?run={run.pk}")
    run_id = request.GET.get("run", "")
    result = result_of(entity, run_id)
    if not wants_fragment(request) or result is None:
        return redirect(f"{here}?run={run_id}" if result else here)
    response = render(request, "catalog/_refresh.html", {"entity": entity, "refresh": result})
    if result.changed:
        # What the page says of the entity is old now.
        response["HX-Refresh"] = "true"
    return response
