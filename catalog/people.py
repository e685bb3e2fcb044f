"""Which teams a person is in: by the catalog's word and by the identity provider's groups.

Both count only from sources that an admin trusts for it; anyone who can edit a descriptor could
otherwise join any team.
"""

from collections import defaultdict

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
    """The teams that the person is in, and those above them, as subjects of role mappings."""
    above = _trusted(descendant__memberships__user_ref=user_ref)
    refs = above.values_list("ancestor__ref", flat=True).distinct().order_by("ancestor__ref")
    return [f"team:{ref}" for ref in refs]


def subjects_of_all() -> dict[str, list[str]]:
    """The same of everybody, by user ref; one query."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = _trusted().values_list("descendant__memberships__user_ref", "ancestor__ref")
    for user_ref, ref in rows.distinct().order_by("ancestor__ref"):
        found[user_ref].append(f"team:{ref}")
    return found


def _trusted(**also: str) -> QuerySet[TeamClosure]:
    """Teams with those above them. Trust is asked again of all three: who says the membership, the
    team, and what is above it; in one filter, for it has to be the same membership."""
    return TeamClosure.objects.filter(
        descendant__memberships__origin__trusted_for_org=True,
        descendant__source__trusted_for_org=True,
        descendant__state=Entity.State.ACTIVE,
        ancestor__source__trusted_for_org=True,
        ancestor__state=Entity.State.ACTIVE,
        **also,
    )
