"""The end of a SAML sign-in, where what somebody posted is parsed for the first time."""

from typing import Any

from allauth.socialaccount.providers.saml import utils, views
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt

from portal import recent_signin
from portal.rate import within
from portal.signin import fail
from portal.signin_failure import SignInFailure
from portal.social.configuration import SAML
from portal.social.saml_answers import Answer

MAX_ANSWER = 300_000  # bytes; an assertion with some thousand groups
MAX_A_MINUTE = 60  # from one address
_library_config = utils.build_saml_config


def _with_all_certificates(request: HttpRequest, app: dict[str, Any], org: str) -> dict[str, Any]:
    """As the library's, which hands on one certificate only (django-allauth 65).

    While a provider changes its key there are two, and what checks signatures takes several.
    """
    config: dict[str, Any] = _library_config(request, app, org)
    config["idp"]["x509certMulti"] = {"signing": [*app["idp"]["certificates"]]}
    config["idp"]["subject"] = app["idp"]["subject"]  # for saml_answers.py
    return config


utils.build_saml_config = _with_all_certificates
utils.OneLogin_Saml2_Auth.response_class = Answer


@login_not_required
def saml_login(request: HttpRequest, organization_slug: str) -> HttpResponseBase:
    """As the library's, and asks the provider for a new sign-in where the person is to show who
    they are (ForceAuthn, SAML 2.0 Core, section 3.4.1)."""
    if not recent_signin.is_asked(request):
        response: HttpResponseBase = views.login(request, organization_slug=organization_slug)
        return response
    provider = utils.get_app_or_404(request, organization_slug).get_provider(request)
    asking = utils.build_auth(request, provider)
    url = asking.login(return_to="", force_authn=True)
    kwargs = provider.get_redirect_from_request_kwargs(request)
    state_id = asking.get_last_request_id()
    provider.stash_redirect_state(request, state_id=state_id, forced=True, **kwargs)
    return redirect(url)


@csrf_exempt
@login_not_required
def saml_acs(request: HttpRequest, organization_slug: str) -> HttpResponseBase:
    """As the library's, which keeps what was posted for a while: so not anything, nor for ever."""
    if len(request.body) > MAX_ANSWER or not _may_post(request):
        return HttpResponse("Too much, or too often.", status=413, content_type="text/plain")
    response: HttpResponseBase = views.acs(request, organization_slug=organization_slug)
    return response


def _may_post(request: HttpRequest) -> bool:
    return within(f"saml-answers:{request.META.get('REMOTE_ADDR')}", MAX_A_MINUTE)


@csrf_exempt
@login_not_required
def saml_sls(request: HttpRequest, organization_slug: str) -> HttpResponseBase:
    """Metadata names it; an unsigned request to sign somebody out would be anybody's."""
    raise Http404("Nobody signs out here by SAML.")


@login_not_required
def saml_finish_acs(request: HttpRequest, organization_slug: str) -> HttpResponseBase:
    """As the library's; whatever fails ends on the page of failed sign-ins."""
    label = settings.SIGNIN_DOORS[SAML].label
    try:
        response: HttpResponseBase = views.finish_acs(request, organization_slug=organization_slug)
        return response
    except SignInFailure as refused:
        failure = refused
    except PermissionDenied:  # the request that it answers is none of this browser's
        failure = SignInFailure("unknown_state", provider=label)
    except (SyntaxError, ValueError) as error:  # lxml's syntax error is the first of these
        detail = f"the answer can't be read: {type(error).__name__}"
        failure = SignInFailure("refused", detail, provider=label)
    return fail(request, failure)
