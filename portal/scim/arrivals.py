"""Whom SCIM has announced, when they sign in; without what speaks SCIM, which takes 30 MB."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from portal.identities import users_of
from portal.models import Identity

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
        # The lock keeps two subjects that arrive at once from both being tied.
        user = users_of(SCIM_ISSUER, value).select_for_update(of=("self",)).first()
        if user is None:
            return None
        tied = set(user.identities.filter(issuer=claims["iss"]).values_list("subject", flat=True))
        if tied - {claims["sub"]}:
            logger.warning("%s is tied to another subject; %s is not tied", user, claims["sub"])
            return None
        known, _ = Identity.objects.get_or_create(
            issuer=claims["iss"], subject=claims["sub"], defaults={"user": user}
        )
        return known.user  # a parallel sign-in may have come first
