"""The pages of systems and domains: their parts, how those do, and the APIs in between."""

from collections.abc import Collection

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.fleet import domains_in, parts_of
from catalog.models import Entity, Relation
from catalog.owned import by_kind, in_systems
from catalog.pages import about, entity_or_404
from catalog.queries import ROW_FIELDS, names_in

SHOWN_APIS = 50
SHOWN_SYSTEMS = 100
SAID = ("ownedBy", "hasPart")


@require_safe
def system_detail(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """A system: how its services do, what it consists of, which APIs it gives and takes."""
    system = entity_or_404(request, namespace, "system", name)
    context = about(system, but=SAID)
    context |= by_kind(request, in_systems([system.ref]), {}, system=[system.ref])
    context |= {
        "provided": _apis([system.ref], "providesApi"),
        "consumed": _apis([system.ref], "consumesApi", outside=True),
    }
    return render(request, "catalog/system_detail.html", context)


@require_safe
def domain_detail(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """A domain: how its services do, its subdomains and its systems."""
    domain = entity_or_404(request, namespace, "domain", name)
    below = domains_in([domain.ref])[domain.ref]
    inside = parts_of(below, "System")
    refs = {ref for systems in inside.values() for ref in systems}
    systems = list(_rows("System", refs)[:SHOWN_SYSTEMS])
    context = about(domain, but=SAID) | {
        "subdomains": list(_rows("Domain", below - {domain.ref})[:SHOWN_SYSTEMS]),
        "systems": systems,
        "system_total": len(refs),
        "names": names_in(systems),
        "services": in_systems(refs).filter(kind="Component").count(),
    }
    return render(request, "catalog/domain_detail.html", context)


def _rows(kind: str, refs: Collection[str]) -> list[Entity]:
    found = Entity.objects.filter(kind=kind, ref__in=list(refs)).only(*ROW_FIELDS)
    return list(found.order_by("name", "ref"))


def _apis(system_refs: list[str], relation: str, *, outside: bool = False) -> list[Relation]:
    """One edge an API that the parts provide or consume; `outside`: of other systems only."""
    edges = Relation.objects.filter(
        type=relation,
        source__kind="Component",
        source__state=Entity.State.ACTIVE,
        source__system_ref__in=system_refs,
    ).select_related("target", "source")
    if outside:
        edges = edges.exclude(target__system_ref__in=system_refs)
    heavy = ("target__document", "source__document", "target__search_text", "source__search_text")
    found: dict[str, Relation] = {}
    for edge in edges.defer(*heavy).order_by("target_ref", "source__ref")[: SHOWN_APIS * 4]:
        found.setdefault(edge.target_ref, edge)
    return list(found.values())[:SHOWN_APIS]
