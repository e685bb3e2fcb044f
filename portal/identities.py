"""From an identity provider's claims to a user: who it is, which groups, which catalog person.

A person is found by issuer and subject only. The e-mail address is for display: whoever can set
an address at the provider must not become somebody else here.
"""

import logging
import re
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.memberships import replace_groups, set_admin, usable
from portal.models import Identity, UserLink

logger = logging.getLogger(__name__)

ATTEMPTS = 5
MAX_USERNAME = 100  # leaves room for a number behind it
USER_REF = re.compile(r"^(?:user:)?(?:([a-z0-9._-]{1,63})/)?([a-z0-9._-]{1,63})$")


def users_of(issuer: str, subject: str) -> Any:
    """The user of this identity: a queryset of one or none."""
    return User.objects.filter(identities__issuer=issuer, identities__subject=subject)


def create_user(claims: dict[str, Any]) -> User:
    """A new user with its Identity; one that a parallel sign-in has just made is returned."""
    issuer, subject = claims["iss"], claims["sub"]
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                user = User(username=_free_username(claims))
                user.set_unusable_password()
                user.save()
                Identity.objects.create(issuer=issuer, subject=subject, user=user)
                return user
        except IntegrityError:
            # A parallel sign-in took the identity, or only the username.
            existing = users_of(issuer, subject).first()
            if existing is not None:
                return existing
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


@transaction.atomic
def update_user(user: User, claims: dict[str, Any]) -> list[str]:
    """Takes over what the provider says now; returns what changed for the audit trail.

    The groups of this provider's prefix are replaced; groups of any other origin are left alone.
    """
    changes = [*replace_groups(user, prefix(), group_names(claims)), *set_admin(user)]
    set_names(user, claims)
    Identity.objects.filter(issuer=claims["iss"], subject=claims["sub"]).update(
        groups=group_names(claims), seen_at=timezone.now()
    )
    _set_link(user, claims)
    return changes


def set_names(user: User, claims: dict[str, Any]) -> None:
    """The name and the address as the provider has them now, for display only."""
    given, family = _text(claims, "given_name", 150), _text(claims, "family_name", 150)
    if not (given and family):
        given, family = _text(claims, "name", 150) or given, ""
    user.first_name, user.last_name = given, family
    user.email = _email(claims)
    user.save(update_fields=["first_name", "last_name", "email"])


def prefix() -> str:
    """What the names of this provider's groups begin with."""
    return f"{settings.OIDC_ISSUER_SLUG}:"


def group_names(claims: dict[str, Any]) -> list[str]:
    """The groups claim, sorted: a list of strings, or a single string.

    Anything else counts as no group at all, so that a surprise never gives a right, and is logged.
    """
    raw = claims.get(settings.OIDC_GROUPS_CLAIM)
    items = [raw] if isinstance(raw, str) else raw
    if not isinstance(items, list):
        logger.warning("groups claim of %s is %s: no groups", claims["sub"], type(raw).__name__)
        return []
    names = {item.strip() for item in items if isinstance(item, str)}
    fitting = {name for name in names if usable(name, prefix())}
    if len(fitting) < len(items):
        logger.warning(
            "groups claim of %s: %d of %d values left out", claims["sub"],
            len(items) - len(fitting), len(items),
        )  # fmt: skip
    return sorted(fitting)


def _set_link(user: User, claims: dict[str, Any]) -> None:
    """Ties the user to a catalog person by the claim OIDC_USER_REF_CLAIM, where one is set.

    An administrator's word stands above the claim, and a person already taken is not taken over.
    """
    link = UserLink.objects.filter(user=user).first()
    if link is not None and link.how == UserLink.How.ADMIN:
        return
    ref = _user_ref(claims)
    if link is not None and link.user_ref != ref:
        link.delete()
        link = None
    if ref and link is None:
        _, created = UserLink.objects.get_or_create(
            user_ref=ref, defaults={"user": user, "how": UserLink.How.CLAIM}
        )
        if not created:
            logger.warning("%s is linked to another account; %s is not linked", ref, user)


def _user_ref(claims: dict[str, Any]) -> str:
    value = claims.get(settings.OIDC_USER_REF_CLAIM) if settings.OIDC_USER_REF_CLAIM else None
    found = USER_REF.match(value.strip().lower()) if isinstance(value, str) else None
    return f"user:{found[1] or 'default'}/{found[2]}" if found else ""


def _free_username(claims: dict[str, Any]) -> str:
    """Readable and not taken in any case: "mara", or "mara-2" when there is a mara already."""
    local_part = _text(claims, "email", 254).partition("@")[0]
    wish = _text(claims, "preferred_username", 254) or local_part or _text(claims, "name", 254)
    base = re.sub(r"[^\w.@+-]+", "-", User.normalize_username(wish)).strip("-")[:MAX_USERNAME]
    base = base or "person"
    alike = User.objects.filter(username__istartswith=base)
    taken = {name.lower() for name in alike.values_list("username", flat=True)}
    number, name = 1, base
    while name.lower() in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def _text(claims: dict[str, Any], key: str, limit: int) -> str:
    value = claims.get(key)
    if not isinstance(value, str):
        return ""
    return "".join(char for char in value if char.isprintable()).strip()[:limit]


def _email(claims: dict[str, Any]) -> str:
    value = _text(claims, "email", 254)
    try:
        validate_email(value)
    except ValidationError:
        return ""
    return value
