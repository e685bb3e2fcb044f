"""What the portal itself writes into the audit trail about a trigger, in the name of who asked."""

from typing import Any

from pipelines.models import Trigger
from portal import audit
from portal.policy import Decision


def note(
    trigger: Trigger,
    action: str,
    outcome: str = "ok",
    reason: str = "",
    *,
    decision: Decision | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """An audit event by the portal itself, on behalf of who asked."""
    audit.record(
        action,
        on_behalf_of=trigger.asked_by,
        target=target_of(trigger),
        outcome=outcome,
        decision=decision,
        request_id=str(trigger.request_id),
        reason=reason,
        data={**about(trigger), **(data or {})},
    )


def target_of(trigger: Trigger) -> str:
    """The pipeline, as every event about it names it."""
    return f"{trigger.pipeline.server.slug}:{trigger.pipeline.external_id}"


def about(trigger: Trigger) -> dict[str, str]:
    """What every event about a trigger tells besides its person, target and request id."""
    return {
        "action": trigger.action,
        "team": trigger.team,
        "entity": trigger.entity.ref if trigger.entity else "",
        "environment": trigger.environment.slug if trigger.environment else "",
    }
