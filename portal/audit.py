"""The audit trail's only writer: `record()`."""

from typing import Any

from django.http import HttpRequest

from portal.access import display_name
from portal.models import AuditEvent
from portal.policy import Actor, Decision
from portal.text import storable

SYSTEM = "Stagedoor"
# action -> what a reader of the trail sees
ACTIONS: dict[str, str] = {}
SECRET_WORDS = ("token", "secret", "password", "authorization", "cookie", "api_key", "private_key")
REDACTED = "(redacted)"
MAX_TEXT = 10_000


def register(action: str, label: str) -> None:
    """Makes an action name known; record() refuses others, so that names don't drift."""
    ACTIONS[action] = label


for _action, _label in {
    "signin": "signed in",
    "signin.failed": "failed to sign in",
    "signout": "signed out",
    "admin.add": "added in admin",
    "admin.change": "changed in admin",
    "admin.delete": "deleted in admin",
}.items():
    register(_action, _label)


def record(
    action: str,
    *,
    actor: Actor | None = None,
    user: Any = None,
    on_behalf_of: str = "",
    target: str = "",
    outcome: str = "ok",
    decision: Decision | None = None,
    request: HttpRequest | None = None,
    request_id: str = "",
    reason: str = "",
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    """Writes one event, in the caller's transaction if there is one.

    The person is `actor` or `user`; neither means the portal itself. `data` is plain JSON; values
    whose key names a secret are redacted. Raises KeyError for an unregistered action.
    """
    if action not in ACTIONS:
        raise KeyError(f"audit action {action!r} is not registered")
    actor_id, name = _who(actor, user)
    if actor is not None and actor.agent:  # both names: who did it, and for whom
        name, on_behalf_of = f"{actor.agent} (agent)", on_behalf_of or actor.name
    return AuditEvent.objects.create(
        action=action,
        outcome=outcome,
        actor_id=actor_id,
        actor=storable(name, 200),
        on_behalf_of=storable(on_behalf_of, 200),
        target=storable(target, 400),
        rule=decision.rule if decision else "",
        reason=storable(reason or (decision.reason if decision else ""), 500),
        request_id=request_id or getattr(request, "request_id", ""),
        ip=request.META.get("REMOTE_ADDR") or None if request else None,
        data=redact(data or {}),
    )


def redact(value: Any) -> Any:
    """A copy of JSON data that can be stored; what stands under a secret's name is hidden."""
    if isinstance(value, dict):
        return {key: REDACTED if _secret(key) else redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return storable(value, MAX_TEXT) if isinstance(value, str) else value


def _secret(key: object) -> bool:
    # A reference ("env:NAME") says where a secret is kept, which an auditor needs to see.
    name = str(key).lower()
    return not name.endswith("_ref") and any(word in name for word in SECRET_WORDS)


def _who(actor: Actor | None, user: Any) -> tuple[int | None, str]:
    if actor is not None:
        return actor.user_id, actor.name
    if user is not None and getattr(user, "pk", None) is not None:
        return user.pk, display_name(user)
    return None, SYSTEM
