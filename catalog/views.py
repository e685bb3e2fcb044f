"""The catalog's pages: the list, services, teams and every other kind of entity."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import yaml
from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from catalog.facets import chips, kind_choices, named, value_facets
from catalog.forms import ANY_KIND, KINDS, MISSING, Filters, read_filters
from catalog.links import contact_of, links_of
from catalog.models import Entity
from catalog.queries import (
    issues_of,
    listed,
    members_of,
    names_in,
    names_of,
    relations_of,
    rows,
    scopes_of,
    system_and_domain,
    teams,
)
from portal.fragments import render_either, wants_fragment
from portal.guard import require
from portal.policy import Target
from portal.templatetags.ui import entity_url

PER_PAGE = 50
CATALOG = Target("the catalog")
# Kinds of things that nothing is built from: their lists have no state column.
WITHOUT_BUILDS = {"Group", "User", "Domain", "Location"}


# --- Lists -----------------------------------------------------------------------------------
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
    page = _page(request, rows(filters), totals["all"])
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


def _page(request: HttpRequest, found: Any, total: int) -> Page:
    """One page of rows whose total is already known; a wrong page number gives the nearest."""
    paginator = Paginator(found, PER_PAGE)
    paginator.count = total
    return paginator.get_page(request.GET.get("page"))


@require_safe
def entity_states(request: HttpRequest) -> HttpResponse:
    """The build states of the rows on a page, `?ids=1,2,3`, as out-of-band cells."""
    require(request, "catalog.view", CATALOG)
    words = request.GET.get("ids", "").split(",")[:PER_PAGE]
    ids = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 19]
    entities = list(Entity.objects.filter(pk__in=ids).only("ref", "kind", "state"))
    return render(request, "catalog/_entity_states.html", {"entities": entities})


@require_safe
def team_list(request: HttpRequest) -> HttpResponse:
    """Every team, with how many people and services it has."""
    require(request, "catalog.view", CATALOG)
    found = teams()
    page = _page(request, found, found.count())
    refs = [team.ref for team in page]
    owned = (
        listed(Filters(owner=tuple(refs)))
        .values_list("owner_ref")
        .annotate(count=Count("pk"))
        .order_by("owner_ref")
    )
    return render(request, "catalog/team_list.html", {"page": page, "owned": dict(owned)})


# --- One entity ------------------------------------------------------------------------------
@require_safe
def service_detail(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """A component: is it broken, whose is it, what ran, what may you do; then what it is."""
    entity = _entity(request, namespace, "component", name)
    system, domain = system_and_domain(entity)
    context = {"system": system, "domain": domain}
    return render(request, "catalog/service_detail.html", _about(entity) | context)


@require_safe
def team_detail(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """A team: its people, the teams around it and the services it owns."""
    team = _entity(request, namespace, "group", name)
    context = {"members": members_of(team), "contacts": contact_of(team)}
    context |= _table(request, Filters(owner=(team.ref,)))
    hidden = ("ownerOf", "hasMember")
    return render(request, "catalog/team_detail.html", _about(team, but=hidden) | context)


@require_safe
def entity_detail(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """An entity of any other kind, plainly; another spelling of a ref leads to its page."""
    canonical = entity_url(f"{kind}:{namespace}/{name}".lower())
    if canonical and canonical != request.path:
        return redirect(canonical, permanent=True)
    entity = _entity(request, namespace, kind, name)
    system, domain = system_and_domain(entity)
    context = {"system": system, "domain": domain}
    if entity.kind == "System":
        context |= _table(request, Filters(kind=ANY_KIND, system=entity.ref))
    but = ("ownedBy", "hasPart") if entity.kind == "System" else ("ownedBy",)
    return render(request, "catalog/entity_detail.html", _about(entity, but) | context)


@require_safe
def entity_raw(request: HttpRequest, namespace: str, kind: str, name: str) -> HttpResponse:
    """The descriptor as it was read, placeholders resolved: YAML on a page, or `?format=json`."""
    entity = _entity(request, namespace, kind, name)
    if request.GET.get("format") == "json":
        text = json.dumps(entity.document, indent=2, ensure_ascii=False)
        return HttpResponse(text + "\n", content_type="application/json; charset=utf-8")
    text = yaml.safe_dump(entity.document, sort_keys=False, allow_unicode=True, width=100)
    return render(request, "catalog/entity_raw.html", {"entity": entity, "text": text})


def _entity(request: HttpRequest, namespace: str, kind: str, name: str) -> Entity:
    """The entity, where the person may see it; Http404 with a sentence, or Denied."""
    ref = f"{kind}:{namespace}/{name}".lower()
    # PostgreSQL refuses to compare with a NUL, which an address may hold.
    found = Entity.objects.filter(ref=ref).select_related("source")
    entity = found.first() if "\x00" not in ref else None
    if entity is None:
        raise Http404(
            f"The catalog has no {kind} called {name} in the namespace {namespace}. "
            "It may have been renamed, or removed because its descriptor went away."
        )
    require(request, "catalog.view", Target(str(entity), scopes_of(entity)))
    return entity


def _table(request: HttpRequest, filters: Filters) -> dict[str, Any]:
    """The first rows that the filters let through, for _rows.html on an entity's own page."""
    entities = list(rows(filters)[:PER_PAGE])
    return {
        "entities": entities,
        "names": names_in(entities),
        "total": listed(filters).count(),
        "all_query": filters.query(),
        "states_wanted": "states" in request.GET,
    }


def _about(entity: Entity, but: tuple[str, ...] = ("ownedBy",)) -> dict[str, Any]:
    """What every entity's page says."""
    return {
        "entity": entity,
        "tags": [tag.value for tag in entity.tags.order_by("value")],
        "links": links_of(entity),
        "relations": relations_of(entity, but),
        "issues": issues_of(entity),
        "removed_at": entity.gone_at
        and entity.gone_at + timedelta(seconds=settings.CATALOG_REMOVE_AFTER_SECONDS),
    }
