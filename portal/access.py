"""Loads the facts that policy needs: a user becomes an Actor with grants."""

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

from portal.models import Identity, Role, RoleMapping, UserLink
from portal.policy import ANONYMOUS, Actor, Conditions, Grant

EVERYBODY = "everybody signed in"


def actor_for(user: AbstractBaseUser | AnonymousUser | None) -> Actor:
    """The person with the grants that hold now: read anew at each call, five queries.

    Superusers get nothing here: they open Django admin, never a pipeline.
    """
    if not isinstance(user, User) or not user.is_authenticated:
        return ANONYMOUS
    groups = frozenset(user.groups.values_list("name", flat=True))
    link = UserLink.objects.filter(user=user).values_list("user_ref", flat=True).first()
    return Actor(
        user_id=user.pk,
        name=display_name(user),
        active=user.is_active,
        user_ref=link or "",
        groups=groups,
        grants=_grants(groups),
        incomplete=_incomplete(user),
    )


def _incomplete(user: User) -> str:
    """Why not all of the person's groups are known; "" when they are."""
    found = Identity.objects.filter(user=user).exclude(incomplete="")
    return found.values_list("incomplete", flat=True).first() or ""


def fresh_actor(user_id: int | None) -> Actor:
    """As actor_for(), by id: for work that runs after the person's request has ended."""
    return actor_for(User.objects.filter(pk=user_id).first())


def display_name(user: AbstractBaseUser) -> str:
    """The name people know them by, else the user name."""
    full = getattr(user, "get_full_name", str)()
    return str(full or user.get_username())


def _grants(groups: frozenset[str]) -> tuple[Grant, ...]:
    mappings = RoleMapping.objects.filter(group__in=groups).select_related("role")
    grants = [
        Grant(
            role=mapping.role.name,
            permissions=frozenset(mapping.role.permissions),
            scope_kind=mapping.scope_kind,
            scope_ref=mapping.scope_ref,
            environment=mapping.environment,
            mapping_id=mapping.pk,
            group=mapping.group,
            conditions=Conditions(mapping.branches, mapping.parameters, mapping.hours),
        )
        for mapping in mappings
    ]
    default = Role.objects.filter(slug=settings.DEFAULT_ROLE).first()
    if default is not None:
        grants.append(
            Grant(
                default.name, frozenset(default.permissions), "everything", "", "", None, EVERYBODY
            )
        )
    return tuple(grants)
