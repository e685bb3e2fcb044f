"""The portal's addresses with all doors open, which is decided when addresses are loaded."""

from django.urls import include, path

from portal.local_account_urls import door_urls
from portal.social.configuration import BITBUCKET, GITHUB, SAML
from portal.urls import handler403, handler404, handler500
from portal.urls import urlpatterns as all_others

__all__ = ["handler403", "handler404", "handler500"]

urlpatterns = [
    path("accounts/", include(door_urls([SAML, GITHUB, BITBUCKET]))),
    *all_others,
]
