"""The page of an API's definition: its operations, an outline, its text; and the text alone."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from catalog.api_definition import read_definition
from catalog.highlight import lines_of
from catalog.pages import entity_or_404, head


@require_safe
def entity_definition(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """What the API offers; `?format=raw` downloads all of its text."""
    entity = entity_or_404(request, namespace, kind, name)
    value = entity.spec.get("definition")
    if entity.kind != "API" or not value:
        raise Http404(f"{entity} has no API definition.")
    definition = read_definition(value, entity.type)
    if request.GET.get("format") == "raw":
        response = HttpResponse(definition.text, content_type="text/plain; charset=utf-8")
        file = f"{entity.name}.{definition.extension}"
        response["Content-Disposition"] = content_disposition_header(True, file) or ""
        return response
    lines = lines_of(definition.shown.removesuffix("\n"), definition.language)
    context = {"definition": definition, "lines": lines}
    return render(request, "catalog/entity_definition.html", head(request, entity) | context)
