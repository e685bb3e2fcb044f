"""What the catalog adds to the portal's own pages (hook `page_panels`)."""

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from catalog.forms import DEFAULT_KIND, Filters
from catalog.mine import Mine
from catalog.models import Entity
from catalog.people import teams_of
from catalog.problems import troubled
from catalog.queries import names_in, rows
from catalog.seen import seen_of

SHOWN_SERVICES = 25
SHOWN_TROUBLED = 5


def home_teams(place: str, request: HttpRequest, objects: list[Any]) -> dict[Any, SafeString]:
    """The services of the person's teams; before there are any, where to begin."""
    if place != "home_teams":
        return {}
    return {user.pk: _my_services(request, user) for user in objects}


def _my_services(request: HttpRequest, user: Any) -> SafeString:
    # Being in a team is no role: what home shows of it and of its services needs one.
    seen = seen_of(request)
    teams = list(seen.among(teams_of(user)).only("ref", "title", "name"))
    refs = [team.ref for team in teams]
    filters = Filters(owner=tuple(refs))
    wrong = troubled(refs, seen) if teams else Entity.objects.none()
    services = list(rows(filters, Mine(seen))[: SHOWN_SERVICES + 1]) if teams else []
    context = {
        "teams": teams,
        "one_team": len(teams) == 1,
        "troubled": list(wrong[:SHOWN_TROUBLED]),
        "troubled_total": wrong.count(),
        "entities": services[:SHOWN_SERVICES],
        "more": len(services) > SHOWN_SERVICES,
        "all_query": filters.query(),
        "names": names_in(services, seen),
        "catalog_is_empty": not services and not Entity.objects.filter(kind=DEFAULT_KIND).exists(),
        "states_wanted": "states" in request.GET,
    }
    return render_to_string("catalog/_home_teams.html", context, request)
