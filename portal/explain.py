"""Why something is denied, for pages and for the API: the smallest change that would allow it,
and where an administrator makes it.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from portal.models import Role
from portal.policy import Decision
from portal.policy.suggestion import Change, suggest

_ADD = "portal.add_rolemapping"
_CHANGE = "portal.change_rolemapping"


@dataclass(frozen=True)
class Explanation:
    """What helps against a denial, as a sentence; and where to, for those who may do it."""

    suggestion: str = ""
    url: str = ""


def explain(decision: Decision, request: HttpRequest | None = None) -> Explanation:
    """Empty where nothing is denied, or where no policy was asked. One query in each request."""
    asked = decision.question
    if decision.askable or asked is None or asked.actor.user_id is None:
        return Explanation()
    roles = _roles(request)
    found = suggest(asked, {role.name: frozenset(role.permissions) for role in roles})
    return Explanation(found.sentence, _url(found.change, roles, request))


def told(decision: Decision) -> dict[str, str]:
    """For the API: the rule, its sentence, and what helps."""
    return {
        "rule": decision.rule,
        "reason": decision.reason,
        "suggestion": explain(decision).suggestion,
    }


def _roles(request: HttpRequest | None) -> list[Role]:
    """By rank; read once for a page with many disabled buttons."""
    known: list[Role] | None = getattr(request, "stagedoor_roles", None)
    if known is None:
        known = list(Role.objects.all())
        if request is not None:
            request.stagedoor_roles = known  # type: ignore[attr-defined]
    return known


def _url(change: Change | None, roles: list[Role], request: HttpRequest | None) -> str:
    """The form in which the change is made; "" for whoever may not."""
    user = getattr(request, "user", None)
    if change is None or user is None or not user.is_staff:
        return ""
    if change.replaces and change.of is not None:
        url = reverse("admin:portal_rolemapping_change", args=[change.of.mapping_id])
        return url if user.has_perm(_CHANGE) else ""
    grant = change.grant
    role = next(role.pk for role in roles if role.name == grant.role)
    values = {
        "group": grant.group,
        "role": role,
        "scope_kind": grant.scope_kind,
        "scope_ref": grant.scope_ref,
        "environment": grant.environment,
        "branches": grant.conditions.branches,
        "parameters": grant.conditions.parameters,
        "hours": grant.conditions.hours,
    }
    filled = urlencode({name: value for name, value in values.items() if value})
    return f"{reverse('admin:portal_rolemapping_add')}?{filled}" if user.has_perm(_ADD) else ""
