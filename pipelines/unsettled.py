"""Uncertain requests and who can say what became of them: the list for people, and its count."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils import timezone

from catalog.models import Entity
from pipelines.calls import WITHOUT_BUILD
from pipelines.facts import Facts, facts_of
from pipelines.models import Trigger
from pipelines.outbox import MAX_LOOKUPS, State
from pipelines.queries import settles_itself
from pipelines.seen import SeenBuilds
from pipelines.settling import may_settle
from portal.policy import Actor, Decision, Grant, Target

# More than these at once are an outage, which is not settled one by one.
MAX_LISTED = 100
PERMISSION = "trigger.settle"


@dataclass(frozen=True)
class Unsettled:
    """One request of which nobody knows what became, as one person sees it."""

    trigger: Trigger
    settle: Decision

    @property
    def looks_itself(self) -> bool:
        """Stagedoor still asks the server by itself."""
        return settles_itself(self.trigger)

    @property
    def gives_build(self) -> bool:
        return self.trigger.action not in WITHOUT_BUILD


def unsettled(actor: Actor) -> list[Unsettled]:
    """The newest uncertain requests that the person may see; their own always, and first."""
    uncertain = Trigger.objects.filter(state=State.UNCERTAIN)
    mine = uncertain.filter(actor=actor.user_id) if actor.user_id else uncertain.none()
    others = uncertain.exclude(actor=actor.user_id).filter(in_scope(seeing(actor)))
    return _items(actor, mine, others)


def may_list(actor: Actor) -> bool:
    """Whether the person may see builds of anything at all; unsettled() then decides row by row."""
    return bool(seeing(actor))


def to_settle(actor: Actor) -> int:
    """How many wait for this person's word; those that Stagedoor still looks up don't."""
    grants = grants_with(actor, PERMISSION)
    if not grants:
        return 0
    if any(grant.scope_kind == "everything" and not grant.environment for grant in grants):
        return Trigger.objects.filter(state=State.UNCERTAIN, lookups__gte=MAX_LOOKUPS).count()
    waiting = Trigger.objects.filter(state=State.UNCERTAIN, lookups__gte=MAX_LOOKUPS)
    theirs = waiting.filter(in_scope(grants))
    return sum(item.settle.allowed for item in _items(actor, theirs))


def _items(actor: Actor, *rows: QuerySet[Trigger]) -> list[Unsettled]:
    related = ("pipeline__server", "entity__source", "environment", "build")
    found: list[Trigger] = []
    for some in rows:
        found += some.select_related(*related)[: MAX_LISTED - len(found)]
    facts = facts_by_entity(found)
    return [
        Unsettled(trigger, may_settle(actor, trigger, facts[trigger.entity_id]))
        for trigger in found
    ]


def grants_with(actor: Actor, permission: str) -> list[Grant]:
    """The grants that hold this permission; none of somebody who may not act."""
    return [grant for grant in actor.grants if actor.active and permission in grant.permissions]


def seeing(actor: Actor) -> list[Grant]:
    """The grants by which the person sees builds; as for a build's page, which belongs to no
    environment and is asked for no branch."""
    builds, now = Target("builds"), timezone.now()
    held = grants_with(actor, "build.view")
    return [grant for grant in held if not grant.environment and not grant.problem(builds, now)]


def in_scope(grants: Iterable[Grant]) -> Q:
    """Requests whose service or pipeline a grant covers. Chosen before any are cut off: a hundred
    of another team's must not hide this one's."""
    scopes = frozenset((grant.scope_kind, grant.scope_ref) for grant in grants)
    return SeenBuilds(scopes).of_triggers()


def facts_by_entity(triggers: Iterable[Trigger]) -> dict[int | None, Facts]:
    """Read once for each service, however many requests it has."""
    entities: dict[int | None, Entity | None] = {
        trigger.entity_id: trigger.entity for trigger in triggers
    }
    return {pk: facts_of(entity, []) for pk, entity in entities.items()}
