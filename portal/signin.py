"""Sign-in through the company's provider: mozilla-django-oidc, hardened.

The library starts the flow, keeps state, nonce and PKCE verifier, and runs the callback. What it
leaves open is closed here: which token is believed (portal/id_token.py), who the person is
(portal/identities.py), where endpoints come from (portal/discovery.py), and that whatever fails
ends on a page with a sentence and a reference instead of an error 500.
"""

import logging
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.messages import warning
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import (
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
    OIDCLogoutView,
)

from portal import audit, recent_signin
from portal.discovery import DiscoveredSettings, answer_json, ask_provider, endpoint, signing_keys
from portal.graph_groups import with_member_objects
from portal.id_token import verified_claims
from portal.identities import create_user, update_user, users_of
from portal.rate import within
from portal.scim.arrivals import provisioned
from portal.signin_failure import SignInFailure, sentence
from portal.user_sessions import note_id_token

logger = logging.getLogger(__name__)

OIDC_BACKEND = "portal.signin.OIDCBackend"
# Session keys of ours; the library's begin with "oidc_".
FAILURE_KEY = "signin_failure"
NOTICE_KEY = "signin_notice"
PROVIDER_LOGOUT_KEY = "provider_logout"
# A longer ID token (one with thousands of groups) is not kept for the sign-out: as id_token_hint in
# an address no server would take it, and each request would read it with the session.
MAX_HINT = 4000
NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\]")
# Failed sign-ins of nobody known that the trail takes a minute from one address; the log has all.
MAX_FAILURES = 60
# OAuth errors that a silent renewal (prompt=none) ends with when the person has to act.
SESSION_ENDED = {
    "login_required", "interaction_required", "consent_required", "account_selection_required",
}  # fmt: skip
# RFC 6749, section 4.1.2.1: what may be repeated in the log without doubt.
OAUTH_ERRORS = {
    *SESSION_ENDED, "access_denied", "invalid_request", "unauthorized_client", "invalid_scope",
    "unsupported_response_type", "server_error", "temporarily_unavailable",
}  # fmt: skip

audit.register("signin.groups", "arrived with other groups")


class OIDCBackend(DiscoveredSettings, OIDCAuthenticationBackend):
    """Turns a code from the provider into a user. Every refusal is a SignInFailure."""

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        # Local sign-in asks every backend; only the callback brings a nonce and a verifier.
        if request is None or not (kwargs.get("nonce") and kwargs.get("code_verifier")):
            return None
        return super().authenticate(request, **kwargs)

    def get_token(self, payload: dict[str, str]) -> dict[str, Any]:
        """Exchanges the code (RFC 6749, section 4.1.3); the credentials go where settings say."""
        headers = {"Accept": "application/json"}
        url = endpoint("token_endpoint")
        answer = ask_provider("POST", url, data=payload, headers=headers)
        if answer.status in {400, 401, 403}:
            raise SignInFailure("code_refused", f"the token endpoint answered {answer.status}")
        return answer_json(answer, "the token endpoint")

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        return verified_claims(
            token,
            nonce=kwargs.get("nonce") or "",
            algorithm=self.OIDC_RP_SIGN_ALGO,
            issuer=settings.OIDC_OP_ISSUER,
            client_id=self.OIDC_RP_CLIENT_ID,
            keys=lambda refetch: signing_keys(refetch=refetch),
        )

    def get_userinfo(
        self, access_token: str, id_token: str, payload: dict[str, Any]
    ) -> dict[str, Any]:
        """The ID token's claims and the user info's; what the token says of itself stands."""
        told = {**payload, **ask_userinfo(access_token, payload["sub"]), "iss": payload["iss"]}
        return with_member_objects(told, access_token)

    def verify_claims(self, claims: dict[str, Any]) -> bool:
        return True  # verify_token and get_userinfo have refused what may not pass

    def filter_users_by_claims(self, claims: dict[str, Any]) -> Any:
        return users_of(claims["iss"], claims["sub"])

    def create_user(self, claims: dict[str, Any]) -> User:
        return self.update_user(provisioned(claims) or create_user(claims), claims)

    def update_user(self, user: User, claims: dict[str, Any]) -> User:
        if not user.is_active:
            raise SignInFailure("inactive", username=user.get_username())
        changes = update_user(user, claims)
        if changes:
            audit.record("signin.groups", user=user, request=self.request, data={"what": changes})
        return user

    def get_user(self, user_id: Any) -> User | None:
        """As the library, but a deactivated person's session ends with the next request."""
        user = super().get_user(user_id)
        return user if user is not None and user.is_active else None


