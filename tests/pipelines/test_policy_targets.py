"""The dry run is exact: what it predicts is what decide() answers once the change is saved."""

from dataclasses import replace
from itertools import product

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from pipelines import approvers
from pipelines.effects import Effect
from pipelines.environments import branch_problem
from pipelines.facts import facts_of
from pipelines.linking import confirm
from pipelines.models import Environment, PipelineLink, Trigger
from pipelines.scopes import link_scopes, name_of, scopes_of_pipeline
from pipelines.targets import decide_about
from portal.access import actor_for
from portal.dry_run import read_policy, try_out
from portal.policy import IN_ENVIRONMENTS, NONE, Target, decide
from portal.policy import Effect as Verdict
from portal.policy.effects import BRANCHED, Policy, compare
from tests.pipelines.policy_worlds import World, pipelines

pytestmark = pytest.mark.django_db

SITUATIONS = [("main", None), ("fix/x", {"TARGET": "a"}), ("main", {"TARGET": "c"}), (None, {})]
NOBODY = Policy({})


def ways(people, policy):
    """{(person, permission, place, condition): Way} of all that may be done."""
    return {
        (person.user_id, permission, place.key, line.conditions): line.after
        for line in compare(people, NOBODY, policy)
        for person in line.people
        for permission in line.permissions
        for place in line.places
    }


def changes(before, after):
    """What lies between the two, worked out one by one."""
    conditions = {key[3] for key in (*before, *after)}
    found = {}
    for key in {key[:3] for key in (*before, *after)}:
        always = (before.get((*key, NONE)), after.get((*key, NONE)))
        for condition in {*conditions, NONE}:
            pair = tuple(
                side.get((*key, condition), whatever)
                for side, whatever in zip((before, after), always, strict=True)
            )
            if pair[0] != pair[1] and (condition == NONE or pair != always):
                found[*key, condition] = pair
    return found


def told(lines):
    return {
        (person.user_id, permission, place.key, line.conditions): (line.before, line.after)
        for line in lines
        for person in line.people
        for permission in line.permissions
        for place in line.places
    }


def truth(actor, place, permission, situation, things):
    """What decide() says to the person, as pages and requests ask it."""
    kind, *rest = place.key
    branch, parameters = situation
    now = timezone.now()
    if kind == "all":
        return decide(actor, permission, Target(""), now=now)
    pipeline, facts = things[rest[0]]
    if kind in ("entity", "service", "seen"):
        scopes = facts.scopes
        scopes |= scopes_of_pipeline(pipeline) if kind == "seen" else frozenset()
        about = {"branch": branch, "parameters": parameters} if kind == "seen" else {}
        target = Target("", scopes, **about)
        return decide(actor, permission, target, now=now)
    if kind == "link":
        _, scopes = link_scopes(facts.scopes, pipeline)
        return decide(actor, permission, Target("", scopes), now=now)
    environment = things["environments"].get(rest[-1])
    effect = Effect(branch or "", parameters or {}, environment, known=parameters is not None)
    if kind == "approve":
        asked = Trigger(actor=User(pk=0), pipeline=pipeline, branch=branch or "")
        return approvers.decide_about(actor, asked, effect, facts)
    blocked = branch_problem(environment, branch or "") if permission in BRANCHED else ""
    return decide_about(
        facts,
        actor,
        permission,
        environment=environment,
        blocked=blocked,
        pipeline=None if kind == "glass" else pipeline,
        effect=None if kind == "glass" else effect,
    )


def predicted(found, user_id, permission, place, situation):
    """Whether, and with how many approvals, in this situation; None is not at all."""
    branch, parameters = situation
    now = timezone.now()
    blocked = permission in BRANCHED and branch_problem(
        Environment(protected_branches=place.branches), branch or ""
    )
    for condition in {key[3] for key in found}:
        way = found.get((user_id, permission, place.key, condition))
        if way is None or blocked or any(begin <= now < end for begin, end in way.frozen):
            continue
        if not condition.problem(branch, parameters, now):
            return way.approvals
    return None


def check(places, found):
    things = {entity.ref: (pipe, facts_of(entity, [pipe])) for entity, pipe in pipelines()}
    things["environments"] = {one.slug: one for one in Environment.objects.all()}
    tried = 0
    for actor, place in product(map(actor_for, User.objects.all()), places):
        if place.key[0] == "entity" and place.key[1] not in things:
            continue
        for permission, situation in product(place.permissions, SITUATIONS):
            decision = truth(actor, place, permission, situation, things)
            needed = {Verdict.ALLOW: 0, Verdict.DENY: None}.get(
                decision.effect, place.target.approvals_needed
            )
            guess = predicted(found, actor.user_id, permission, place, situation)
            assert guess == needed, (actor, permission, place, situation, decision)
            tried += 1
    check_links({place.key: place for place in places}, found)
    return tried


def check_links(places, found):
    """Who may give the word on a link holds it for both of its places."""
    for link, user in product(PipelineLink.objects.all(), User.objects.all()):
        name = name_of(link.pipeline)
        both = ("service", link.entity.ref), ("link", link.entity.ref, name)
        about = [(user.pk, "link.confirm", places[key], (None, None)) for key in both]
        guess = all(predicted(found, *one) is not None for one in about)
        with transaction.atomic():
            assert confirm(user, link.pk).allowed == guess
            transaction.set_rollback(True)


@pytest.mark.parametrize("seed", range(30))
def test_what_is_predicted_is_what_decide_says_after_the_change_was_saved(seed):
    world = World(seed)
    change = world.change()
    dry = try_out(change)
    before = ways([replace(person, then=None) for person in dry.people], dry.before)
    after = ways(dry.people, dry.after)
    assert told(dry.lines) == changes(before, after)
    assert check(dry.before.places, before) > 500
    with transaction.atomic():
        change()
    check(dry.after.places, after)


def test_what_takes_effect_in_an_environment_is_what_policy_says_does():
    World(1)
    inside = [place for place in read_policy().places if place.target.environment]
    assert {name for place in inside for name in place.permissions} == IN_ENVIRONMENTS
