"""Django admin behind the portal's own sign-in: one way in, one way out."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator

from portal import audit
from portal.guard import Denied
from portal.models import PolicyChange
from portal.policy import Decision, Effect
from portal.signin import SignOutView, safe_next, signin_url

STAFF_ONLY = Decision(
    Effect.DENY,
    "admin.staff_only",
    "The administration is for administrators, and your account is none. A group of the identity "
    "provider decides that (OIDC_ADMIN_GROUPS).",
)


class PortalAdminSite(AdminSite):
    """For staff. It opens no pipeline: what a person may start comes from role mappings."""

    site_header = "Stagedoor administration"
    site_title = "Stagedoor administration"
    index_title = "What the portal knows, and who may do what"
    site_url = "/"

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        """Django sends everybody here whom it does not let in."""
        if not request.user.is_authenticated:
            return redirect(signin_url(request))
        if not self.has_permission(request):
            audit.record(
                "page.deny",
                user=request.user,
                target="the administration",
                outcome="denied",
                decision=STAFF_ONLY,
                request=request,
            )
            raise Denied(STAFF_ONLY)
        return redirect(safe_next(request) or "admin:index")

    def index(self, request: HttpRequest, extra_context: Any = None) -> Any:
        waiting = PolicyChange.objects.filter(state=PolicyChange.State.WAITING).count()
        return super().index(request, {**(extra_context or {}), "waiting_changes": waiting})

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        return SignOutView.as_view()(request)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        return redirect("account_change_password")
