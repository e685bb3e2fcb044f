"""Who may do what where, and why: one pure function, `decide()`.

Page, request, dispatch, API and dry run all ask it. Default deny; it never raises; every branch
has a rule id and a sentence that a person can act on. Standard library only.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from portal.policy.facts import Actor, Decision, Effect, Grant, Question, Target
from portal.policy.words import PEOPLE_ONLY, PERMISSIONS, READ_ONLY, RUNNING

INCOMPLETE = "groups-incomplete"
# rule -> who can help, where whoever holds the role for it can't: they neither know the person's
# groups (the reason itself says what to do), nor change what the token was made for.
NOT_BY_HOLDERS: Mapping[str, tuple[str, ...]] = {INCOMPLETE: (), "token": ()}
MAX_LISTED = 5  # of somebody's roles or scopes, in a sentence


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
    question = Question(actor, action, target, now)
    if not actor.active or actor.user_id is None:
        return _deny("signed-out", "Sign in to do this.", question)
    rule, reason = _refused_to_anybody_like(actor, action, target)
    if rule in NOT_BY_HOLDERS:
        return Decision(Effect.DENY, rule, reason, NOT_BY_HOLDERS[rule], None, question)
    if rule:
        return _deny(rule, reason, question)
    grant, unmet = _grant_for(question)
    if grant is None and unmet:
        return _deny("condition", unmet, question)
    if grant is None:
        return _explain_missing_grant(question)
    return _under_the_rules_of_the_environment(question, grant, approvals)


def _refused_to_anybody_like(actor: Actor, action: str, target: Target) -> tuple[str, str]:
    """The rule that no grant helps against, and its sentence; two empty texts without one."""
    if action not in PERMISSIONS:
        return "unknown-action", f"Nothing is known of the action {action!r}."
    if actor.agent and action in PEOPLE_ONLY:
        return "agent", f"An agent may not {PERMISSIONS[action]}: a person has to."
    if actor.ceiling is not None and action in PEOPLE_ONLY:
        return "token", f"A token may not {PERMISSIONS[action]}: a person has to."
    if actor.ceiling is not None and action not in actor.ceiling:
        words = PERMISSIONS[action]
        return "token", f"This token was not made to {words}. Make a token that may {words}."
    if actor.incomplete and action not in READ_ONLY:
        return INCOMPLETE, actor.incomplete
    return _refused_by_the_target(actor, target)


def _refused_by_the_target(actor: Actor, target: Target) -> tuple[str, str]:
    if target.blocked:
        return "blocked", target.blocked
    if target.requester is not None and target.requester == actor.user_id:
        return "own-request", "Nobody approves their own request."
    return "", ""


def _grant_for(asked: Question) -> tuple[Grant | None, str]:
    """The first grant that holds here; else the first condition that keeps one from holding."""
    unmet = ""
    target = asked.target
    for grant in asked.actor.grants:
        if asked.action not in grant.permissions or target.role not in ("", grant.role):
            continue
        if not grant.in_environment(target.environment) or not grant.covers(target):
            continue
        problem = grant.problem(target, asked.now)
        if not problem:
            return grant, ""
        unmet = unmet or problem
    return None, unmet


def _under_the_rules_of_the_environment(
    asked: Question, grant: Grant, approvals: Sequence[int]
) -> Decision:
    """A grant is there: freezes and approvals, which only broken glass takes out of the way."""
    actor, target = asked.actor, asked.target
    running = asked.action in RUNNING
    if running and actor.user_id in target.glass and not actor.agent:
        return _allow("break-glass", "You have broken the glass here.", asked, grant)
    if running and target.frozen:
        return _deny("freeze", target.frozen, asked)
    given = len(set(approvals) - {actor.user_id})
    if running and given < target.approvals_needed:
        lacking = target.approvals_needed - given
        return Decision(
            Effect.NEEDS_APPROVAL,
            "approvals",
            f"{target.label} needs {lacking} more approval{'s' if lacking > 1 else ''}.",
            target.helpers,
            grant,
            asked,
        )
    return _allow("grant", f"Your role {grant.role} covers {grant.where()}.", asked, grant)


def _allow(rule: str, reason: str, asked: Question, grant: Grant) -> Decision:
    return Decision(Effect.ALLOW, rule, reason, (), grant, asked)


def _deny(rule: str, reason: str, asked: Question) -> Decision:
    return Decision(Effect.DENY, rule, reason, asked.target.helpers, None, asked)


def _explain_missing_grant(asked: Question) -> Decision:
    """The nearest miss, in words: environment, then permission, then scope, then no role."""
    actor, target = asked.actor, asked.target
    words = PERMISSIONS[asked.action]
    having = [grant for grant in actor.grants if asked.action in grant.permissions]
    if target.role and having and not any(grant.role == target.role for grant in having):
        return _deny("role", f"Only people with the role {target.role} {words} here.", asked)
    having = [grant for grant in having if target.role in ("", grant.role)]
    elsewhere_environment = [grant for grant in having if grant.covers(target)]
    if elsewhere_environment:
        return _deny(
            "environment", _of_other_environments(elsewhere_environment, words, target), asked
        )
    if having:
        scopes = _listed(grant.where() for grant in having)
        return _deny("scope", f"You may {words} in {scopes}, not for {target.label}.", asked)
    here = [grant for grant in actor.grants if grant.covers(target)]
    if here:
        roles = _listed(grant.role for grant in here)
        return _deny("permission", f"Your role here is {roles}, which may not {words}.", asked)
    return _deny("no-role", f"No role lets you {words} for {target.label}.", asked)


def _of_other_environments(having: Sequence[Grant], words: str, target: Target) -> str:
    environments = _listed(grant.environment for grant in having)
    if target.environment:
        return f"You may {words} here in {environments}; this takes effect in {target.environment}."
    roles = _listed(grant.role for grant in having)
    return f"Your role here is {roles}, in {environments} only, and this is about no environment."


def _listed(words: Iterable[str]) -> str:
    found = sorted(set(words))
    more = len(found) - MAX_LISTED
    return ", ".join(found[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
