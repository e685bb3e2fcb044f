"""Local accounts need a second factor: until they have one, they reach nothing but its pages.

A local account is an administrator's, and nobody's identity provider asks for more than its
password. So a session that a password alone has opened leads to where a second factor is added.
"""

from collections.abc import Callable

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.contrib.messages import warning
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

REASON = "Add a second factor first: a local account may do nothing here with a password alone."
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
        if not lacks_second_factor(request) or _is_open(request.path):
            return self.get_response(request)
        if request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        warning(request, REASON)
        return redirect("mfa_index")


def lacks_second_factor(request: HttpRequest) -> bool:
    """Whether a password alone has opened this session, and its account has nothing better."""
    methods = {record["method"] for record in get_authentication_records(request, request.user)}
    if "password" not in methods or "mfa" in methods:
        return False
    return not Authenticator.objects.filter(user=request.user, type__in=TYPES).exists()


def _is_open(path: str) -> bool:
    return path.startswith((*map(reverse, OPEN), "/static/"))
