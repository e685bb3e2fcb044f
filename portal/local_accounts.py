"""Local accounts, which django-allauth serves: for administrators, beside the company's sign-in."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from portal import audit
from portal.signin import fail
from portal.signin_failure import SignInFailure


class AccountAdapter(DefaultAccountAdapter):
    """Made by an administrator, never by sign-up, and never a way into a company account."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        # A password or passkey here would outlive the person's account at the company.
        if user.identities.exists():
            return fail(request, SignInFailure("company_account", username=user.get_username()))
        return super().pre_login(request, user, **kwargs)

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        audit.record("signin", user=user, request=request, data={"how": "local account"})

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        tried = credentials.get("username") or credentials.get("email") or ""
        audit.record(
            "signin.failed",
            outcome="failed",
            request=request,
            target=str(tried),
            reason="Wrong user name or password for a local account.",
        )
