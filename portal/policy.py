"""Who may do what where, and why: one pure function, `decide()`.

Page, request, dispatch, API and dry run all ask it. Default deny; it never raises; every branch
has a rule id and a sentence that a person can act on. Standard library only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    "build.unblock": "unblock builds",
    "build.promote": "promote builds",
    "pipeline.activate": "switch pipelines on",
    "trigger.settle": "settle requests of which nobody knows what became",
    "link.confirm": "confirm a pipeline link",
    "entity.refresh": "have an entity read again",
    "source.sync": "sync a catalog source",
    "source.register": "register and unregister catalog locations",
    "source.decide": "decide who keeps a name, and let many removals happen",
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

    role: str  # the role's name, as a person reads it
    permissions: frozenset[str]
    scope_kind: str
    scope_ref: str
    environment: str  # slug; "" is any
    mapping_id: int | None = None  # None: the role that everybody signed in holds
    group: str = ""

    def covers(self, target: "Target") -> bool:
        """Whether the target lies in this grant's scope, whatever the environment."""
        if self.scope_kind == "everything":
            return True
        return (self.scope_kind, self.scope_ref) in target.scopes

    def in_environment(self, environment: str) -> bool:
        return self.environment in ("", environment)

    def where(self) -> str:
        """The scope in words: "everything", or "system:default/payments in staging"."""
        scope = self.scope_ref or "everything"
        return f"{scope} in {self.environment}" if self.environment else scope


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

    @property
    def allowed(self) -> bool:
        return self.effect is Effect.ALLOW

    @property
    def sentence(self) -> str:
        """The reason, and who can help."""
        help_by = f" {', '.join(self.helpers)} can help." if self.helpers else ""
        return f"{self.reason}{help_by}"


def decide(
    actor: Actor,
    action: str,
    target: Target,
    *,
    now: datetime,
    approvals: Sequence[int] = (),
) -> Decision:
    """May `actor` do `action` (a key of PERMISSIONS) to `target`?

    `approvals` are the ids of the users who approved exactly this; the actor's own never counts.
    `now` is for rules that depend on time.
    """
    if not actor.active or actor.user_id is None:
        return _deny("signed-out", "Sign in to do this.", target)
    if action not in PERMISSIONS:
        return _deny("unknown-action", f"Nothing is known of the action {action!r}.", target)
    if target.blocked:
        return _deny("blocked", target.blocked, target)
    grant = next(
        (
            grant
            for grant in actor.grants
            if action in grant.permissions
            and grant.covers(target)
            and grant.in_environment(target.environment)
        ),
        None,
    )
    if grant is None:
        return _explain_missing_grant(actor, action, target)
    given = len(set(approvals) - {actor.user_id})
    if given < target.approvals_needed:
        lacking = target.approvals_needed - given
        return Decision(
            Effect.NEEDS_APPROVAL,
            "approvals",
            f"{target.label} needs {lacking} more approval{'s' if lacking > 1 else ''}.",
            target.helpers,
            grant,
        )
    return Decision(
        Effect.ALLOW, "grant", f"Your role {grant.role} covers {grant.where()}.", (), grant
    )


def _deny(rule: str, reason: str, target: Target) -> Decision:
    return Decision(Effect.DENY, rule, reason, target.helpers)


def _explain_missing_grant(actor: Actor, action: str, target: Target) -> Decision:
    """The nearest miss, in words: environment, then permission, then scope, then no role."""
    words = PERMISSIONS[action]
    having = [grant for grant in actor.grants if action in grant.permissions]
    here = [grant for grant in actor.grants if grant.covers(target)]
    elsewhere_environment = [grant for grant in having if grant.covers(target)]
    if elsewhere_environment:
        environments = _listed(grant.environment for grant in elsewhere_environment)
        effect = target.environment or "no environment"
        return _deny(
            "environment",
            f"You may {words} here in {environments}; this takes effect in {effect}.",
            target,
        )
    if having:
        scopes = _listed(grant.where() for grant in having)
        return _deny("scope", f"You may {words} in {scopes}, not for {target.label}.", target)
    if here:
        roles = _listed(grant.role for grant in here)
        return _deny("permission", f"Your role here is {roles}, which may not {words}.", target)
    return _deny("no-role", f"No role lets you {words} for {target.label}.", target)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(set(words)))
