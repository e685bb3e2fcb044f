"""Who may do what where, and why: one pure function, `decide()`.

Page, request, dispatch, API and dry run all ask it. Default deny; it never raises; every branch
has a rule id and a sentence that a person can act on. Standard library only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# permission -> what a person reads
PERMISSIONS = {
    "catalog.view": "see the catalog",
    "build.view": "see builds",
    "log.view": "read build logs",
    "build.start": "start builds",
    "build.cancel": "cancel builds",
    "build.retry": "retry builds",
    "build.unblock": "unblock waiting steps",
    "build.approve": "approve triggers",
    "source.sync": "sync a catalog source",
    "source.manage": "change catalog sources",
    "link.confirm": "confirm a pipeline link",
}
# scope kind -> how an admin reads it
SCOPE_KINDS = {
    "everything": "everything",
    "team": "a team's services",
    "system": "a system",
    "service": "one service",
}


class Effect(StrEnum):
    """What a decision says; `NEEDS_APPROVAL` becomes allowed by other people's approvals."""

    ALLOW = "allow"
    NEEDS_APPROVAL = "needs_approval"
    DENY = "deny"


@dataclass(frozen=True)
class Grant:
    """One role that an actor holds: by which mapping, where, and in which environment."""

    role: str
    permissions: frozenset[str]
    scope_kind: str
    scope_ref: str
    environment: str  # slug; "" is any
    mapping_id: int | None = None
    group: str = ""


@dataclass(frozen=True)
class Actor:
    """A person as policy sees them; built by portal.access, never from a request's own words."""

    user_id: int | None
    name: str
    active: bool = True
    user_ref: str = ""
    groups: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()


ANONYMOUS = Actor(user_id=None, name="anonymous", active=False)


@dataclass(frozen=True)
class Target:
    """What is acted on. `scopes` holds every (scope_kind, scope_ref) that covers it.

    `environment` is computed by environment rules, never taken from a form. `blocked` is a
    sentence that refuses everybody (for example a pipeline claimed by two entities).
    """

    label: str
    scopes: frozenset[tuple[str, str]] = frozenset()
    environment: str = ""
    approvals_needed: int = 0
    blocked: str = ""
    helpers: tuple[str, ...] = ()  # people or teams who can help, as a person reads them


@dataclass(frozen=True)
class Decision:
    """The answer, the rule that gave it, and a sentence for the person who asked."""

    effect: Effect
    rule: str
    reason: str
    helpers: tuple[str, ...] = ()
    grant: Grant | None = None
    missing: str = ""
    data: dict[str, str] = field(default_factory=dict)

    @property
    def allowed(self) -> bool:
        return self.effect is Effect.ALLOW


def decide(
    actor: Actor,
    action: str,
    target: Target,
    *,
    now: datetime,
    approvals: Sequence[int] = (),
) -> Decision:
    """May `actor` do `action` (a key of PERMISSIONS) to `target`? `approvals` are user ids."""
    raise NotImplementedError
