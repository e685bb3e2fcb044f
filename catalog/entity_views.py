"""The pages of one entity: services, every other kind, and the descriptor itself."""

import json

import yaml
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from catalog.forms import ANY_KIND, Filters
from catalog.pages import about, entity_or_404, head, table
from portal.templatetags.ui import entity_url


@require_safe
def service_detail(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """A component: is it broken, whose is it, what ran, what may you do; then what it is."""
    entity = entity_or_404(request, namespace, "component", name)
    return render(request, "catalog/service_detail.html", about(entity))


@require_safe
def entity_detail(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """An entity of any other kind, plainly; another spelling of a ref leads to its page."""
    canonical = entity_url(f"{kind}:{namespace}/{name}".lower())
    if canonical and canonical != request.path:
        return redirect(canonical, permanent=True)
    entity = entity_or_404(request, namespace, kind, name)
    context = {}
    if entity.kind == "System":
        context = table(request, Filters(kind=ANY_KIND, system=entity.ref))
    but = ("ownedBy", "hasPart") if entity.kind == "System" else ("ownedBy",)
    return render(request, "catalog/entity_detail.html", about(entity, but) | context)


@require_safe
def entity_raw(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """The descriptor as it was read, placeholders resolved: YAML on a page, or `?format=json`."""
    entity = entity_or_404(request, namespace, kind, name)
    if request.GET.get("format") == "json":
        text = json.dumps(entity.document, indent=2, ensure_ascii=False)
        return HttpResponse(text + "\n", content_type="application/json; charset=utf-8")
    text = yaml.safe_dump(entity.document, sort_keys=False, allow_unicode=True, width=100)
    return render(request, "catalog/entity_raw.html", head(entity) | {"text": text})
