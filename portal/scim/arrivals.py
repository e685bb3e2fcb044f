"""Whom SCIM has announced, when they sign in; without what speaks SCIM, which takes 30 MB."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from portal.identities import users_of
from portal.models import Identity

# Who says so where the subject of sign-ins is not what SCIM sends.
SCIM_ISSUER = "scim"


def provisioned(claims: dict[str, Any]) -> User | None:
    """Whom SCIM made for this sign-in, found by the claim that holds what SCIM sent.

    Where that is "sub" itself, the identity is there already.
    """
    claim = settings.SCIM_SUBJECT_CLAIM
    value = claims.get(claim)
    if not settings.SCIM_TOKEN or claim == "sub" or not isinstance(value, str):
        return None
    user = users_of(SCIM_ISSUER, value).first()
    if user is None:
        return None
    known, _ = Identity.objects.get_or_create(
        issuer=claims["iss"], subject=claims["sub"], defaults={"user": user}
    )
    return known.user  # a parallel sign-in may have come first
