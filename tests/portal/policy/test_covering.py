"""The scopes that let somebody in are those in which decide() does, over random policies."""

from dataclasses import replace

from portal.policy import Actor, Grant, Target, decide, is_covered
from portal.policy.covering import EVERYTHING, allowed_scopes
from portal.policy.words import READ_ONLY
from tests.portal.policy.policies import NOW, policy_of

POLICIES = 2000
SCOPE = ("team", "group:default/payments")
TEAM = {SCOPE}


def test_a_target_may_be_seen_where_one_of_the_allowed_scopes_covers_it():
    let_in = 0
    for seed in range(POLICIES):
        policy = policy_of(seed)
        for action in READ_ONLY:
            # As pages and lists ask: in no environment, on no branch.
            target = Target("it", policy.target.scopes)
            actor = replace(
                policy.actor,
                grants=tuple(
                    replace(grant, permissions=grant.permissions | {action})
                    for grant in policy.actor.grants
                ),
            )
            scopes = allowed_scopes(actor, action, NOW)
            decision = decide(actor, action, target, now=NOW)
            covered = any(is_covered(kind, ref, target.scopes) for kind, ref in scopes)
            assert decision.allowed is covered, (seed, action, decision)
            assert EVERYTHING not in scopes or len(scopes) == 1
            let_in += covered
    assert 100 < let_in < POLICIES * len(READ_ONLY)


def test_a_token_sees_no_more_than_it_was_made_for():
    grant = Grant("viewer", READ_ONLY, *SCOPE, "")
    actor = Actor(1, "vic", grants=(grant,))
    for ceiling, scopes in ((None, TEAM), (READ_ONLY, TEAM), (frozenset(), set())):
        assert allowed_scopes(replace(actor, ceiling=ceiling), "catalog.view", NOW) == scopes
