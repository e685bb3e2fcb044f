"""Whether the person at this browser has lately shown who they are, not only at some time today.

Asked before what whoever found an open browser must not do, such as linking accounts. The company's
provider is told to ask for a password again (OpenID Connect Core 1.0, section 3.1.2.1: `prompt`,
`max_age`; SAML's ForceAuthn); where it says when it did (`auth_time`), that counts. Where it does
not, only the answer to that very question does: a provider lets in whoever sits at the browser of
somebody signed in there.
"""

import time
from urllib.parse import urlencode

import jwt
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse

from portal.social.configuration import DOOR_KEY

RECENT_SECONDS = 600
MINUTES = RECENT_SECONDS // 60
# Session keys: when the person last showed who they are; when they were asked to do it anew.
AT_KEY, ASKED_KEY = "signed_in_at", "signin_again_asked_at"
DONE = (
    f"You have signed in again. Within the next {MINUTES} minutes you can link and unlink accounts."
)
NOT_ASKED = (
    "You were not asked to sign in again, so nothing can be linked or unlinked now. Sign out, sign "
    "in, and try it then."
)
NEVER_ASKS = (
    "{} can't be told to ask for your password again, so whoever signs in through it links and "
    "unlinks no accounts here."
)


def is_recent(request: HttpRequest) -> bool:
    """Whether this session's person signed in so lately."""
    return time.time() - request.session.get(AT_KEY, 0) < RECENT_SECONDS


def ask(request: HttpRequest) -> None:
    """The next sign-in of this session is to be one that asks for more than being there."""
    request.session[ASKED_KEY] = time.time()


def is_asked(request: HttpRequest) -> bool:
    return time.time() - request.session.get(ASKED_KEY, 0) < RECENT_SECONDS


def parameters(request: HttpRequest) -> dict[str, str]:
    """For the authorization request: that the person be asked, though they are signed in there."""
    return {"prompt": "login", "max_age": str(RECENT_SECONDS)} if is_asked(request) else {}


def address(request: HttpRequest) -> str:
    """Where this session's person signs in anew, and then comes back to their account."""
    door = settings.SIGNIN_DOORS.get(request.session.get(DOOR_KEY, {}).get("provider"))
    begin = reverse(door.url_name, args=door.url_args) if door else reverse(settings.LOGIN_URL)
    if door is None and settings.OIDC_OP_ISSUER:
        begin = reverse("oidc_authentication_init")
    return f"{begin}?{urlencode({'next': reverse('portal:account')})}"


def note(request: HttpRequest, *, forced: bool, id_token: str = "") -> None:
    """Notes a sign-in or renewal that has just succeeded.

    `forced`: this very one asked the provider to ask the person. The token was verified before.
    """
    told = _auth_time(id_token)
    if told is not None:
        request.session[AT_KEY] = min(told, time.time())
    elif forced:
        request.session[AT_KEY] = time.time()
    if forced:
        request.session.pop(ASKED_KEY, None)
        recent = is_recent(request)
        (messages.success if recent else messages.warning)(request, DONE if recent else NOT_ASKED)


def _auth_time(id_token: str) -> float | None:
    if not id_token:
        return None
    told = jwt.decode(id_token, options={"verify_signature": False}).get("auth_time")
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) else None
