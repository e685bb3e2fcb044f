"""Local accounts, which django-allauth serves: for administrators, beside the company's sign-in."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from portal import audit, recent_signin
from portal.signin import fail
from portal.signin_failure import SignInFailure
from portal.social.links import remember_door


class AccountAdapter(DefaultAccountAdapter):
    """Made by an administrator, never by sign-up, and never a way into a company account."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        login = (kwargs.get("signal_kwargs") or {}).get("sociallogin")
        request.stagedoor_door = login.provider.id if login else ""  # type: ignore[attr-defined]
        # A password or passkey here would outlive the person's account at the company.
        if login is None and user.identities.exists():
            return fail(request, SignInFailure("company_account", username=user.get_username()))
        return super().pre_login(request, user, **kwargs)

    def login(self, request: HttpRequest, user: User) -> None:
        new = request.user != user
        super().login(request, user)
        door = getattr(request, "stagedoor_door", "")
        if door:
            remember_door(request, door)
            recent_signin.note(request, new=new)
        how = door or "local account"
        audit.record("signin", user=user, request=request, data={"how": how})

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        tried = credentials.get("username") or credentials.get("email") or ""
        audit.record(
            "signin.failed",
            outcome="failed",
            request=request,
            target=str(tried),
            reason="Wrong user name or password for a local account.",
        )
