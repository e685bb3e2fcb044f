"""Whom SCIM has announced, when they sign in; without what speaks SCIM, which takes 30 MB."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from portal.identities import create_user, users_of
from portal.models import Identity, ScimUser
from portal.signin_failure import SignInFailure

logger = logging.getLogger(__name__)

# Who says so where the subject of sign-ins is not what SCIM sends.
SCIM_ISSUER = "scim"


def provisioned(claims: dict[str, Any]) -> User | None:
    """Whom SCIM made for this sign-in, found by the claim that holds what SCIM sent.

    Where that is "sub" itself, the identity is there already. Whom another subject of the provider
    is tied to is nobody's else: user names are given again, and the next owner is another person.
    """
    claim = settings.SCIM_SUBJECT_CLAIM
    value = claims.get(claim)
    if not settings.SCIM_TOKEN or claim == "sub" or not isinstance(value, str):
        return None
    with transaction.atomic():
        # The lock keeps two subjects that arrive at once from both being tied, and waits for what
        # SCIM is saying at this moment, which may be another name.
        people = users_of(SCIM_ISSUER, value)
        row = ScimUser.objects.select_for_update(of=("self",)).filter(user__in=people).first()
        if row is None or not people.filter(pk=row.user_id).exists():
            return None
        mine = Identity.objects.filter(issuer=claims["iss"], user=row.user)
        if mine.exclude(subject=claims["sub"]).exists():
            return _beside(row, claims)
        known, _ = Identity.objects.get_or_create(
            issuer=claims["iss"], subject=claims["sub"], defaults={"user": row.user}
        )
        return known.user  # a parallel sign-in may have come first


def _beside(row: ScimUser, claims: dict[str, Any]) -> User:
    """An account of its own, which ends with the one that SCIM knows by this value.

    Whether it is another person or the same one anew nobody here can tell. Raises SignInFailure
    where the known one's access has ended.
    """
    if not row.user.is_active and row.deleted_at is None:
        raise SignInFailure("inactive", username=row.user.get_username())
    logger.warning("%s is tied to another subject; %s is not tied", row.user, claims["sub"])
    other = create_user(claims)
    row.beside.add(other)
    return other
