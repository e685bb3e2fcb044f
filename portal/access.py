"""Loads the facts that policy needs: a user becomes an Actor with grants."""

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import Exists

from portal import hooks
from portal.group_age import why_incomplete
from portal.models import Role, RoleMapping, UserLink
from portal.policy import ANONYMOUS, Actor, Conditions, Grant

EVERYBODY = "everybody signed in"
# Mappings of the catalog's teams; who is in one, only the catalog knows.
TEAM = "team:"


def actor_for(user: AbstractBaseUser | AnonymousUser | None) -> Actor:
    """The person with the grants that hold now: read anew at each call, five queries, and what the
    catalog asks where roles are mapped from its teams.

    Superusers get nothing here: they open Django admin, never a pipeline.
    """
    if not isinstance(user, User) or not user.is_authenticated:
        return ANONYMOUS
    names = user.groups.values_list("name", flat=True)
    # Only the catalog says who is in a team, whatever a group is called.
    groups = frozenset(name for name in names if not name.startswith(TEAM))
    teams = Exists(RoleMapping.objects.filter(group__startswith=TEAM))
    links = UserLink.objects.filter(user=user).values_list("user_ref", teams)
    user_ref, of_teams = links.first() or ("", False)
    if of_teams:
        groups |= team_subjects(user_ref)
    return Actor(
        user_id=user.pk,
        name=display_name(user),
        active=user.is_active,
        user_ref=user_ref,
        groups=groups,
        grants=(*mapped_grants(groups), *default_grant()),
        incomplete=why_incomplete(user.pk),
    )


def fresh_actor(user_id: int | None) -> Actor:
    """As actor_for(), by id: for work that runs after the person's request has ended."""
    return actor_for(User.objects.filter(pk=user_id).first())


def display_name(user: AbstractBaseUser) -> str:
    """The name people know them by, else the user name."""
    full = getattr(user, "get_full_name", str)()
    return str(full or user.get_username())


def team_subjects(user_ref: str) -> frozenset[str]:
    """The teams that the catalog has the person in, as subjects of mappings; none if it fails."""
    answers = hooks.subjects_of.call(user_ref) if user_ref else []
    return frozenset(name for names in answers for name in names if name.startswith(TEAM))


def mapped_grants(groups: frozenset[str] | None = None) -> list[Grant]:
    """What the mappings of these groups give, or of all; one query."""
    mappings = RoleMapping.objects.select_related("role")
    return [
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
        for mapping in (mappings if groups is None else mappings.filter(group__in=groups))
    ]


def default_grant() -> list[Grant]:
    """What everybody signed in holds."""
    default = Role.objects.filter(slug=settings.DEFAULT_ROLE).first()
    if default is None:
        return []
    allowed = frozenset(default.permissions)
    return [Grant(default.name, allowed, "everything", "", "", None, EVERYBODY)]
