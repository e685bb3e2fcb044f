"""Uncertain requests and who can say what became of them: the list for people, and its count."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from catalog.models import Entity
from pipelines.calls import WITHOUT_BUILD
from pipelines.facts import Facts, facts_of
from pipelines.models import Trigger
from pipelines.outbox import MAX_LOOKUPS, State
from pipelines.queries import settles_itself
from pipelines.settling import may_settle
from portal.policy import Actor, Decision, Target, decide

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
    """The newest uncertain requests that the person may see; their own always."""
    related = ("pipeline__server", "entity__source", "environment", "build")
    rows = Trigger.objects.filter(state=State.UNCERTAIN).select_related(*related)
    triggers = list(rows[:MAX_LISTED])
    facts = _facts(triggers)
    return [
        Unsettled(trigger, may_settle(actor, trigger, facts[trigger.entity_id]))
        for trigger in triggers
        if trigger.actor_id == actor.user_id or _may_see(actor, facts[trigger.entity_id])
    ]


def to_settle(actor: Actor) -> int:
    """How many wait for this person's word; those that Stagedoor still looks up don't."""
    grants = [grant for grant in actor.grants if PERMISSION in grant.permissions]
    if not actor.active or not grants:
        return 0
    if any(grant.scope_kind == "everything" and not grant.environment for grant in grants):
        return Trigger.objects.filter(state=State.UNCERTAIN, lookups__gte=MAX_LOOKUPS).count()
    return sum(item.settle.allowed and not item.looks_itself for item in unsettled(actor))


def _facts(triggers: Iterable[Trigger]) -> dict[int | None, Facts]:
    """Read once for each service, however many requests it has."""
    entities: dict[int | None, Entity | None] = {
        trigger.entity_id: trigger.entity for trigger in triggers
    }
    return {pk: facts_of(entity, []) for pk, entity in entities.items()}


def _may_see(actor: Actor, facts: Facts) -> bool:
    target = Target(str(facts.entity or "this request"), facts.scopes)
    return decide(actor, "build.view", target, now=timezone.now()).allowed
