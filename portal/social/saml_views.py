"""The end of a SAML sign-in, where what somebody posted is parsed for the first time."""

from allauth.socialaccount.providers.saml import views
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from portal.signin import fail
from portal.signin_failure import SignInFailure
from portal.social.configuration import SAML


@login_not_required
def saml_finish_acs(request: HttpRequest, organization_slug: str) -> HttpResponseBase:
    """As the library's; what is no XML at all ends on the page of failed sign-ins, too."""
    try:
        response: HttpResponseBase = views.finish_acs(request, organization_slug=organization_slug)
        return response
    except (SyntaxError, ValueError) as error:  # lxml's syntax error is the first of these
        door = settings.SIGNIN_DOORS[SAML]
        detail = f"the answer can't be read: {type(error).__name__}"
        return fail(request, SignInFailure("refused", detail, provider=door.label))
