"""The pages around signing in and out, and the account page: who I am here and what I may do."""

from collections.abc import Mapping
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.encoding import iri_to_uri
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portal import recent_signin
from portal.access import actor_for
from portal.effect_rows import environment_names
from portal.identities import group_label
from portal.models import Identity, UserLink
from portal.policy import IN_ENVIRONMENTS, PERMISSIONS, SCOPE_KINDS, Actor, Grant
from portal.role_mapping_form import OF_ENTITIES
from portal.signin import (
    FAILURE_KEY,
    OIDC_BACKEND,
    PROVIDER_LOGOUT_KEY,
    failure_page,
    safe_next,
)
from portal.social.configuration import DOOR_KEY
from portal.user_sessions import of_request

# More groups that give nothing are only counted; the page of what arrived has them all.
MAX_GROUPS = 50


@login_not_required
@never_cache
@require_safe
def signin(request: HttpRequest) -> HttpResponse:
    """Where everybody without a session lands; `next` is kept when it stays on this host."""
    next_url = safe_next(request)
    if request.user.is_authenticated:
        return redirect(next_url or settings.LOGIN_REDIRECT_URL)
    context = {
        "provider": settings.OIDC_ISSUER_NAME if settings.OIDC_OP_ISSUER else "",
        "query": f"?{urlencode({'next': next_url})}" if next_url else "",
        "doors": [
            (door.label, reverse(door.url_name, args=door.url_args))
            for door in settings.SIGNIN_DOORS.values()
            if settings.SOCIAL_SIGNIN or not door.members_of
        ],
        "demo": settings.ENVIRONMENT == "demo",
        "ended": request.GET.get("ended", ""),
    }
    return render(request, "portal/signin.html", context)


@login_not_required
@never_cache
@require_safe
def signin_failed(request: HttpRequest) -> HttpResponse:
    """Why the last sign-in in this browser failed, and the reference to ask about."""
    failure = request.session.get(FAILURE_KEY)
    if not failure:
        return redirect("portal:signin")
    return failure_page(request, failure)


@never_cache
@require_safe
def signin_renew(request: HttpRequest) -> HttpResponse:
    """A step between a refused form and its page, which renews the session when it loads."""
    next_url = safe_next(request) or reverse("portal:home")
    response = render(request, "portal/signin_renew.html", {"next_url": next_url})
    response["Refresh"] = f"0; url={iri_to_uri(next_url)}"
    return response


@never_cache
@require_safe
def signin_again(request: HttpRequest) -> HttpResponse:
    """Why the person is to sign in although they are, and the way there."""
    if not recent_signin.is_asked(request):
        return redirect("portal:account")
    door = settings.SIGNIN_DOORS.get(request.session.get(DOOR_KEY, {}).get("provider"))
    context = {
        "provider": door.label if door else settings.OIDC_ISSUER_NAME,
        "url": recent_signin.address(request),
        "minutes": recent_signin.MINUTES,
    }
    return render(request, "portal/signin_again.html", context)


@login_not_required
@never_cache
@require_safe
def signed_out(request: HttpRequest) -> HttpResponse:
    """Says that the session has ended; first goes on to the provider where that is to end, too."""
    pending = PROVIDER_LOGOUT_KEY in request.session
    context = {"provider": settings.OIDC_ISSUER_NAME, "pending": pending}
    response = render(request, "portal/signed_out.html", context)
    if pending:
        response["Refresh"] = f"0; url={reverse('portal:signout_provider')}"
    return response


@login_not_required
@never_cache
@require_safe
def signout_provider(request: HttpRequest) -> HttpResponse:
    """Hands over to the provider's sign-out; its address holds a token and stays out of pages."""
    return redirect(request.session.pop(PROVIDER_LOGOUT_KEY, "portal:signed_out"))


@never_cache
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Who I am, how I signed in, which groups arrived, which roles they give."""
    actor = actor_for(request.user)
    environments = environment_names() if any(one.environment for one in actor.grants) else {}
    link = UserLink.objects.filter(user=request.user).first()
    context = {
        "identity": Identity.objects.filter(user=request.user).order_by("-seen_at").first(),
        "through_provider": request.session.get(auth.BACKEND_SESSION_KEY) == OIDC_BACKEND,
        "provider": settings.OIDC_ISSUER_NAME,
        **group_rows(actor),
        "grants": [grant_row(grant, environments) for grant in actor.grants],
        "link": link,
        "sessions": of_request(request),
        **linked_accounts(request),
    }
    return render(request, "portal/account.html", context)


def group_rows(actor: Actor) -> dict[str, object]:
    """Groups that give a role, then others as far as they can be read on one page."""
    giving = {grant.group for grant in actor.grants}
    ordered = sorted(actor.groups, key=lambda name: (name not in giving, name))
    shown = ordered[: max(MAX_GROUPS, len(giving & actor.groups))]
    return {
        "groups": [(group_label(name), name in giving) for name in shown],
        "group_count": len(ordered),
        "more_groups": len(ordered) - len(shown),
        "incomplete": actor.incomplete,
    }


def grant_row(grant: Grant, environments: Mapping[str, str]) -> dict[str, object]:
    """A grant as the page shows it: role, where, environment, what it allows and by which group."""
    held = grant.permissions & IN_ENVIRONMENTS if grant.environment else grant.permissions
    return {
        "role": grant.role,
        "where": grant.scope_ref or SCOPE_KINDS.get(grant.scope_kind, grant.scope_kind),
        "kind": SCOPE_KINDS.get(grant.scope_kind, "") if grant.scope_ref else "",
        "ref": grant.scope_ref if grant.scope_kind in OF_ENTITIES else "",
        "environment": environments.get(grant.environment, grant.environment) or "any",
        "conditions": grant.conditions.words(),
        "allows": [PERMISSIONS.get(name, name) for name in sorted(held)],
        "group": group_label(grant.group),
    }


def linked_accounts(request: HttpRequest) -> dict[str, object]:
    """The accounts at GitHub and Bitbucket that count for the person, and those that could."""
    doors = {door.issuer: door for door in settings.SIGNIN_DOORS.values() if door.members_of}
    if not doors or not Identity.objects.filter(user=request.user).exists():
        return {"linked": (), "doors": []}  # a local account would become the provider's
    linked = Identity.objects.filter(user=request.user, issuer__in=doors)
    present = {identity.issuer for identity in linked}
    return {
        "linked": [(identity, doors[identity.issuer]) for identity in linked],
        "doors": [door for issuer, door in doors.items() if issuer not in present],
    }
