"""The demo provider's addresses: its pages, and the protocol's endpoints."""

from allauth.account import views as account_views
from django.urls import include, path

from portal.demo_idp import views

urlpatterns = [
    path("", views.home, name="home"),
    path("style.css", views.style, name="style"),
    path("accounts/login/", account_views.login, name="account_login"),
    path("accounts/reauthenticate/", account_views.reauthenticate, name="account_reauthenticate"),
    path("accounts/logout/", account_views.logout, name="account_logout"),
    path("accounts/inactive/", account_views.account_inactive, name="account_inactive"),
    path("", include("allauth.idp.urls")),
]
