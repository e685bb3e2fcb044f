"""OpenID Connect Back-Channel Logout 1.0: the provider says that a session there has ended.

A logout token that names one session ends that session here, and those of the person whose name at
the provider is not known. One that names only the person means
all of their sessions there, so all that acts in their name ends here; they may sign in again, if
the provider lets them.
"""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from portal import inbox
from portal.discovery import signing_keys
from portal.id_token import signed_claims
from portal.identities import users_of
from portal.leaving import end_access, end_sessions
from portal.models import UserSession
from portal.process_cache import notes
from portal.signin_failure import SignInFailure

logger = logging.getLogger(__name__)

EVENT = "http://schemas.openid.net/event/backchannel-logout"
REQUIRED = ["iss", "aud", "iat", "exp", "jti", "events"]
TYPES = {None, "JWT", "LOGOUT+JWT"}
RECEIVER = "portal:backchannel-logout"
MAX_TOKEN = 16_000
# A stranger's unknown key ids must not make us ask the provider for its keys without end.
REFETCH_SECONDS = 60
WHY = "The identity provider said that the session there has ended."


@login_not_required
@csrf_exempt
@require_POST
def backchannel_logout(request: HttpRequest) -> JsonResponse:
    """Answers as section 2.8 has it: 200, or 400 with the reason."""
    token, now = request.POST.get("logout_token", ""), timezone.now()
    try:
        claims = verified_logout(token)
        with transaction.atomic():
            if not inbox.take_once(RECEIVER, claims["jti"], "logout", now):
                raise SignInFailure("token_refused", "this token was sent before")
            _end(claims, request)
    except SignInFailure as failure:
        logger.warning("back-channel logout refused: %s", failure)
        inbox.refuse(RECEIVER, failure.detail, len(token), now)
        return _answer({"error": "invalid_request", "error_description": failure.detail}, 400)
    return _answer({}, 200)


def verified_logout(token: str) -> dict[str, Any]:
    """The claims of a logout token that passes every check of section 2.6.

    Raises SignInFailure with the rule that failed.
    """
    if len(token) > MAX_TOKEN:
        raise SignInFailure("token_refused", "the token is too long")
    claims, header = signed_claims(
        token,
        algorithm=settings.OIDC_RP_SIGN_ALGO,
        issuer=settings.OIDC_OP_ISSUER,
        client_id=settings.OIDC_RP_CLIENT_ID,
        keys=_keys,
        required=REQUIRED,
    )
    kind = header.get("typ")
    events = claims["events"]
    problems = {
        "typ is another": (kind.upper() if isinstance(kind, str) else kind) not in TYPES,
        "events does not hold the logout": not isinstance(events, dict)
        or not isinstance(events.get(EVENT), dict),
        "there is a nonce, so this is an ID token": "nonce" in claims,
        "neither sid nor sub": not (_text(claims, "sid") or _text(claims, "sub")),
        "jti is empty": not _text(claims, "jti"),
    }
    for problem, found in problems.items():
        if found:
            raise SignInFailure("token_refused", problem)
    return claims


def _keys(refetch: bool) -> list[dict[str, Any]]:
    return signing_keys(refetch=refetch and notes.add("logout-keys", 1, timeout=REFETCH_SECONDS))


def _end(claims: dict[str, Any], request: HttpRequest) -> None:
    sid, sub = _text(claims, "sid"), _text(claims, "sub")
    if sid:
        rows = UserSession.objects.filter(issuer=claims["iss"], sid=sid)
        if sub:  # those whose name there was not told may be the one that is meant
            rows = UserSession.objects.filter(issuer=claims["iss"], subject=sub, sid__in=[sid, ""])
        end_sessions(rows, why=WHY, request=request)
        return
    for user in users_of(claims["iss"], sub):
        end_access(user, why=WHY, request=request, deactivate=False)


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) and "\x00" not in value else ""


def _answer(data: dict[str, str], status: int) -> JsonResponse:
    return JsonResponse(data, status=status, headers={"Cache-Control": "no-store"})
