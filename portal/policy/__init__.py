"""Who may do what where, and why. Begin with decision.py; pure, standard library only."""

from portal.policy.conditions import NONE, Conditions
from portal.policy.decision import decide
from portal.policy.facts import (
    ANONYMOUS,
    Actor,
    Decision,
    Effect,
    Grant,
    Question,
    Target,
    is_covered,
)
from portal.policy.words import (
    IN_ENVIRONMENTS,
    PEOPLE_ONLY,
    PERMISSIONS,
    READ_ONLY,
    RUNNING,
    SCOPE_KINDS,
)

__all__ = [
    "ANONYMOUS",
    "IN_ENVIRONMENTS",
    "NONE",
    "PEOPLE_ONLY",
    "PERMISSIONS",
    "READ_ONLY",
    "RUNNING",
    "SCOPE_KINDS",
    "Actor",
    "Conditions",
    "Decision",
    "Effect",
    "Grant",
    "Question",
    "Target",
    "decide",
    "is_covered",
]
