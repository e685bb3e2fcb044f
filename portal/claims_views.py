"""The claims inspector: what arrived at a sign-in, for oneself and for who looks after access."""

from typing import Any

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portal import audit
from portal.access import display_name
from portal.claims_report import GroupRow, provider_name, report_of
from portal.guard import require
from portal.models import Identity
from portal.policy import Target

PER_PAGE = 100

audit.register("claims.view", "looked at what arrived when somebody signed in")


@never_cache
@require_safe
def account_claims(request: HttpRequest) -> HttpResponse:
    """What arrived when I signed in, and what it became."""
    return render(request, "portal/account_claims.html", _context(request, request.user))


@never_cache
@require_safe
def person_claims(request: HttpRequest, pk: int) -> HttpResponse:
    """The same of somebody else: for administrators, and for who may see who may do what."""
    if not (request.user.is_superuser and request.user.is_staff):
        require(request, "policy.view", Target("what arrived when somebody signed in"))
    person = get_object_or_404(User, pk=pk)
    audit.record("claims.view", user=request.user, request=request, target=display_name(person))
    return render(request, "portal/person_claims.html", _context(request, person))


def _context(request: HttpRequest, person: Any) -> dict[str, Any]:
    """Of the account that is asked for, by default the one that was used last."""
    identities = list(Identity.objects.filter(user=person).order_by("-seen_at", "pk"))
    chosen = [item for item in identities if str(item.pk) == request.GET.get("account")]
    identity = next(iter(chosen or identities), None)
    report = report_of(identity) if identity else None
    wanted = request.GET.get("q", "").strip()[:150]
    rows = [row for row in report.groups if _holds(row, wanted.lower())] if report else []
    return {
        "person": person,
        "person_name": display_name(person),
        "own": person == request.user,
        "accounts": [(item, provider_name(item)) for item in identities],
        "identity": identity,
        "report": report,
        "q": wanted,
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
    }


def _holds(row: GroupRow, wanted: str) -> bool:
    one = row.arrived
    return any(wanted in text.lower() for text in (one.sent, one.label, one.group))
