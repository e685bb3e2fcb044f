"""The catalog's list: facets, search, rows and their build states."""

from dataclasses import replace
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from catalog.facets import chips, kind_choices, named, value_facets
from catalog.forms import ANY_KIND, KINDS, MISSING, Filters, read_filters
from catalog.models import Entity
from catalog.pages import CATALOG, PER_PAGE, page_of
from catalog.queries import listed, names_of, rows
from portal.fragments import render_either, wants_fragment
from portal.guard import require

# Kinds of things that nothing is built from: their lists have no state column.
WITHOUT_BUILDS = {"Group", "User", "Domain", "Location"}


@require_safe
def entity_list(request: HttpRequest) -> HttpResponse:
    """The catalog: facets, search and 50 rows a page; htmx gets the table with its facets."""
    require(request, "catalog.view", CATALOG)
    filters, problems = read_filters(request.GET)
    context = _list_context(request, filters)
    fragment = wants_fragment(request)
    context |= {"problems": problems, "fragment": fragment}
    response = render_either(
        request, "catalog/entity_list.html", "catalog/_entity_table.html", context
    )
    if fragment:
        address = reverse("catalog:entity_list") + filters.query().rstrip("?")
        # The same filters again are no step that "back" should undo.
        same = address == request.htmx.current_url_abs_path
        response["HX-Push-Url"] = "false" if same else address
    return response


def _list_context(request: HttpRequest, filters: Filters) -> dict[str, Any]:
    totals = listed(filters).aggregate(
        all=Count("pk"), missing=Count("pk", filter=Q(state=Entity.State.MISSING))
    )
    page = page_of(request, rows(filters), totals["all"])
    expand = request.GET.get("expand", "")
    facets = value_facets(filters, expand)
    shown = [ref for row in page for ref in (row.owner_ref, row.system_ref)]
    offered = [c.value for facet in facets if facet.name == "owner" for c in facet.choices]
    names = names_of([*shown, *offered, *filters.owner, filters.system])
    return {
        "filters": filters,
        "page": page,
        "entities": page.object_list,
        "missing": totals["missing"],
        "kinds": kind_choices(filters),
        "count_words": _count_words(totals["all"], filters.kind),
        "facets": named(facets, names),
        "chips": chips(filters, names),
        "names": names,
        "without_states": filters.kind in WITHOUT_BUILDS,
        "states_wanted": "states" in request.GET,
        "states_query": filters.query(page=page.number, states=1),
        "missing_query": replace(filters, state=MISSING).query(),
        "any_query": filters.with_kind(ANY_KIND).query(),
        "previous_query": filters.query(page=page.number - 1),
        "next_query": filters.query(page=page.number + 1),
    }


def _count_words(count: int, kind: str) -> str:
    words = "entities" if kind == ANY_KIND else KINDS.get(kind, f"of kind {kind}")
    if count == 1:
        words = "entity" if kind == ANY_KIND else words.removesuffix("s")
    return f"{count} {words}"


@require_safe
def entity_states(request: HttpRequest) -> HttpResponse:
    """The build states of the rows on a page, `?ids=1,2,3`, as out-of-band cells."""
    require(request, "catalog.view", CATALOG)
    words = request.GET.get("ids", "").split(",")[:PER_PAGE]
    ids = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 19]
    entities = list(Entity.objects.filter(pk__in=ids).only("ref", "kind", "state"))
    return render(request, "catalog/_entity_states.html", {"entities": entities})
