"""Django admin behind the portal's own sign-in: one way in, one way out."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator

from portal.signin import SignOutView, signin_url


class PortalAdminSite(AdminSite):
    """For staff. It opens no pipeline: what a person may start comes from role mappings."""

    site_header = "Stagedoor administration"
    site_title = "Stagedoor administration"
    index_title = "What the portal knows and who may do what"
    site_url = "/"

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect(signin_url(request))
        if not self.has_permission(request):
            raise PermissionDenied(
                "The administration is for administrators. Your account is none; your "
                "administrators decide that by a group of the identity provider."
            )
        return redirect("admin:index")

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        return SignOutView.as_view()(request)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        return redirect(reverse("account_change_password"))
