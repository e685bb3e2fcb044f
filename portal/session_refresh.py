"""Company sessions end with the company's: stale ones are renewed at the provider, or end."""

import time
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from mozilla_django_oidc.middleware import SessionRefresh

from portal.discovery import DiscoveredSettings
from portal.signin import NOTICE_KEY, OIDC_BACKEND, fail, remember_next
from portal.signin_failure import SignInFailure
from portal.social.configuration import DOOR_KEY

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
NOT_SENT = (
    "Your sign-in had to be renewed first, so what you just sent was not done. "
    "Check it and send it again."
)


class HtmxSessionRefresh(DiscoveredSettings, SessionRefresh):
    """Renews company sessions at the provider (prompt=none), so that leavers lose access soon.

    The library looks at GET only, so that a stale session could post for ever, and it redirects
    htmx to another origin, which a browser refuses. Sessions through SAML, GitHub and Bitbucket
    go through their own sign-in again, which asks nobody anything while the person is signed in
    there. Local accounts are not concerned.
    """

    def is_refreshable_url(self, request: HttpRequest) -> bool:
        """Every method counts, and only sessions that a provider began."""
        if not request.user.is_authenticated or request.path in self.exempt_urls:
            return False
        if DOOR_KEY in request.session:
            return not request.path.startswith(_door_folder(request))
        return request.session.get(BACKEND_SESSION_KEY) == OIDC_BACKEND

    def process_request(self, request: HttpRequest) -> HttpResponseBase | None:
        if not self.is_refreshable_url(request) or _valid_until(request) > time.time():
            return None
        if request.method not in SAFE_METHODS:
            return self.refuse_unsent(request)
        if request.headers.get("HX-Request"):
            return reload_page()
        if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
            return HttpResponse(status=401)  # a script can't follow the redirect; it must reload
        return renew_at_door(request) if DOOR_KEY in request.session else self.renew(request)

    def renew(self, request: HttpRequest) -> HttpResponseBase | None:
        """Asks the OIDC provider without a page of its own (prompt=none)."""
        try:
            response = super().process_request(request)
        except SignInFailure as failure:
            return fail(request, failure)
        if response is not None:
            next_url = request.session.pop("oidc_login_next", None)
            remember_next(request, response, next_url)
        return response

    def refuse_unsent(self, request: HttpRequest) -> HttpResponseBase:
        """Does nothing of what was posted, and leads back to the page it was posted from.

        That page is reached through one of ours: a redirect of a form to the provider would be
        stopped by the form-action rule of our Content-Security-Policy.
        """
        request.session[NOTICE_KEY] = NOT_SENT
        if request.headers.get("HX-Request"):
            return reload_page()
        query = urlencode({"next": referring_page(request)})
        return redirect(f"{reverse('portal:signin_renew')}?{query}")

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Leads to the sign-in page, and from there back to the page that was open: htmx would put
        it into a fragment, and what takes forms has no page of its own.

        Who was looking at something that moves, and whose access has ended, sees it by this.
        """
        is_htmx, sends = "HX-Request" in request.headers, request.method not in SAFE_METHODS
        signin = reverse("portal:signin")
        to_signin = response.status_code == 302 and urlsplit(response["Location"]).path == signin
        if not to_signin or not (is_htmx or sends):
            return response
        ended = {"next": referring_page(request), "ended": "sent" if sends else "seen"}
        url = f"{signin}?{urlencode(ended)}"
        return HttpResponse(status=204, headers={"HX-Redirect": url}) if is_htmx else redirect(url)


def _valid_until(request: HttpRequest) -> float:
    """Unix time; 0 where nothing is known of it."""
    door = request.session.get(DOOR_KEY)
    until = door["until"] if door else request.session.get("oidc_id_token_expiration", 0)
    return float(until)


def _door_folder(request: HttpRequest) -> str:
    """Below which the sign-in through the session's door goes on; a renewal must not stop it."""
    door = settings.SIGNIN_DOORS.get(request.session[DOOR_KEY]["provider"])
    login = reverse(door.url_name, args=door.url_args) if door else reverse(settings.LOGIN_URL)
    return login.removesuffix("login/")


def renew_at_door(request: HttpRequest) -> HttpResponse:
    """Signs in anew where the session came from, or ends it where that is switched off by now."""
    door = settings.SIGNIN_DOORS.get(request.session[DOOR_KEY]["provider"])
    if door is None:
        logout(request)
        return redirect(settings.LOGIN_URL)
    query = urlencode({"next": request.get_full_path()})
    return redirect(f"{reverse(door.url_name, args=door.url_args)}?{query}")


def reload_page() -> HttpResponse:
    """htmx reloads the whole page on this, and that request can follow redirects anywhere."""
    return HttpResponse(status=204, headers={"HX-Refresh": "true"})


def referring_page(request: HttpRequest) -> str:
    """The path of the page that sent this, or the home page."""
    url = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}):
        return resolve_url("portal:home")
    parts = urlsplit(url)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
