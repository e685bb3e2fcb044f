"""Keeps groups of GitHub and Bitbucket true between sign-ins, by an hourly reading of all members.

Whoever is in none of the organisations any more loses what they gave, and their access where they
came in by no other provider. A reading that failed changes nothing and is shown as failed.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from portal import audit, leaving
from portal.memberships import replace_groups, set_admin, usable
from portal.models import GroupReading, Identity
from portal.social.configuration import BITBUCKET, GITHUB, Door
from portal.social.members import Members, read_members
from portal.social.paging import NotRead

# So many of those known here may be gone in one reading; more are a person's to look at.
MAX_GONE, MAX_GONE_SHARE = 5, 0.3


def read_all(now: datetime) -> None:
    """Each provider that people sign in through and a credential is set for."""
    tokens = {
        GITHUB: settings.GITHUB_MEMBERS_TOKEN,
        BITBUCKET: settings.BITBUCKET_MEMBERS_TOKEN,
    }
    for provider, token in tokens.items():
        door = settings.SIGNIN_DOORS.get(provider)
        if door is not None and token:
            read(door, now)


def read(door: Door, now: datetime) -> GroupReading:
    """One reading, and what became of it."""
    try:
        members = read_members(door)
        _check(door, members)
    except NotRead as error:
        values: dict[str, object] = {"tried_at": now, "error": str(error)[:300]}
    else:
        for identity in Identity.objects.filter(issuer=door.issuer).select_related("user"):
            _apply(door, identity, members.groups.get(identity.subject, set()))
        values = {"tried_at": now, "read_at": now, "error": "", "note": members.note}
        values["people"] = len(members.groups)
    reading, _ = GroupReading.objects.update_or_create(provider=door.provider, defaults=values)
    return reading


def _check(door: Door, members: Members) -> None:
    """Raises NotRead where so many are missing that the reading is not believed."""
    known = Identity.objects.filter(issuer=door.issuer, user__is_active=True).exclude(groups=[])
    subjects = set(known.values_list("subject", flat=True))
    gone = len(subjects - set(members.groups))
    if gone > max(MAX_GONE, MAX_GONE_SHARE * len(subjects)):
        raise NotRead(
            f"{gone} of {len(subjects)} people would lose everything at once; that is not "
            "believed. Deactivate those who left, or check the credential."
        )


@transaction.atomic
def _apply(door: Door, identity: Identity, names: set[str]) -> None:
    user, groups = identity.user, sorted(name for name in names if usable(name, door.prefix))
    confirmed_at = timezone.now() if groups else None
    Identity.objects.filter(pk=identity.pk).update(groups=groups, confirmed_at=confirmed_at)
    changes = [*replace_groups(user, door.prefix, groups), *set_admin(user)]
    if not changes:
        return
    why = f"As {door.label} tells who belongs to what."
    data = {"what": changes, "person": user.get_username()}
    audit.record("signin.groups", target=f"user: {user.get_username()}", reason=why, data=data)
    if not groups and not user.identities.exclude(issuer=door.issuer).exists():
        reason = f"No longer a member of anything at {door.label} that may sign in here."
        leaving.end_access(user, why=reason, deactivate=False)
