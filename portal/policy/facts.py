"""What a decision is made of: who acts, on what, by which grants; and the decision itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from portal.policy.conditions import NONE, Conditions


class Effect(StrEnum):
    """What a decision says; `NEEDS_APPROVAL` becomes allowed by other people's approvals."""

    ALLOW = "allow"
    NEEDS_APPROVAL = "needs_approval"
    DENY = "deny"


def is_covered(scope_kind: str, scope_ref: str, scopes: frozenset[tuple[str, str]]) -> bool:
    """Whether a scope, as a mapping or a freeze names it, covers what lies in all these."""
    if scope_kind == "everything":
        return True
    if scope_kind == "pipeline":
        return any(kind == "pipeline" and fnmatchcase(ref, scope_ref) for kind, ref in scopes)
    return (scope_kind, scope_ref) in scopes


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
    conditions: Conditions = NONE

    def covers(self, target: "Target") -> bool:
        """Whether the target lies in this grant's scope, whatever the environment."""
        return is_covered(self.scope_kind, self.scope_ref, target.scopes)

    def in_environment(self, environment: str) -> bool:
        return self.environment in ("", environment)

    def problem(self, target: "Target", now: datetime) -> str:
        """Which of its conditions keeps it from holding, as a sentence; "" where none does."""
        if target.unchosen:
            return self.conditions.problem_whatever_is_chosen(now)
        found = self.conditions.problem(target.branch, target.parameters, now)
        if found or target.carried is None:
            return found
        return self.conditions.problem(target.branch, target.carried, now)

    def where(self) -> str:
        """The scope in words: "everything", or "system:default/payments in staging"."""
        scope = self.scope_ref or "everything"
        return f"{scope} in {self.environment}" if self.environment else scope


@dataclass(frozen=True)
class Actor:
    """A person as policy sees them; built by portal.access, never from a request's own words.

    `agent` names the program that acts in the person's name. `incomplete` says, as a sentence,
    why not all of their groups are known; then they only read. `ceiling` is all that an API token
    was made for; None: there is none.
    """

    user_id: int | None
    name: str
    active: bool = True
    user_ref: str = ""
    groups: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    agent: str = ""
    incomplete: str = ""
    ceiling: frozenset[str] | None = None

    def holds(self, action: str) -> bool:
        """Whether any role of theirs allows it, wherever and whenever."""
        return any(action in grant.permissions for grant in self.grants)


ANONYMOUS = Actor(user_id=None, name="anonymous", active=False)


@dataclass(frozen=True)
class Target:
    """What is acted on. `scopes` holds every (scope kind, scope ref) that covers it.

    A pipeline's own scope is ("pipeline", "<server slug>:<external id>"). `environment` is computed
    by environment rules, never taken from a form. `blocked` is a sentence that refuses everybody
    (for example a pipeline claimed by two entities), `frozen` one that refuses whatever makes
    something run, except to those in `glass`: people who have broken the glass here. `requester`
    is whose request is approved, and `role` the only role (by name) that counts, "" for any.
    `branch` and `parameters` are for conditions; None: not known. `carried` are the parameters as a
    build has them that goes on with others: both have to meet the conditions. `unchosen` says that
    the person has still to choose them, so that no condition about them fails.
    """

    label: str
    scopes: frozenset[tuple[str, str]] = frozenset()
    environment: str = ""
    approvals_needed: int = 0
    blocked: str = ""
    frozen: str = ""
    glass: frozenset[int] = frozenset()
    requester: int | None = None
    role: str = ""
    branch: str | None = None
    parameters: Mapping[str, str] | None = field(default=None, hash=False)
    carried: Mapping[str, str] | None = field(default=None, hash=False)
    unchosen: bool = False
    helpers: tuple[str, ...] = ()  # people or teams who can help, as a person reads them


@dataclass(frozen=True)
class Question:
    """What decide() was asked; a suggestion asks it again of other grants."""

    actor: Actor
    action: str
    target: Target
    now: datetime


@dataclass(frozen=True)
class Decision:
    """The answer, the rule that gave it, and a sentence for the person who asked."""

    effect: Effect
    rule: str
    reason: str
    helpers: tuple[str, ...] = ()
    grant: Grant | None = None
    question: Question | None = field(default=None, compare=False, repr=False)

    @property
    def allowed(self) -> bool:
        return self.effect is Effect.ALLOW

    @property
    def askable(self) -> bool:
        """Whether it may be asked for: allowed, or as soon as other people have approved."""
        return self.effect is not Effect.DENY

    @property
    def limits(self) -> str:
        """Of what may be done with some choice of branch and parameters: with which, in words."""
        if self.grant is None or self.question is None or not self.question.target.unchosen:
            return ""
        environment = self.question.target.environment
        words = (f"in {environment}" if environment else "", self.grant.conditions.words())
        return ", ".join(word for word in words if word)

    @property
    def sentence(self) -> str:
        """The reason, and who can help."""
        help_by = f" {', '.join(self.helpers)} can help." if self.helpers else ""
        return f"{self.reason}{help_by}"
