"""The pages of systems and domains: their parts, how those do, and the APIs in between."""

from collections.abc import Collection

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.fleet import domains_in, parts_of
from catalog.models import Entity, Relation
from catalog.owned import by_kind, in_systems
from catalog.pages import about, entity_or_404
from catalog.queries import ROW_FIELDS, names_in
from catalog.seen import Seen, seen_of

SHOWN_APIS = 50
SHOWN_SYSTEMS = 100
SAID = ("ownedBy", "hasPart")


@require_safe
def system_detail(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """A system: how its services do, what it consists of, which APIs it gives and takes."""
    system = entity_or_404(request, namespace, "system", name)
    context = about(request, system, but=SAID)
    context |= by_kind(request, in_systems([system.ref]), {}, system=[system.ref])
    seen = seen_of(request)
    context |= {
        "provided": _apis(seen, [system.ref], "providesApi"),
        "consumed": _apis(seen, [system.ref], "consumesApi", outside=True),
    }
    return render(request, "catalog/system_detail.html", context)


@require_safe
def domain_detail(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """A domain: how its services do, its subdomains and its systems."""
    domain = entity_or_404(request, namespace, "domain", name)
    seen = seen_of(request)
    below = domains_in([domain.ref])[domain.ref]
    inside = parts_of(below, "System")
    refs = {ref for systems in inside.values() for ref in systems}
    found = _rows(seen, "System", refs)
    systems = list(found[:SHOWN_SYSTEMS])
    context = about(request, domain, but=SAID) | {
        "subdomains": list(_rows(seen, "Domain", below - {domain.ref})[:SHOWN_SYSTEMS]),
        "systems": systems,
        "system_total": len(refs) if seen.everything else found.count(),
        "names": names_in(systems, seen),
        "services": seen.among(in_systems(refs)).filter(kind="Component").count(),
    }
    return render(request, "catalog/domain_detail.html", context)


def _rows(seen: Seen, kind: str, refs: Collection[str]) -> QuerySet[Entity]:
    found = seen.entities().filter(kind=kind, ref__in=list(refs)).only(*ROW_FIELDS)
    return found.order_by("name", "ref")


def _apis(
    seen: Seen, system_refs: list[str], relation: str, *, outside: bool = False
) -> list[Relation]:
    """One edge an API that the parts provide or consume; `outside`: of other systems only."""
    edges = Relation.objects.filter(
        type=relation,
        source__kind="Component",
        source__state=Entity.State.ACTIVE,
        source__system_ref__in=system_refs,
    ).select_related("target", "source")
    if not seen.everything:
        edges = edges.filter(source__in=seen.entities())
    if outside:
        edges = edges.exclude(target__system_ref__in=system_refs)
    heavy = ("target__document", "source__document", "target__search_text", "source__search_text")
    found: dict[str, Relation] = {}
    for edge in edges.defer(*heavy).order_by("target_ref", "source__ref")[: SHOWN_APIS * 4]:
        found.setdefault(edge.target_ref, edge)
    shown = list(found.values())[:SHOWN_APIS]
    seen.veil(shown)
    return shown
