"""Every address of the portal; the rooms above are named as strings only."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path

from portal import account_views, claims_views, policy_views, token_views, views
from portal.api_views import api_not_found
from portal.backchannel import backchannel_logout
from portal.session_views import signout_elsewhere
from portal.signin import SignOutView
from portal.social import link_views

handler403 = "portal.views.permission_denied"
handler404 = "portal.views.page_not_found"
handler500 = "portal.views.server_error"

portal_urls = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("signin/", account_views.signin, name="signin"),
    path("signin/failed/", account_views.signin_failed, name="signin_failed"),
    path("signin/renew/", account_views.signin_renew, name="signin_renew"),
    path("signin/again/", account_views.signin_again, name="signin_again"),
    path("oidc/backchannel-logout/", backchannel_logout, name="backchannel_logout"),
    path("signout/", SignOutView.as_view(), name="signout"),
    path("signout/provider/", account_views.signout_provider, name="signout_provider"),
    path("signed-out/", account_views.signed_out, name="signed_out"),
    path("account/", account_views.account, name="account"),
    path("account/permissions/", policy_views.policy_mine, name="policy_mine"),
    path("people/<int:pk>/permissions/", policy_views.policy_person, name="policy_person"),
    path("policy/who/", policy_views.policy_who, name="policy_who"),
    path("account/link/<slug:provider>/", link_views.account_link, name="account_link"),
    path("account/unlink/<int:pk>/", link_views.account_unlink, name="account_unlink"),
    path("account/claims/", claims_views.account_claims, name="account_claims"),
    path("people/<int:pk>/claims/", claims_views.person_claims, name="person_claims"),
    path("account/sessions/end/", signout_elsewhere, name="signout_elsewhere"),
    path("account/tokens/", token_views.token_list, name="token_list"),
    path("account/tokens/new/", token_views.token_create, name="token_create"),
    path("account/tokens/<int:pk>/", token_views.token_created, name="token_created"),
    path("account/tokens/<int:pk>/revoke/", token_views.token_revoke, name="token_revoke"),
]

urlpatterns = [
    # First: scripts ask often. portal/api_gate.py answers these without the pages' middleware.
    path("api/catalog/", include("catalog.api.urls")),
    path("api/pipelines/", include("pipelines.api.urls")),
    re_path(r"^api(?:/|$)", api_not_found),
    # Where it is off nothing of it is loaded: its library takes 30 MB of every process.
    *([path("scim/v2/", include("portal.scim.urls"))] if settings.SCIM_TOKEN else []),
    path("", include((portal_urls, "portal"))),
    path("", include("catalog.urls")),
    path("", include("pipelines.urls")),
    # The library's own sign-out would leave the audit trail and our hop to the provider out.
    path("oidc/logout/", SignOutView.as_view(), name="oidc_logout"),
    path("oidc/", include("mozilla_django_oidc.urls")),
    path("accounts/", include("portal.local_account_urls")),
    path("admin/", admin.site.urls),
]
