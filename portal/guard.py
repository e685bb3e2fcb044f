"""Lets a page through only when policy allows it; a refusal says why, and is audited."""

from typing import TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest
from django.utils import timezone

from portal import audit
from portal.access import actor_for
from portal.policy import Actor, Decision, Target, decide

M = TypeVar("M", bound=Model)

audit.register("page.deny", "was refused a page")


class Denied(PermissionDenied):
    """A refusal with its decision, which 403.html shows."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person as policy sees them, read once per request.

    For deciding what a page shows; a write reads the actor anew (portal.access.fresh_actor).
    """
    actor: Actor | None = getattr(request, "stagedoor_actor", None)
    if actor is None:
        actor = actor_for(request.user)
        request.stagedoor_actor = actor  # type: ignore[attr-defined]
    return actor


def require(request: HttpRequest, action: str, target: Target) -> Decision:
    """The decision where it allows; else an audit event and Denied, which answers 403."""
    actor = actor_of(request)
    decision = decide(actor, action, target, now=timezone.now())
    if not decision.allowed:
        audit.record(
            "page.deny",
            actor=actor,
            target=target.label,
            outcome="denied",
            decision=decision,
            request=request,
            data={"action": action},
        )
        raise Denied(decision)
    return decision


def found_or_404(rows: QuerySet[M], sentence: str, **where: object) -> M:
    """The one row, else Http404 with the sentence that is said of what may not be seen: Django's
    own would tell the two apart."""
    found = rows.filter(**where).first()
    if found is None:
        raise Http404(sentence)
    return found


def require_seen(request: HttpRequest, action: str, target: Target, sentence: str) -> None:
    """Lets through whoever may see the target. For anybody else it is not there: Http404 with the
    sentence that is said of what does not exist. The trail says why."""
    try:
        require(request, action, target)
    except Denied:
        raise Http404(sentence) from None
