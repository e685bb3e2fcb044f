"""`python -m tests.bench.policy`: how fast policy decides, and that its suggestions are true.

`--property N` tries N random policies instead, as tests/portal/policy/test_suggestion.py does with
a few thousand, and ends with 1 at the first suggestion that is not true.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from portal.policy import Actor, Conditions, Decision, Grant, Question, Target, decide
from portal.policy.suggestion import smallest_change, suggest
from tests.portal.policy.policies import NOW, ROLES, policy_of, wrong_with

BUTTONS = 200
SECONDS = 2.0
MONDAY = datetime(2026, 1, 5, 12, tzinfo=UTC)
CONDITIONS = Conditions(
    "main, release/*",
    "TARGET: one of staging, test\nVERSION: matches v\\d+\\..*\nCOUNT: integer 1..10",
    "Mon-Fri 08:00-18:00 Europe/Berlin",
)
HERE = Target(
    label="pay",
    scopes=frozenset(
        {
            ("service", "component:default/pay"),
            ("system", "system:default/shop"),
            ("team", "group:default/money"),
            ("team", "group:default/tech"),
            ("tag", "java"),
            ("label", "tier=gold"),
            ("server", "jenkins"),
            ("pipeline", "jenkins:pay/deploy"),
        }
    ),
    environment="production",
    branch="main",
    parameters={"TARGET": "staging", "VERSION": "v1.2", "COUNT": "3"},
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.policy", description=__doc__)
    parser.add_argument("--property", type=int, default=0, metavar="N", help="random policies")
    parser.add_argument("--seed", type=int, default=1, help="of the first of them")
    asked = parser.parse_args()
    return try_policies(asked.seed, asked.property) if asked.property else measure()


def try_policies(first: int, count: int) -> int:
    found: Counter[str] = Counter()
    for seed in range(first, first + count):
        policy = policy_of(seed)
        wrong = wrong_with(policy)
        if wrong:
            print(f"policy {seed}: {wrong}")
            return 1
        denied = policy.effect(policy.actor.grants) == "deny"
        change = smallest_change(policy.actor, policy.action, policy.target, policy.roles, NOW)
        found[change.kind if change else "no change helps" if denied else "not denied"] += 1
    print(f"{count:,} policies, every suggestion is true:")
    for kind, number in found.most_common():
        print(f"  {kind:16} {number:>10,}")
    return 0


def measure() -> int:
    rows = [
        ("allowed by the only grant", person(1)),
        ("allowed by the last of 50", person(50)),
        ("denied, with 50", person(50, last=False)),
        ("allowed under conditions", person(1, conditions=CONDITIONS)),
    ]
    print(f"{'decide()':30}{'a second':>12}{f'{BUTTONS} buttons':>16}")
    for label, actor in rows:
        tell(label, lambda actor=actor: decide(actor, "build.start", HERE, now=MONDAY))
    print()
    for label, actor in (
        ("suggestion, with 1 mapping", person(1, last=False)),
        ("suggestion, with 50", person(50, last=False)),
        ("suggestion, 5,000 groups", replace(person(1, last=False), groups=groups(5000))),
    ):
        denied = decide(actor, "build.start", HERE, now=MONDAY)
        tell(label, lambda denied=denied: suggest(asked_of(denied), ROLES))
    return 0


def tell(label: str, ask: Callable[[], object]) -> None:
    """How often in a second, and how long for a page of many buttons."""
    count, begun = 0, time.process_time()
    while (passed := time.process_time() - begun) < SECONDS:
        for _ in range(100):
            ask()
        count += 100
    print(f"{label:30}{count / passed:>12,.0f}{1000 * BUTTONS * passed / count:>13.2f} ms")


def person(mappings: int, *, last: bool = True, conditions: Conditions | None = None) -> Actor:
    """With that many mappings, of which only the last is about this service, if any is."""
    held = [
        Grant("Deployer", ROLES["Deployer"], "team", f"group:default/{n}", "", n, "idp:devs")
        for n in range(1, mappings + 1)
    ]
    if last:
        about = replace(held[-1], scope_ref="group:default/money")
        held[-1] = replace(about, conditions=conditions or about.conditions)
    return Actor(1, "Ana", groups=groups(20), grants=tuple(held))


def groups(count: int) -> frozenset[str]:
    return frozenset(f"idp:group-{number}" for number in range(count))


def asked_of(decision: Decision) -> Question:
    assert decision.question is not None
    return decision.question


if __name__ == "__main__":
    sys.exit(main())
