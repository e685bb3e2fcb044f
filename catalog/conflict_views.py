"""A person's word on which source a contested name is read from."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalog import names, tasks
from catalog.models import Source
from catalog.pages import entity_or_404
from portal.guard import Denied
from portal.templatetags.ui import entity_url


@require_POST
def conflict_decide(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """Gives the entity's name to the source `source`; its reading takes it."""
    entity = entity_or_404(request, namespace, kind, name)
    slug = request.POST.get("source", "").replace("\x00", "")
    source = Source.objects.filter(slug=slug).first()
    if source is None:
        raise Http404("The source that should have this name does not exist any more.")
    run, decision = names.decide(entity.ref, source, request.user, request)
    if run is None:
        raise Denied(decision)
    tasks.sync_source.delay_on_commit(run.pk)
    return redirect(f"{entity_url(entity.ref)}?run={run.pk}")
