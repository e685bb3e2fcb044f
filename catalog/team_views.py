"""The pages of teams: all of them, and one with its people and what it owns."""

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.links import contact_of
from catalog.models import Entity
from catalog.owned import by_kind, owned_by
from catalog.pages import about, entity_or_404, page_of, seen_or_denied
from catalog.problems import problems_of
from catalog.seen import seen_of
from catalog.team_queries import above, members_of, parents_of, refs_below, subteams, teams

# The tree, the table and the list of people say these already.
SAID = ("ownedBy", "ownerOf", "hasMember", "childOf", "parentOf")


@require_safe
def team_list(request: HttpRequest) -> HttpResponse:
    """Every team, with how many people and services it has and how those do."""
    seen = seen_or_denied(request)
    found = seen.among(teams())
    page = page_of(request, found, found.count())
    services = seen.among(owned_by([team.ref for team in page])).filter(kind="Component")
    owned = services.values_list("owner_ref").annotate(count=Count("pk")).order_by("owner_ref")
    context = {"page": page, "owned": dict(owned), "parents": parents_of(page, seen)}
    return render(request, "catalog/team_list.html", context)


@require_safe
def team_detail(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """A team: how its services do, what it owns, its people and the teams around it.

    `?below=1` counts its subteams' people and things in.
    """
    team = entity_or_404(request, namespace, "group", name)
    seen = seen_of(request)
    lower = refs_below(team, seen)
    below = "below" in request.GET
    refs = lower if below else [team.ref]
    keep = {"below": "1"} if below else {}
    context = about(request, team, but=SAID) | by_kind(request, owned_by(refs), keep, owner=refs)
    context |= {
        "contacts": contact_of(team),
        "above": above(team, seen),
        "subteams": subteams(team, lower, seen),
        "below": below,
        "has_below": len(lower) > 1,
        "members": members_of(team, seen, refs),
        "troubled": problems_of(refs, seen),
        "trusted": _trusted(team),
    }
    return render(request, "catalog/team_detail.html", context)


def _trusted(team: Entity) -> bool:
    return bool(team.source and team.source.trusted_for_org)
