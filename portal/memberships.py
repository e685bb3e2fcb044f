"""A person's groups by who says so: each origin has its prefix, and replaces only its own."""

from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction

from portal.group_age import doubtful, issuers, oldest
from portal.models import Identity
from portal.subjects import origins

MAX_GROUP_NAME = 150  # auth.Group.name
MAX_TOLD = 100


def usable(name: str, prefix: str) -> bool:
    """Whether a group of that name can be kept: printable, not empty, not too long."""
    return name.isprintable() and 0 < len(name) <= MAX_GROUP_NAME - len(prefix)


@transaction.atomic
def replace_groups(user: User, prefix: str, names: Iterable[str]) -> list[str]:
    """Makes these the person's groups of that prefix; what changed, for the audit trail."""
    wanted = {prefix + name for name in names}
    held = dict(user.groups.filter(name__startswith=prefix).values_list("name", "pk"))
    new = wanted - set(held)
    # In one order for everybody: two sign-ins that wait for each other's new groups would deadlock.
    made = [Group(name=name) for name in sorted(new)]
    Group.objects.bulk_create(made, ignore_conflicts=True)
    user.groups.add(*Group.objects.filter(name__in=new).values_list("pk", flat=True))
    user.groups.remove(*[pk for name, pk in held.items() if name not in wanted])
    # Such a group stands for roles only; a Django permission on it would open the admin.
    Group.permissions.through.objects.filter(group__name__startswith=prefix).delete()
    return [*_told("joined", new), *_told("left", set(held) - wanted)]


def _told(verb: str, names: set[str]) -> list[str]:
    """For the trail, which does not repeat thousands of names at each sign-in."""
    told = [f"{verb} {name}" for name in sorted(names)[:MAX_TOLD]]
    more = len(names) - len(told)
    return [*told, f"{verb} {more} more"] if more else told


def set_admin(user: User) -> list[str]:
    """Opens or closes Django admin as the person's groups say; what changed.

    OIDC_ADMIN_GROUPS are groups of the OIDC provider; ADMIN_GROUPS have their prefix. Whose groups
    are known in part only, or have long not been confirmed, is no administrator, as policy lets
    them do nothing else either.
    """
    changes = _forget_origins(user)
    names = [f"{settings.OIDC_ISSUER_SLUG}:{name}" for name in settings.OIDC_ADMIN_GROUPS]
    names += settings.ADMIN_GROUPS
    known = not doubtful().filter(user=user).exists()
    admin = known and bool(names) and user.groups.filter(name__in=names).exists()
    if (user.is_staff, user.is_superuser) == (admin, admin):
        return changes
    user.is_staff = user.is_superuser = admin
    user.save(update_fields=["is_staff", "is_superuser"])
    return [*changes, "became administrator" if admin else "is no longer administrator"]


def _forget_origins(user: User) -> list[str]:
    """Takes away what providers said that are set up no more, once it has aged: nobody confirms it,
    and it would let the person only read, whatever else confirms their groups."""
    known = issuers()
    mine = Identity.objects.filter(user=user)
    aged = mine.filter(confirmed_at__lte=oldest()).exclude(issuer__in=known)
    if not aged.update(groups=[], incomplete="", confirmed_at=None):
        return []
    kept = {"scim:", "team:"}
    for issuer in mine.filter(issuer__in=known).values_list("issuer", flat=True):
        kept.update(known[issuer])
    gone = [prefix for prefix in origins() if prefix not in kept]
    return [line for prefix in gone for line in replace_groups(user, prefix, [])]
