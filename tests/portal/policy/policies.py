"""Random policies: small worlds in which people, roles, scopes and conditions often meet."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random

from portal.policy import Actor, Conditions, Effect, Grant, Target, decide
from portal.policy.suggestion import Kind, smallest_change

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)  # a Monday
ROLES = {
    "Viewer": frozenset({"log.view"}),
    "Developer": frozenset({"log.view", "build.retry"}),
    "Deployer": frozenset({"log.view", "build.retry", "build.start", "trigger.approve"}),
    "Approver": frozenset({"trigger.approve"}),
    "Owner": frozenset(
        {"log.view", "build.retry", "build.start", "trigger.approve", "glass.break"}
    ),
}
ACTIONS = [
    "log.view",
    "build.retry",
    "build.start",
    "trigger.approve",
    "glass.break",
    "link.confirm",
]
GROUPS = ["idp:a", "idp:b", "team:group:default/c"]
SCOPES = [
    ("everything", ""),
    ("service", "component:default/pay"),
    ("service", "component:default/web"),
    ("system", "system:default/shop"),
    ("team", "group:default/money"),
    ("tag", "java"),
    ("label", "tier=gold"),
    ("server", "jenkins"),
    ("pipeline", "jenkins:pay/*"),
    ("pipeline", "jenkins:pay/de[pq]loy"),
]
OF_TARGETS = [scope for scope in SCOPES[1:-1] if scope[0] != "pipeline"]
OF_TARGETS += [("pipeline", "jenkins:pay/de[p]loy"), ("pipeline", "jenkins:web/*")]
ENVIRONMENTS = ["", "staging", "production"]
CONDITIONS = [
    Conditions(),
    Conditions(branches="main, release/*"),
    Conditions(parameters="TARGET: one of staging"),
    Conditions(hours="Mon 08:00-18:00 UTC"),
    Conditions(hours="Sun 08:00-18:00 UTC"),
    Conditions(branches="main", parameters="N: integer 1..3", hours="Tue 08:00-18:00 UTC"),
    Conditions(parameters="can't be read"),
]


@dataclass(frozen=True)
class Policy:
    """One question in one world."""

    actor: Actor
    action: str
    target: Target
    roles: dict[str, frozenset[str]]

    def effect(self, grants: tuple[Grant, ...]) -> Effect:
        actor = replace(self.actor, grants=grants)
        return decide(actor, self.action, self.target, now=NOW).effect


def policy_of(seed: int) -> Policy:
    """The same for the same seed."""
    random = Random(seed)
    roles = {name: ROLES[name] for name in random.sample(sorted(ROLES), random.randint(1, 5))}
    groups = random.sample(GROUPS, random.randint(0, 3))
    found = [_grant(random, roles, groups) for _ in range(random.randint(0, 4)) if groups]
    grants = list({key_of(grant): grant for grant in found}.values())
    grants.append(Grant("Viewer", ROLES["Viewer"], "everything", "", "", None, "everybody"))
    actor = Actor(
        user_id=random.choice([1, 1, 1, 1, 1, 1, 1, None]),
        name="Ana",
        groups=frozenset(groups),
        grants=tuple(grants),
        agent=_rarely(random, "bot"),
        incomplete=_rarely(random, "Too many groups."),
        ceiling=frozenset(ACTIONS[:3]) if _rarely(random, "x") else None,
    )
    return Policy(actor, random.choice(ACTIONS), _target(random), roles)


def _grant(random: Random, roles: dict[str, frozenset[str]], groups: list[str]) -> Grant:
    role = random.choice(sorted(roles))
    kind, ref = random.choice(SCOPES)
    return Grant(
        role=role,
        permissions=roles[role],
        scope_kind=kind,
        scope_ref=ref,
        environment=random.choice(ENVIRONMENTS),
        mapping_id=random.randint(1, 10**6),
        group=random.choice(groups),
        conditions=random.choice([*CONDITIONS[:1] * 5, *CONDITIONS]),
    )


def _target(random: Random) -> Target:
    return Target(
        label="pay",
        scopes=frozenset(random.sample(OF_TARGETS, random.randint(0, 4))),
        environment=random.choice(ENVIRONMENTS),
        approvals_needed=random.choice([0, 0, 1]),
        blocked=_rarely(random, "Two claim it."),
        frozen=_rarely(random, "It is frozen."),
        requester=random.choice([None, None, None, 1, 2]),
        role=_rarely(random, "Approver"),
        branch=random.choice([None, "main", "fix/[x]", "a, b"]),
        parameters=random.choice([None, {}, {"TARGET": "staging"}, {"N": "7"}]),
        carried=random.choice([None, None, None, {"TARGET": "production"}]),
        unchosen=random.choice([False, False, True]),
    )


def _rarely(random: Random, value: str) -> str:
    return value if random.random() < 1 / 12 else ""


def key_of(grant: Grant) -> tuple[str, ...]:
    """Of these the database holds one only."""
    return (grant.group, grant.role, grant.scope_kind, grant.scope_ref, grant.environment)


def all_changes(policy: Policy, kind: str) -> Iterator[tuple[Grant, ...]]:
    """Every policy that a change of this kind could lead to, by brute force."""
    grants = policy.actor.grants
    mappings = [grant for grant in grants if grant.mapping_id is not None]
    for new in _made(policy, kind, mappings):
        if key_of(new) not in {key_of(grant) for grant in grants}:
            yield (*grants, new)


def _made(policy: Policy, kind: str, mappings: list[Grant]) -> Iterator[Grant]:
    target = policy.target
    exact = {(k, r.replace("[", "[[]").replace("*", "[*]")) for k, r in target.scopes}
    scopes = {*SCOPES, *target.scopes, *exact}
    if kind == "group":
        for group in policy.actor.groups:
            for name, held in policy.roles.items():
                for scope in scopes:
                    for environment in ENVIRONMENTS:
                        yield Grant(name, held, *scope, environment, None, group)
    for grant in mappings:
        if kind == "role":
            for name, held in policy.roles.items():
                yield replace(grant, role=name, permissions=held)
        elif kind == "scope":
            for scope in scopes:
                yield replace(grant, scope_kind=scope[0], scope_ref=scope[1])
        elif kind == "environment":
            for environment in ENVIRONMENTS:
                yield replace(grant, environment=environment)


def wrong_with(policy: Policy) -> str:
    """What is untrue of the suggestion that this policy leads to; "" if it is true."""
    before = policy.effect(policy.actor.grants)
    change = smallest_change(policy.actor, policy.action, policy.target, policy.roles, NOW)
    if before is not Effect.DENY:
        return "something is suggested that is not needed" if change else ""
    if change and policy.effect(change.apply(policy.actor.grants)) is Effect.DENY:
        return f"{change.words()} changes nothing"
    kinds = list(Kind)
    for kind in kinds[: kinds.index(change.kind)] if change else kinds:
        for grants in all_changes(policy, kind):
            if policy.effect(grants) is not Effect.DENY:
                return f"{kind} would do: {grants[-1]}"
    return ""
