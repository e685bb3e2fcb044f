"""What a person has to do with the catalog: what they may see, own, and have starred."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.http import HttpRequest

from catalog import kept
from catalog.models import Entity, Star, TeamClosure
from catalog.people import teams_of
from catalog.seen import NOTHING, Seen, seen_of
from portal.guard import actor_of


@dataclass(frozen=True)
class Mine:
    """What they may see, which without a word is nothing; and refs: the teams (and the person)
    whose things are theirs, and the entities with a star."""

    seen: Seen = NOTHING
    owners: frozenset[str] = frozenset()
    stars: frozenset[str] = frozenset()


NOBODY = Mine()


def mine_of(request: HttpRequest, version: int) -> Mine:
    """The signed-in person's; one query, and three more once per version of the catalog."""
    if not isinstance(request.user, User):
        return NOBODY
    user, actor = request.user, actor_of(request)
    # The key is everything that the answer is made of, so nobody is given another's.
    key = kept.key("owners", version, actor.user_ref, sorted(actor.groups))
    owners = kept.value(key, lambda: frozenset({actor.user_ref} - {""} | _team_refs(user)))
    stars = Star.objects.filter(user=user).values_list("entity_ref", flat=True)
    return Mine(seen_of(request), owners, frozenset(stars))


def _team_refs(user: User) -> set[str]:
    teams = list(teams_of(user).values_list("pk", "ref"))
    # Made of sources trusted for it alone, and asked again here, for trust may be withdrawn.
    below = TeamClosure.objects.filter(
        ancestor__in=[pk for pk, _ in teams],
        descendant__source__trusted_for_org=True,
        ancestor__source__trusted_for_org=True,
        descendant__state=Entity.State.ACTIVE,
    )
    return {ref for _, ref in teams} | set(below.values_list("descendant__ref", flat=True))