@method_decorator(login_not_required, name="dispatch")
class RequestView(DiscoveredSettings, OIDCAuthenticationRequestView):
    """Sends the person to the provider."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if not settings.OIDC_OP_ISSUER:
            return redirect(signin_url(request))
        try:
            response = super().get(request)
        except SignInFailure as failure:
            return fail(request, failure)
        remember_next(request, response, request.session.pop("oidc_login_next", None))
        return response

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        return {**super().get_extra_params(request), **recent_signin.parameters(request)}


@method_decorator(login_not_required, name="dispatch")
class CallbackView(OIDCAuthenticationCallbackView):
    """Where the provider sends the person back."""

    next_url = ""
    forced = False

    def get(self, request: HttpRequest) -> HttpResponseBase:
        states = request.session.get("oidc_states") or {}
        entry = states.get(request.GET.get("state", ""))
        if entry is None:
            # Not ours: the library would sign the person out on any link with an error in it.
            return fail(request, SignInFailure("unknown_state"))
        self.next_url, self.forced = entry.get("next") or "", bool(entry.get("forced"))
        # RFC 9207: where the provider names itself, an answer of another one is a mix-up.
        if request.GET.get("iss", settings.OIDC_OP_ISSUER) != settings.OIDC_OP_ISSUER:
            return fail(request, SignInFailure("token_refused", "the answer names another issuer"))
        try:
            if request.GET.get("error"):
                return self.provider_error(request, request.GET["error"])
            return super().get(request)
        except SignInFailure as failure:
            return fail(request, failure)

    def provider_error(self, request: HttpRequest, error: str) -> HttpResponseBase:
        """The provider refused. A silent renewal that needs the person ends the session."""
        del request.session["oidc_states"][request.GET["state"]]
        request.session.modified = True
        renewing = request.user.is_authenticated
        if renewing:
            reason = "The identity provider did not renew the session."
            audit.record("signout", user=request.user, request=request, reason=reason)
            auth.logout(request)
        if not renewing or error not in SESSION_ENDED:
            known = error if error in OAUTH_ERRORS else "an unknown error"
            return fail(request, SignInFailure("refused", f"the provider answered {known}"))
        warning(request, sentence("session_ended"))
        return redirect(signin_url(request, self.next_url))

    def login_success(self) -> HttpResponseBase:
        renewed = self.request.user == self.user
        id_token = self.request.session.get("oidc_id_token")
        response = super().login_success()
        # A change of person flushes the session, and with it what sign-out needs.
        self.request.session["oidc_id_token"] = id_token
        note_id_token(self.request, self.user, id_token)
        recent_signin.note(self.request, forced=self.forced, id_token=id_token)
        if len(id_token or "") > MAX_HINT:
            del self.request.session["oidc_id_token"]
        self.request.session.pop(FAILURE_KEY, None)
        notice = self.request.session.pop(NOTICE_KEY, "")
        if notice:
            warning(self.request, notice)
        if not renewed:
            data = {"how": "oidc", "issuer": settings.OIDC_OP_ISSUER}
            audit.record("signin", user=self.user, request=self.request, data=data)
        return response

    def login_failure(self) -> HttpResponseBase:
        return fail(self.request, SignInFailure("refused", "neither a code nor an error came"))

    @property
    def success_url(self) -> str:
        return self.next_url or resolve_url(settings.LOGIN_REDIRECT_URL)


@method_decorator(login_not_required, name="dispatch")
class SignOutView(OIDCLogoutView):
    """Ends the session here, then the one at the provider."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated:
            audit.record("signout", user=request.user, request=request)
        else:
            auth.logout(request)  # ends a local sign-in that waits for its second factor
        target = super().post(request).url
        if urlsplit(target).netloc:
            # A redirect of this POST to the provider would be stopped by the form-action rule of
            # our Content-Security-Policy, so a page of ours goes on from there.
            request.session[PROVIDER_LOGOUT_KEY] = target
        return redirect("portal:signed_out")


