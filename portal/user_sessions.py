"""Whose each session is: Django's sessions with an index of people beside them.

A session's content is opaque to the database, so that all sessions of one person could not be
found. A row of UserSession is written at every sign-in and moves and goes with its session, which
is why this is the session engine itself (settings.SESSION_ENGINE).
"""

from typing import Any

import jwt
from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from portal.models import UserSession
from portal.social.configuration import SAML_ISSUER, Door

LOCAL = "a local account"
BEFORE_SIGN_IN_SECONDS = 1800


class SessionStore(DatabaseSessions):
    """As Django's, and keeps the row that says whose the session is with it."""

    def get_session_cookie_age(self) -> int:
        """Every visitor can make a session, and a sign-in under way needs it for minutes only."""
        age = super().get_session_cookie_age()
        return age if SESSION_KEY in self else min(age, BEFORE_SIGN_IN_SECONDS)

    def cycle_key(self) -> None:
        """A new key for the same session, at sign-in and after a new password."""
        data, old = self._session, self.session_key
        self.create()
        self._session_cache = data
        if old:
            UserSession.objects.filter(session_key=old).update(session_key=self.session_key)
            self.delete(old)

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        super().delete(session_key)
        if key:
            UserSession.objects.filter(session_key=key).delete()

    @classmethod
    def clear_expired(cls) -> None:
        super().clear_expired()
        live = Session.objects.values("session_key")
        UserSession.objects.exclude(session_key__in=live).delete()


def note_sign_in(request: HttpRequest | None, user: Any, **kwargs: object) -> None:
    """Receives Django's `user_logged_in`, whichever way the person came."""
    if request is None or not hasattr(request, "session"):
        return
    door, subject = account_used(request, user)
    note(request, user, issuer=door.issuer[:255] if door else "", subject=subject[:255])


def note(
    request: HttpRequest, user: Any, *, issuer: str = "", subject: str = "", sid: str = ""
) -> None:
    """Writes whose this session is; what a renewal tells anew replaces what was known."""
    if request.session.session_key is None:  # after a flush it gets its key when it is saved
        request.session.save()
    values = {"user": user, "issuer": issuer, "subject": subject, "sid": sid}
    UserSession.objects.update_or_create(session_key=request.session.session_key, defaults=values)


def note_id_token(request: HttpRequest, user: Any, id_token: str) -> None:
    """As note(), with the provider's own name of the session. The token was verified before."""
    claims = jwt.decode(id_token, options={"verify_signature": False})
    sid = claims.get("sid")
    usable = isinstance(sid, str) and len(sid) <= 255 and sid.isprintable()
    note(request, user, issuer=claims["iss"], subject=claims["sub"], sid=sid if usable else "")


@transaction.atomic
def end(rows: QuerySet[UserSession]) -> int:
    """Deletes these sessions: the next request of each is anonymous. How many there were."""
    keys = list(rows.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    return UserSession.objects.filter(session_key__in=keys).delete()[0]


def of_request(request: HttpRequest) -> list[dict[str, Any]]:
    """The person's sessions for their account page: this one first, then the newest."""
    live = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    rows = UserSession.objects.filter(user=request.user, session_key__in=live)
    mine = request.session.session_key
    listed = [
        {"row": row, "how": how(row), "here": row.session_key == mine}
        for row in rows.order_by("-created_at")
    ]
    return sorted(listed, key=lambda entry: not entry["here"])


def how(row: UserSession) -> str:
    """What the person signed in with, in words."""
    if row.issuer and row.issuer == settings.OIDC_OP_ISSUER:
        return settings.OIDC_ISSUER_NAME
    labels = {door.issuer: door.label for door in settings.SIGNIN_DOORS.values()}
    return labels.get(row.issuer, row.issuer) or LOCAL


def account_used(request: HttpRequest, user: Any) -> tuple[Door | None, str]:
    """The door, and its name of the account, where allauth signed in by another site's account.

    A second factor that was asked for after it changes nothing of where the person came from.
    """
    records = get_authentication_records(request, user)
    used = next((one for one in reversed(records) if one["method"] != "mfa"), {})
    if used.get("method") != "socialaccount":
        return None, ""
    # For SAML the library notes its provider's entity id.
    names = {door.issuer.removeprefix(SAML_ISSUER): door for door in settings.SIGNIN_DOORS.values()}
    door = (names | settings.SIGNIN_DOORS).get(used.get("provider"))
    return door, str(used.get("uid", ""))
