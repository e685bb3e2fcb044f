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

from portal.group_claims import CLAIM_PREFIX, GroupRules, Groups, read_groups
from portal.kept_claims import kept_claims
from portal.kept_rules import kept_rules, todays_rules
from portal.memberships import replace_groups, set_admin
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

    The groups of this provider's prefixes are replaced by those that arrived, also where more may
    be missing: what an earlier sign-in brought does not linger. Other origins are left alone.
    """
    rules = todays_rules()
    groups = read_groups(claims, rules)
    changes = [
        *replace_groups(user, rules.prefix, groups.names(rules.prefix)),
        *replace_groups(user, CLAIM_PREFIX, groups.names(CLAIM_PREFIX)),
        *_note_arrival(claims, groups, rules),
        *set_admin(user),
    ]
    set_names(user, claims)
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
    return todays_rules().prefix


def group_label(group: str) -> str:
    """A group as people know it: without the provider's prefix, an id by its name."""
    name = group.removeprefix(prefix())
    return str(settings.OIDC_GROUP_NAMES.get(name, name))


def _note_arrival(claims: dict[str, Any], groups: Groups, rules: GroupRules) -> list[str]:
    """Keeps what arrived, for the person to look at, and whether groups may be missing."""
    identity = Identity.objects.only("incomplete").get(issuer=claims["iss"], subject=claims["sub"])
    before = identity.incomplete
    identity.groups = groups.names(rules.prefix)
    identity.claims = kept_claims(claims)
    identity.rules = kept_rules()
    identity.incomplete = "" if groups.complete else groups.why
    identity.seen_at = identity.confirmed_at = timezone.now()
    identity.save(
        update_fields=["groups", "claims", "rules", "incomplete", "seen_at", "confirmed_at"]
    )
    if groups.left_out:
        logger.warning(
            "groups of %s: %d of %d left out", claims["sub"], groups.left_out, len(groups.arrived)
        )
    if bool(before) == bool(identity.incomplete):
        return []
    return [f"not all groups are known: {groups.why}"] if groups.why else ["all groups are known"]


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