def ask_userinfo(access_token: str, subject: str) -> dict[str, Any]:
    """What the userinfo endpoint says of this person (Core 1.0, section 5.3); {} without one."""
    url = endpoint("userinfo_endpoint")
    if not url:
        return {}
    headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
    claims = answer_json(ask_provider("GET", url, headers=headers), "the userinfo endpoint")
    if claims.get("sub") != subject:
        raise SignInFailure("token_refused", "userinfo is about another subject")
    return claims


def provider_logout_url(request: HttpRequest) -> str:
    """The provider's end_session_endpoint (RP-Initiated Logout 1.0), else our own page."""
    ours = reverse("portal:signed_out")
    if request.session.get(auth.BACKEND_SESSION_KEY) != OIDC_BACKEND:
        return ours
    try:
        url = endpoint("end_session_endpoint")
    except SignInFailure as failure:
        logger.warning("sign-out at the provider left out: %s", failure)
        return ours
    if not url:
        return ours
    params = {
        "client_id": settings.OIDC_RP_CLIENT_ID,
        "post_logout_redirect_uri": request.build_absolute_uri(ours),
    }
    id_token = request.session.get("oidc_id_token")
    if id_token:
        params["id_token_hint"] = id_token
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(params)}"


def remember_next(request: HttpRequest, response: HttpResponseBase, next_url: str | None) -> None:
    """Keeps where to go with this very request's state, so that parallel tabs don't mix; and
    whether it asks for more than being there."""
    query = parse_qs(urlsplit(response.get("Location", "")).query)
    entry = request.session.get("oidc_states", {}).get(query.get("state", [""])[0])
    if entry is not None:
        entry["next"] = next_url if next_url and is_plain(next_url) else ""
        entry["forced"] = query.get("prompt") == ["login"]
        request.session.modified = True


def safe_next(request: HttpRequest) -> str:
    """The `next` parameter when it stays on this host, else ""."""
    url = request.POST.get("next") or request.GET.get("next") or ""
    safe = is_plain(url) and url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if safe else ""


def is_plain(url: str) -> bool:
    """Whether browsers read the address as Django does: they strip tabs and the ends of lines
    anywhere in it, so that "/<tab>/host" leads to that host, and take "\\" for "/"."""
    return not NOT_PLAIN.search(url)


def signin_url(request: HttpRequest, next_url: str = "") -> str:
    """The sign-in page that leads on to `next_url`, by default the request's own `next`."""
    wanted = next_url or safe_next(request)
    query = f"?{urlencode({'next': wanted})}" if wanted else ""
    return f"{reverse('portal:signin')}{query}"


def fail(request: HttpRequest, failure: SignInFailure) -> HttpResponse:
    """Records the failed sign-in and shows the page that says what to do."""
    logger.warning("sign-in failed: %s", failure)
    if failure.username or _counted(request):
        audit.record(
            "signin.failed",
            outcome="failed",
            request=request,
            target=failure.username,
            reason=failure.sentence,
            data={"code": failure.code, "detail": failure.detail},
        )
    told = {
        "code": failure.code,
        "reference": getattr(request, "request_id", ""),
        "provider": failure.provider,
    }
    if not request.session.keys():  # a session for each of a stranger's requests would be a row
        return failure_page(request, told, status=400)
    request.session[FAILURE_KEY] = told
    return redirect("portal:signin_failed")


def failure_page(request: HttpRequest, told: dict[str, str], status: int = 200) -> HttpResponse:
    words = sentence(told["code"], told.get("provider", ""))
    context = {"sentence": words, "reference": told["reference"]}
    return render(request, "portal/signin_failed.html", context, status=status)


def _counted(request: HttpRequest) -> bool:
    """Whether a nameless failure still goes into the trail, which anybody could fill otherwise."""
    return within(f"signin-failures:{request.META.get('REMOTE_ADDR')}", MAX_FAILURES)
