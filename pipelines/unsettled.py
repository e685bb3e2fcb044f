"""Uncertain requests and who can say what became of them: the list for people, and its count."""

from dataclasses import dataclass

from pipelines.calls import WITHOUT_BUILD
from pipelines.models import Trigger
from pipelines.outbox import State
from pipelines.queries import settles_itself
from pipelines.settling import may_settle
from portal.policy import Actor, Decision

# More than these at once are an outage, which is not settled one by one.
MAX_LISTED = 200


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
    """The newest uncertain requests, the person's decision with each."""
    related = ("pipeline__server", "entity__source", "environment", "build")
    rows = Trigger.objects.filter(state=State.UNCERTAIN).select_related(*related)
    return [Unsettled(trigger, may_settle(actor, trigger)) for trigger in rows[:MAX_LISTED]]


def to_settle(actor: Actor) -> int:
    """How many wait for this person's word; those that Stagedoor still looks up don't."""
    if not any("trigger.settle" in grant.permissions for grant in actor.grants):
        return 0
    return sum(item.settle.allowed and not item.looks_itself for item in unsettled(actor))
