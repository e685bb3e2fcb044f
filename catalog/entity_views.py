"""The pages of one entity: services, every other kind, and the descriptor itself."""

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from catalog.highlight import lines_of
from catalog.models import Entity
from catalog.origin import origin_of
from catalog.pages import about, entity_or_404, head
from catalog.repository_panel import repository_panel
from catalog.seen import seen_of
from catalog.yaml_text import yaml_text
from portal.templatetags.ui import entity_url

# Their specs are said in words; every other kind's is shown as it is written.
SAID = {"Component", "API", "Resource", "System", "Domain", "Group", "User"}
# More than that is on the Raw page only.
SHOWN_SPEC = 20_000
SHOWN_RAW = 300_000


@require_safe
def service_detail(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """A component: is it broken, whose is it, what ran, what may you do; then what it is."""
    entity = entity_or_404(request, namespace, "component", name)
    context = about(request, entity) | repository_panel(entity)
    return render(request, "catalog/service_detail.html", context)


@require_safe
def entity_detail(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """An entity of any other kind, plainly; another spelling of a ref leads to its page."""
    canonical = entity_url(f"{kind}:{namespace}/{name}".lower())
    if canonical and canonical != request.path:
        return redirect(canonical, permanent=True)
    entity = entity_or_404(request, namespace, kind, name)
    context = about(request, entity) | {"spec_lines": _spec_lines(entity)}
    return render(request, "catalog/entity_detail.html", context)


@require_safe
def entity_raw(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """The descriptor as it was read, placeholders resolved: YAML on a page, or `?format=json`."""
    entity = entity_or_404(request, namespace, kind, name)
    wanted = request.GET.get("format")
    if wanted == "json":
        text = json.dumps(entity.document, indent=2, ensure_ascii=False)
        return HttpResponse(text + "\n", content_type="application/json; charset=utf-8")
    text = yaml_text(entity.document)
    if wanted == "yaml":
        return HttpResponse(text, content_type="text/plain; charset=utf-8")
    context = {
        "lines": lines_of(text[:SHOWN_RAW].removesuffix("\n"), "yaml"),
        "is_cut": len(text) > SHOWN_RAW,
        "origin": origin_of(entity, seen_of(request)),
    }
    return render(request, "catalog/entity_raw.html", head(request, entity) | context)


def _spec_lines(entity: Entity) -> list[SafeString]:
    if entity.kind in SAID and entity.state != Entity.State.UNSUPPORTED:
        return []
    spec = entity.document.get("spec")
    text = yaml_text(spec) if spec else ""
    return lines_of(text.removesuffix("\n"), "yaml") if 0 < len(text) <= SHOWN_SPEC else []
