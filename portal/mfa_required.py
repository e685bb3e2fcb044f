"""Local accounts need a second factor: until they show one, they reach nothing but its pages.

A local account is an administrator's, and nobody's identity provider asks for more than its
password. So a session that a password alone has opened leads to where a second factor is added or
shown. It is the session that must have shown it: what whoever knows the password opened before the
owner added a factor ends at that moment. People of the company have their provider's second factor
and none here, which would only stand between them and their provider.
"""

from collections.abc import Callable

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.contrib.messages import warning
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from portal.leaving import end_sessions
from portal.local_accounts import is_of_company
from portal.models import UserSession

REASON = "Add a second factor first: a local account may do nothing here with a password alone."
SHOW_IT = (
    "This session began with a password alone, before your account had its second factor. Sign "
    "out, and sign in again with it."
)
COMPANY = "Your second factor is your company's: you sign in there."
ENDED = "A second factor was added."
# Session key: the user who added a second factor in this session, and so has shown it.
ADDED_KEY = "second_factor_added_by"
# The account's own pages, the way out, and what is no page at all.
OPEN = (
    "mfa_index",
    "account_reauthenticate",
    "account_change_password",
    "portal:signout",
    "portal:healthz",
)
# Second factors; recovery codes are no factor by themselves.
TYPES = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class SecondFactorMiddleware:
    """Stands behind the authentication middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(reverse("mfa_index")) and _is_of_company(request.user):
            warning(request, COMPANY)
            return redirect("portal:account")
        if not lacks_second_factor(request) or _is_open(request.path):
            return self.get_response(request)
        if request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        if _is_of_company(request.user):  # by now; its password counts no more
            logout(request)
            return redirect("portal:signin")
        has_one = Authenticator.objects.filter(user=request.user.pk, type__in=TYPES).exists()
        warning(request, SHOW_IT if has_one else REASON)
        return redirect("mfa_index")


def lacks_second_factor(request: HttpRequest) -> bool:
    """Whether a password alone has opened this session, and it has shown nothing better since."""
    methods = {record["method"] for record in get_authentication_records(request, request.user)}
    if "password" not in methods or "mfa" in methods:
        return False
    return bool(request.session.get(ADDED_KEY) != request.user.pk)


def note_added(request: HttpRequest, user: User, authenticator: Authenticator, **_: object) -> None:
    """Receives `authenticator_added`: this session has the factor, and no other session does."""
    if authenticator.type not in TYPES:
        return
    request.session[ADDED_KEY] = user.pk
    others = UserSession.objects.filter(user=user).exclude(session_key=request.session.session_key)
    end_sessions(others, why=ENDED, by=user, request=request)


def _is_of_company(user: object) -> bool:
    return isinstance(user, User) and is_of_company(user)


def _is_open(path: str) -> bool:
    return path.startswith((*map(reverse, OPEN), "/static/"))
