"""The pages of teams: all of them, and one with its people and services."""

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.forms import Filters
from catalog.links import contact_of
from catalog.pages import CATALOG, about, entity_or_404, page_of, table
from catalog.queries import listed
from catalog.team_queries import members_of, teams
from portal.guard import require


@require_safe
def team_list(request: HttpRequest) -> HttpResponse:
    """Every team, with how many people and services it has."""
    require(request, "catalog.view", CATALOG)
    found = teams()
    page = page_of(request, found, found.count())
    refs = [team.ref for team in page]
    owned = (
        listed(Filters(owner=tuple(refs)))
        .values_list("owner_ref")
        .annotate(count=Count("pk"))
        .order_by("owner_ref")
    )
    return render(request, "catalog/team_list.html", {"page": page, "owned": dict(owned)})


@require_safe
def team_detail(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """A team: its people, the teams around it and the services it owns."""
    team = entity_or_404(request, namespace, "group", name)
    context = {"members": members_of(team), "contacts": contact_of(team)}
    context |= table(request, Filters(owner=(team.ref,)))
    hidden = ("ownerOf", "hasMember")
    return render(request, "catalog/team_detail.html", about(team, but=hidden) | context)
