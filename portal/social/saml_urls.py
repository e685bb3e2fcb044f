"""The addresses of sign-in by SAML, below /accounts/saml/: allauth's, with our end of it."""

from allauth.socialaccount.providers.saml import views
from django.urls import path

from portal.social.saml_views import saml_acs, saml_finish_acs, saml_login, saml_sls

# Names and paths are those that the library itself leads to.
urlpatterns = [
    path("<slug:organization_slug>/login/", saml_login, name="saml_login"),
    path("<slug:organization_slug>/acs/", saml_acs, name="saml_acs"),
    path("<slug:organization_slug>/acs/finish/", saml_finish_acs, name="saml_finish_acs"),
    path("<slug:organization_slug>/sls/", saml_sls, name="saml_sls"),
    path("<slug:organization_slug>/metadata/", views.metadata, name="saml_metadata"),
]
