"""What waits to be sent ends with the API token that asked for it.

Called by portal.api_tokens through a hook, in its transaction; `sweep()` finds what a lost hook has
left, and tokens that expired. Dispatch asks for the token again, whatever became of both.
"""

from django.db.models import Q
from django.utils import timezone

from pipelines import outbox
from pipelines.models import Trigger
from pipelines.outbox import State
from pipelines.trigger_trail import note
from portal import audit

audit.register("trigger.token_ended", "withdrew a request because its API token ended")

WAITING = (State.AWAITING, State.QUEUED)
RELATED = ("pipeline__server", "entity", "environment", "token")
# What is ended at once; what is left over is found by the next sweep.
MAX_SWEPT = 50


def end(token_id: int) -> int:
    """Takes back what the token asked for and is not sent yet; how much that was."""
    return _withdraw(Q(token=token_id))


def sweep() -> int:
    """The same for all tokens that were revoked or have expired."""
    over = Q(token__revoked_at__isnull=False) | Q(token__expires_at__lte=timezone.now())
    return _withdraw(over)


def _withdraw(which: Q) -> int:
    rows = Trigger.objects.filter(which, state__in=WAITING)
    found = rows.select_related(*RELATED).order_by("pk")[:MAX_SWEPT]
    return sum(_take_back(trigger) for trigger in found)


def _take_back(trigger: Trigger) -> bool:
    name = f"“{trigger.token.name}”" if trigger.token else "that asked for it"
    why = f"The API token {name} has ended."
    if not outbox.move(trigger.pk, WAITING, State.WITHDRAWN, message=why):
        return False
    note(trigger, "trigger.token_ended", reason=why)
    return True
