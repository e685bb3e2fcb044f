"""What an account at SAML, GitHub or Bitbucket gives its person, and how that ends."""

import time

from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from portal import audit, recent_signin
from portal.identities import users_of
from portal.kept_claims import kept_claims
from portal.memberships import replace_groups, set_admin
from portal.models import Identity
from portal.social.arrivals import Arrival
from portal.social.configuration import BITBUCKET, DOOR_KEY, Door

# Session key: the provider that the person has just asked to link an account of, and until when
# that holds.
LINK_KEY = "social_link"

audit.register("identity.link", "linked an account of another provider")
audit.register("identity.unlink", "took the link to another provider away")


def ask_for_link(request: HttpRequest, provider: str) -> None:
    """Somebody who has lately signed in wants an account of this provider linked."""
    until = time.time() + recent_signin.RECENT_SECONDS
    request.session[LINK_KEY] = {"provider": provider, "until": until}


def asked_for_link(request: HttpRequest, provider: str) -> bool:
    """Whether the person just asked for it; counts once."""
    asked = request.session.pop(LINK_KEY, {})
    return bool(asked.get("provider") == provider and time.time() < asked["until"])


def note_arrival(request: HttpRequest, user: User, door: Door, arrival: Arrival) -> None:
    """Takes over the groups, with all that was said, and writes what changed into the trail."""
    elsewhere, now = _read_elsewhere(user, door, arrival), timezone.now()
    groups = [*arrival.groups, *elsewhere]
    identity = Identity.objects.filter(issuer=door.issuer, subject=arrival.claims["sub"])
    identity.update(groups=groups, claims=kept_claims(arrival.claims), seen_at=now)
    if not elsewhere:  # those only a reading confirms
        identity.update(confirmed_at=now if groups or not door.members_of else None)
    changes = [*replace_groups(user, door.prefix, groups), *set_admin(user)]
    if changes:
        audit.record("signin.groups", user=user, request=request, data={"what": changes})


def _read_elsewhere(user: User, door: Door, arrival: Arrival) -> list[str]:
    """Groups that only a reading of all members tells of: Bitbucket's within a workspace."""
    if door.provider != BITBUCKET or not settings.BITBUCKET_MEMBERS_TOKEN:
        return []
    held = user.groups.filter(name__startswith=door.prefix).values_list("name", flat=True)
    names = [name.removeprefix(door.prefix) for name in held]
    return [name for name in names if "/" in name and name.partition("/")[0] in arrival.groups]


def forget_groups(request: HttpRequest, login: SocialLogin, door: Door) -> None:
    """Of somebody who is known here and belongs to nothing there any more; their session ends."""
    user = users_of(door.issuer, str(login.account.uid)).first()
    if user is None:
        return
    Identity.objects.filter(issuer=door.issuer, user=user).update(groups=[], confirmed_at=None)
    changes = [*replace_groups(user, door.prefix, []), *set_admin(user)]
    if changes:
        audit.record("signin.groups", user=user, request=request, data={"what": changes})
    if request.user == user:
        logout(request)


def door_of(identity: Identity) -> Door | None:
    """Where an account that can be linked comes from; None: the company's, which stays.

    Whom that is about is not for the person to say.
    """
    doors = (door for door in settings.SIGNIN_DOORS.values() if door.members_of)
    return next((door for door in doors if door.issuer == identity.issuer), None)


@transaction.atomic
def unlink(request: HttpRequest, identity: Identity, door: Door) -> None:
    """Takes the account away from its person, with what its groups gave."""
    SocialAccount.objects.filter(user=identity.user, uid=identity.subject).delete()
    identity.delete()
    changes = [*replace_groups(identity.user, door.prefix, []), *set_admin(identity.user)]
    data = {"issuer": identity.issuer, "subject": identity.subject, "what": changes}
    audit.record("identity.unlink", user=request.user, request=request, data=data)


def remember_door(request: HttpRequest, provider: str) -> None:
    """Notes in the new session through which door it came, and until when that holds."""
    until = time.time() + settings.OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS
    request.session[DOOR_KEY] = {"provider": provider, "until": until}
