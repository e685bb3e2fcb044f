"""People with roles in tests."""

from django.contrib.auth.models import Group, User

from portal.models import Role, RoleMapping


def give(user: User, role: str, scope_kind: str = "everything", scope_ref: str = "") -> User:
    """The person holds the role there, by a group of their own."""
    group = Group.objects.create(name=f"idp:{user.username}-{role}-{scope_ref}")
    user.groups.add(group)
    RoleMapping.objects.create(
        group=group.name,
        role=Role.objects.get(slug=role),
        scope_kind=scope_kind,
        scope_ref=scope_ref,
    )
    return user
