"""The pages of django-allauth: local accounts, and sign-in through SAML, GitHub and Bitbucket.

Not all of `allauth.urls`: a company account must never get a password, and without a mail server
nobody can reset one; `manage.py changepassword` does that.
"""

from collections.abc import Iterable

from allauth.account import views
from django.conf import settings
from django.urls import URLResolver, include, path
from django.views.generic import RedirectView

from portal.signin import SignOutView
from portal.social.configuration import BITBUCKET, GITHUB, SAML


def door_urls(doors: Iterable[str]) -> list[URLResolver]:
    """The addresses of the ways in that are open. Of the others nothing is loaded: what speaks SAML
    takes 16 MB of every process."""
    saml = [path("saml/", include("portal.social.saml_urls"))] if SAML in doors else []
    others = [provider for provider in (GITHUB, BITBUCKET) if provider in doors]
    return saml + [
        path("", include(f"allauth.socialaccount.providers.{provider}.urls")) for provider in others
    ]


urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", SignOutView.as_view(), name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("signup/", views.signup, name="account_signup"),  # always answers that it is closed
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    # Where allauth sends an account without a password, which is one of the company's.
    path(
        "password/set/",
        RedirectView.as_view(pattern_name="portal:account"),
        name="account_set_password",
    ),
    path("2fa/", include("allauth.mfa.urls")),
    *door_urls(settings.SIGNIN_DOORS),
]
