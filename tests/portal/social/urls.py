"""The portal's addresses with SAML switched on, which is decided when they are loaded."""

from django.urls import include, path

from portal.urls import handler403, handler404, handler500
from portal.urls import urlpatterns as all_others

__all__ = ["handler403", "handler404", "handler500"]

urlpatterns = [path("accounts/saml/", include("portal.social.saml_urls")), *all_others]
