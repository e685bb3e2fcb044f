"""The page of a person: their teams, and what they own through them."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.links import contact_of
from catalog.models import Entity
from catalog.owned import by_kind, owned_by
from catalog.pages import about, entity_or_404
from catalog.seen import seen_of
from catalog.team_queries import teams_of_person
from portal.access import display_name
from portal.models import UserLink

SAID = ("ownedBy", "ownerOf", "memberOf")


@require_safe
def user_detail(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    """A person: profile, teams, and what they and their teams own."""
    person = entity_or_404(request, namespace, "user", name)
    teams = list(teams_of_person(person))
    shown = seen_of(request).shown(team for team, _ in teams)
    teams = [pair for pair in teams if pair[0] in shown]
    refs = [person.ref, *(team.ref for team, direct in teams if direct)]
    context = about(request, person, but=SAID) | by_kind(request, owned_by(refs), {}, owner=refs)
    context |= {
        "contacts": contact_of(person),
        "teams": teams,
        "account": _account(request, person),
    }
    return render(request, "catalog/user_detail.html", context)


def _account(request: HttpRequest, person: Entity) -> dict[str, object] | None:
    """Whose account here this is: for that person, and for who administers accounts."""
    link = UserLink.objects.filter(user_ref=person.ref).select_related("user").first()
    if link is None or not isinstance(request.user, User):
        return None
    mine = link.user_id == request.user.pk
    if not (mine or request.user.has_perm("auth.view_user")):
        return None
    return {"name": display_name(link.user), "user": link.user, "mine": mine, "how": link.how}
