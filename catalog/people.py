"""Which teams a person is in: by the catalog's word and by the identity provider's groups.

Both count only from sources that an admin trusts for it; anyone who can edit a descriptor could
otherwise join any team.
"""

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTransform

from catalog.models import Entity, Team, TeamClosure
from portal.models import UserLink

# On a Group entity: the identity provider's group whose members are in this team, with or without
# the provider's prefix.
IDP_GROUP_ANNOTATION = "stagedoor.io/idp-group"


def teams_of(user: User) -> QuerySet[Team]:
    """The active teams that the person is directly in, by title and name."""
    names = set(user.groups.values_list("name", flat=True))
    names |= {name.partition(":")[2] for name in names if ":" in name}
    link = UserLink.objects.filter(user=user).values_list("user_ref", flat=True).first()
    annotations = KeyTransform("annotations", KeyTransform("metadata", "document"))
    by_group = Q(idp_group__in=sorted(names))
    by_catalog = Q(memberships__user_ref=link, memberships__origin__trusted_for_org=True)
    return (
        Team.objects.alias(idp_group=KeyTransform(IDP_GROUP_ANNOTATION, annotations))
        .filter(state=Entity.State.ACTIVE, source__trusted_for_org=True)
        .filter(by_group | by_catalog if link else by_group)
        .order_by("title", "name")
        .distinct()
    )


def subjects_of(user_ref: str) -> list[str]:
    """The teams that the person is in, and those above them, as subjects of role mappings.

    Trust is asked again of all three: who says the membership, the team, and what is above it.
    """
    above = TeamClosure.objects.filter(
        descendant__memberships__user_ref=user_ref,
        descendant__memberships__origin__trusted_for_org=True,
        descendant__source__trusted_for_org=True,
        descendant__state=Entity.State.ACTIVE,
        ancestor__source__trusted_for_org=True,
        ancestor__state=Entity.State.ACTIVE,
    )
    refs = above.values_list("ancestor__ref", flat=True).distinct().order_by("ancestor__ref")
    return [f"team:{ref}" for ref in refs]
