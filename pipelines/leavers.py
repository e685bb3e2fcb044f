"""What ends in this room when a person's access ends: their requests, their word, their schedules.

Called by portal.leaving through a hook, in its transaction. What is being sent at that moment is
not touched: dispatch decides again before it sends, and counts only approvers who may approve
then. `sweep()` repeats what a failed hook has left.
"""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from pipelines import outbox
from pipelines.models import Approval, StandingTrigger, Trigger
from pipelines.outbox import State
from pipelines.standing_triggers import end
from pipelines.trigger_trail import note
from portal import audit
from portal.access import display_name

audit.register("trigger.ended", "withdrew a request because its person's access ended")
audit.register("approval.void", "no longer counts an approval")

Counts = dict[tuple[str, str], int]
# Not sent yet. What is `dispatching` is in a worker's hands.
WAITING = (State.AWAITING, State.QUEUED)
RELATED = ("pipeline__server", "entity", "environment")
APPROVED = Q(verdict=Approval.Verdict.APPROVE, trigger__state__in=WAITING)
# What one sweep ends; what is left over is found by the next.
MAX_SWEPT = 50


@transaction.atomic
def end_access(user: User) -> Counts:
    """Ends what waits in the person's name; how much, with how to say one and several of it."""
    why = f"The access of {display_name(user)} ended."
    waiting = Trigger.objects.filter(actor=user, state__in=WAITING).select_related(*RELATED)
    approvals = Approval.objects.filter(APPROVED, approver=user).select_related(
        *(f"trigger__{name}" for name in RELATED)
    )
    standing = StandingTrigger.objects.filter(owner=user, ended_at=None)
    return {
        ("request withdrawn", "requests withdrawn"): sum(_withdraw(row, why) for row in waiting),
        ("approval void", "approvals void"): sum(_void(row, why) for row in approvals),
        ("standing trigger", "standing triggers"): sum(end(row, why) for row in standing),
    }


def sweep() -> int:
    """Ends again what waits in the name of deactivated people; how many people that were."""
    waiting = Trigger.objects.filter(state__in=WAITING, actor__is_active=False)
    approvals = Approval.objects.filter(APPROVED, approver__is_active=False)
    standing = StandingTrigger.objects.filter(ended_at=None, owner__is_active=False)
    people = (
        Q(pk__in=waiting.values("actor"))
        | Q(pk__in=approvals.values("approver"))
        | Q(pk__in=standing.values("owner"))
    )
    found = list(User.objects.filter(people)[:MAX_SWEPT])
    for user in found:
        end_access(user)
    return len(found)


def _withdraw(trigger: Trigger, why: str) -> bool:
    if not outbox.move(trigger.pk, WAITING, State.WITHDRAWN, message=why):
        return False
    note(trigger, "trigger.ended", reason=why)
    return True


def _void(approval: Approval, why: str) -> bool:
    """Takes an approval away; a request that then has too few waits for another one."""
    if not Approval.objects.filter(pk=approval.pk).delete()[0]:
        return False
    note(approval.trigger, "approval.void", reason=why)
    queued = Trigger.objects.filter(pk=approval.trigger_id, state=State.QUEUED)
    queued.exclude(outbox.approved()).update(state=State.AWAITING)
    return True
