"""The documentation of an entity, page by page."""

from functools import partial

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from catalog.docs.layout import TECHDOCS_ENTITY, TECHDOCS_REF
from catalog.docs.links import docs_url, resolve
from catalog.docs.rendering import render as rendered
from catalog.models import DocPage, Entity
from catalog.pages import entity_or_404, head
from catalog.seen import Seen, seen_of


@require_safe
def entity_docs(
    request: HttpRequest, namespace: str, kind: str, name: str, page: str = ""
) -> HttpResponse:
    """One page of its documentation, with the others beside it; without a path the first."""
    entity = entity_or_404(request, namespace, kind, name)
    pages = list(DocPage.objects.filter(entity=entity).defer("text"))
    if not pages:
        return _without(request, entity, page)
    shown = _shown(pages, page)
    if page and shown.path != page:
        return redirect(docs_url(entity, shown.path))
    text = DocPage.objects.values_list("text", flat=True).get(pk=shown.pk)
    paths = {found.path for found in pages}
    made = rendered(text, partial(resolve, entity, shown, paths))
    context = head(request, entity) | {
        "page": shown,
        "pages": [(found, docs_url(entity, found.path)) for found in pages],
        "html": mark_safe(made.html),  # noqa: S308, sanitised by docs/rendering.py
        "outline": [heading for heading in made.outline if heading.level > 1],
        "plain": made.plain,
    }
    return render(request, "catalog/entity_docs.html", context)


def _shown(pages: list[DocPage], path: str) -> DocPage:
    """The page of this path; Backstage's own addresses, without .md, lead to it as well."""
    if not path:
        return pages[0]
    by_path = {page.path: page for page in pages}
    plain = path.rstrip("/")
    for name in (path, plain, f"{plain}.md", f"{plain}/index.md"):
        if name in by_path:
            return by_path[name]
    raise Http404(
        f"This documentation has no page {path}. It may have been renamed or removed; "
        "those that there are stand beside its first page."
    )


def _without(request: HttpRequest, entity: Entity, page: str) -> HttpResponse:
    """It has no pages of its own: another entity's are named, or how to add some is said."""
    other = _documented_by(entity, seen_of(request))
    if other is not None and other.docs.exists():
        return redirect(docs_url(other, page))
    if page:
        raise Http404(f"{entity} has no documentation in the catalog.")
    return render(
        request, "catalog/entity_docs.html", head(request, entity) | {"key": TECHDOCS_REF}
    )


def _documented_by(entity: Entity, seen: Seen) -> Entity | None:
    named = entity.annotations.get(TECHDOCS_ENTITY)
    if not isinstance(named, str):
        return None
    return seen.entities().filter(ref=named.strip().lower()).exclude(pk=entity.pk).first()
