"""Whether a caller may do what changes something: by the token's own grants, and audited.

What is done then asks again, as the person; a token only ever takes something away from that.
"""

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from portal import audit
from portal.api_denials import for_the_trail
from portal.api_errors import ApiError
from portal.api_tokens import Caller
from portal.explain import told
from portal.policy import Decision, Target, decide


def require(request: HttpRequest, caller: Caller, action: str, target: Target) -> User:
    """The person, where policy allows it. Raises ApiError 403."""
    return allowed(request, caller, action, target.label, decide_now(caller, action, target))


def allowed(
    request: HttpRequest, caller: Caller, action: str, label: str, decision: Decision
) -> User:
    """The person, where this decision allows it; else an audit event and ApiError 403."""
    if not decision.allowed:
        if for_the_trail(caller.token_id, action, label):
            audit.record(
                "page.deny",
                actor=caller.actor,
                target=label,
                outcome="denied",
                decision=decision,
                request=request,
                data={"action": action, "api": caller.token_name},
            )
        message = f"{decision.sentence} A token may do no more than was chosen for it."
        raise ApiError(403, message, told(decision))
    return User.objects.get(pk=caller.actor.user_id)


def decide_now(caller: Caller, action: str, target: Target) -> Decision:
    return decide(caller.actor, action, target, now=timezone.now())
