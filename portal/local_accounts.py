"""Local accounts, which django-allauth serves: for administrators, beside the company's sign-in."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from portal import audit, recent_signin
from portal.models import ScimUser
from portal.signin import fail, is_plain
from portal.signin_failure import SignInFailure
from portal.social.links import remember_door
from portal.subjects import origins
from portal.user_sessions import account_used


def is_of_company(user: User) -> bool:
    """Whether others say who this is: also of somebody who has not signed in so far."""
    return (
        user.identities.exists()
        or ScimUser.objects.filter(user=user).exists()
        or any(user.groups.filter(name__startswith=prefix).exists() for prefix in origins())
    )


class AccountAdapter(DefaultAccountAdapter):
    """Made by an administrator, never by sign-up, and never a way into a company account."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        return is_plain(url or "") and super().is_safe_url(url)

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        login = (kwargs.get("signal_kwargs") or {}).get("sociallogin")
        # A password or passkey here would outlive the person's account at the company.
        if login is None and is_of_company(user):
            return fail(request, SignInFailure("company_account", username=user.get_username()))
        return super().pre_login(request, user, **kwargs)

    def login(self, request: HttpRequest, user: User) -> None:
        """The last step. It may be another request than pre_login(): a second factor lies between,
        and meanwhile the person may have left."""
        if not user.is_active:
            failure = SignInFailure("inactive", username=user.get_username())
            raise ImmediateHttpResponse(fail(request, failure))
        super().login(request, user)
        door, _ = account_used(request, user)
        if door:
            remember_door(request, door.provider)
            recent_signin.note(request, forced=getattr(request, "signin_forced", False))
        how = door.provider if door else "local account"
        audit.record("signin", user=user, request=request, data={"how": how})

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Where there is a second factor, the password is not asked for: it proves less."""
        methods = super().get_reauthentication_methods(user)
        return [method for method in methods if method["id"] != "reauthenticate"] or methods

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        tried = credentials.get("username") or credentials.get("email") or ""
        audit.record(
            "signin.failed",
            outcome="failed",
            request=request,
            target=str(tried),
            reason="Wrong user name or password for a local account.",
        )
