"""The smallest change of roles by which a denied action would be allowed, or why there is none.

From small to large: another role in an existing mapping's place, a wider scope of one, another
environment of one, looser conditions of one, a new mapping for one of the person's groups. Each
candidate is tried by decide() itself, so a suggestion is true.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from portal.policy.decision import decide
from portal.policy.facts import Actor, Decision, Effect, Grant, Question, Target
from portal.policy.words import PERMISSIONS

# A role's name -> what it allows.
Roles = Mapping[str, frozenset[str]]
# The narrowest first; what is not here comes last.
NARROWEST = ("pipeline", "service", "system", "label", "tag", "team", "server", "everything")
NO_CHANGE = "No change of roles helps here"


class Kind(StrEnum):
    """What is changed; in this order, from small to large."""

    ROLE = "role"
    SCOPE = "scope"
    ENVIRONMENT = "environment"
    CONDITION = "condition"
    GROUP = "group"


@dataclass(frozen=True)
class Change:
    """One mapping more, or one in another's place.

    `grant` is what there would be, `of` the existing one that it is made from. It takes that one's
    place where nothing is lost by it (`replaces`), and else stands beside it.
    """

    kind: Kind
    grant: Grant
    of: Grant | None = None
    replaces: bool = False

    def apply(self, grants: Iterable[Grant]) -> tuple[Grant, ...]:
        """The grants as they would be."""
        if not self.replaces:
            return (*grants, self.grant)
        return tuple(self.grant if grant == self.of else grant for grant in grants)

    def words(self) -> str:
        """As an administrator would be asked for it."""
        new, old = self.grant, self.of
        scope, where = _scope(new), f" in {new.environment}" if new.environment else ""
        if old is None:
            return f"give {new.group} the role {new.role} for {scope}{where}"
        role = f"the role {new.role} of {new.group}"
        match self.kind:
            case Kind.ROLE:
                place = "instead of" if self.replaces else "besides"
                given = f"{new.role} {place} {old.role}"
                return f"give {new.group} the role {given} for {scope}{where}"
            case Kind.SCOPE:
                return f"let {role} cover {scope} besides {_scope(old)}{where}"
            case Kind.ENVIRONMENT:
                return _elsewhere(new, old)
        conditions = new.conditions.words() or "under no conditions"
        return f"let {role} for {scope}{where} hold {conditions}"


@dataclass(frozen=True)
class Suggestion:
    """The change, or None; and a sentence for the person in either case."""

    change: Change | None
    sentence: str


def suggest(asked: Question, roles: Roles) -> Suggestion:
    """What would have to change so that this question is not denied any more."""
    change = smallest_change(asked.actor, asked.action, asked.target, roles, asked.now)
    if change is not None:
        return Suggestion(change, f"Smallest change: {change.words()}.")
    if asked.action not in PERMISSIONS or not asked.actor.active:
        return Suggestion(None, f"{NO_CHANGE}.")
    now = decide(asked.actor, asked.action, asked.target, now=asked.now)
    best = _with(asked, _every_grant(asked))
    if best.effect is Effect.DENY:
        why = "." if best.reason == now.reason else f": {best.reason}"
        return Suggestion(None, NO_CHANGE + why)
    if not any(asked.action in permissions for permissions in roles.values()):
        return Suggestion(None, f"No role may {PERMISSIONS[asked.action]} here; make one first.")
    return Suggestion(
        None, f"{asked.actor.name} is in no group that a role could be given to; join one first."
    )


def smallest_change(
    actor: Actor, action: str, target: Target, roles: Roles, now: datetime
) -> Change | None:
    """The first that flips the decision from a denial; None where none does, or none is needed.

    A grant that everybody signed in holds is a setting and no mapping, so it is never changed.
    """
    asked = Question(actor, action, target, now)
    if decide(actor, action, target, now=now).effect is not Effect.DENY:
        return None
    if _with(asked, _every_grant(asked)).effect is Effect.DENY:
        return None
    taken = {_key(grant) for grant in actor.grants}
    for change in _candidates(asked, roles):
        collides = not (change.replaces and change.kind is Kind.CONDITION) and (
            _key(change.grant) in taken
        )
        # The other grants don't allow it, so this one alone decides.
        if not collides and _with(asked, change.grant).effect is not Effect.DENY:
            return change
    return None


def _with(asked: Question, grant: Grant) -> Decision:
    actor = replace(asked.actor, grants=(grant,))
    return decide(actor, asked.action, asked.target, now=asked.now)


def _every_grant(asked: Question) -> Grant:
    """More than this no role can give."""
    role = asked.target.role
    return Grant(role, frozenset({asked.action}), "everything", "", "")


def _candidates(asked: Question, roles: Roles) -> Iterator[Change]:
    """Of the mappings those that lack nothing but what is changed."""
    target = asked.target
    fitting = {name: held for name, held in roles.items() if asked.action in held}
    mappings = [grant for grant in asked.actor.grants if grant.mapping_id is not None]
    having = [grant for grant in mappings if asked.action in grant.permissions]
    yield from _other_roles(
        [grant for grant in mappings if _is_here(grant, target) and not _problem(grant, asked)],
        fitting,
        roles,
    )
    holding = [grant for grant in having if not _problem(grant, asked)]
    in_place = [grant for grant in holding if grant.in_environment(target.environment)]
    yield from _wider_scopes(in_place, target)
    covering = [grant for grant in holding if grant.covers(target)]
    yield from _other_environments(covering, target, fitting)
    yield from _looser_conditions([grant for grant in having if _is_here(grant, target)], asked)
    yield from _new_mappings(asked, fitting)


def _is_here(grant: Grant, target: Target) -> bool:
    return grant.in_environment(target.environment) and grant.covers(target)


def _problem(grant: Grant, asked: Question) -> str:
    return grant.problem(asked.target, asked.now)


def _other_roles(mappings: Sequence[Grant], fitting: Roles, roles: Roles) -> Iterator[Change]:
    """Roles that take nothing away come first, and of those the one that adds least."""
    found = []
    for grant in mappings:
        held = roles.get(grant.role, grant.permissions)
        for name, permissions in fitting.items():
            loses, gains = len(held - permissions), len(permissions - held)
            new = replace(grant, role=name, permissions=permissions)
            new = replace(new, mapping_id=None) if loses else new
            found.append((loses, gains, Change(Kind.ROLE, new, grant, replaces=not loses)))
    yield from (change for _, _, change in sorted(found, key=lambda item: item[:2]))


def _wider_scopes(having: Sequence[Grant], target: Target) -> Iterator[Change]:
    """The narrowest scope of the target besides the one that is there; widest of all comes last."""
    for kind, ref in _scopes_of(target):
        for grant in having:
            new = replace(grant, scope_kind=kind, scope_ref=ref, mapping_id=None)
            yield Change(Kind.SCOPE, new, grant)


def _other_environments(
    having: Sequence[Grant], target: Target, fitting: Roles
) -> Iterator[Change]:
    """One that holds in any environment gives all of its role there, so a role that allows less
    comes first, where there is one."""
    for environment in dict.fromkeys([target.environment, ""]):
        found = []
        for grant in having:
            wider = replace(grant, environment=environment, mapping_id=None)
            less = {name: held for name, held in fitting.items() if held < grant.permissions}
            for name, held in less.items() if not environment else ():
                new = replace(wider, role=name, permissions=held)
                found.append(Change(Kind.ENVIRONMENT, new, grant))
            found.append(Change(Kind.ENVIRONMENT, wider, grant))
        yield from sorted(found, key=lambda change: len(change.grant.permissions))


def _looser_conditions(having: Sequence[Grant], asked: Question) -> Iterator[Change]:
    target = asked.target
    for grant in having:
        old = grant.conditions
        loose = old.loosened(target.branch, target.parameters, asked.now)
        if target.carried is not None:
            loose = loose.loosened(target.branch, target.carried, asked.now)
        if target.unchosen:
            chosen = {"branches": old.branches, "parameters": old.parameters}
            loose = replace(loose, **{k: v for k, v in chosen.items() if k not in old.faults()})
        yield Change(Kind.CONDITION, replace(grant, conditions=loose), grant, replaces=True)


def _new_mappings(asked: Question, fitting: Roles) -> Iterator[Change]:
    """In the narrowest scope, with the role that allows least; a group that roles are given to
    already comes before one that may be there for something else."""
    actor, target = asked.actor, asked.target
    mapped = {grant.group for grant in actor.grants}
    groups = sorted(actor.groups, key=lambda group: (group not in mapped, group))
    smallest = sorted(fitting.items(), key=lambda item: len(item[1]))
    for environment in dict.fromkeys([target.environment, ""]):
        for kind, ref in _scopes_of(target):
            for name, permissions in smallest:
                for group in groups:
                    new = Grant(name, permissions, kind, ref, environment, None, group)
                    yield Change(Kind.GROUP, new)


def _scopes_of(target: Target) -> list[tuple[str, str]]:
    """As mappings name them, the narrowest first."""
    named = {(kind, _literal(ref) if kind == "pipeline" else ref) for kind, ref in target.scopes}
    order = {kind: place for place, kind in enumerate(NARROWEST)}
    return sorted(
        named | {("everything", "")}, key=lambda scope: (order.get(scope[0], -1), scope[1])
    )


def _elsewhere(new: Grant, old: Grant) -> str:
    """One in another environment, in words; any environment is more than anybody thinks of."""
    scope = _scope(new)
    if new.role != old.role:
        given = f"the role {new.role} for {scope} in any environment"
        return f"give {new.group} {given}, besides {old.role} in {old.environment}"
    role = f"the role {new.role} of {new.group} for {scope}"
    if new.environment:
        return f"let {role} hold in {new.environment}, too"
    return f"let {role} hold in any environment, with all that it allows in each of them"


def _scope(grant: Grant) -> str:
    return f"{grant.scope_kind} {grant.scope_ref}" if grant.scope_ref else "everything"


def _literal(ref: str) -> str:
    """A pattern that matches this pipeline alone."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in ref)


def _key(grant: Grant) -> tuple[str, str, str, str, str]:
    """Of these there can be one mapping only."""
    return (grant.group, grant.role, grant.scope_kind, grant.scope_ref, grant.environment)
