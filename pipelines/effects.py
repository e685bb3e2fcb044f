"""Where a write takes effect, computed from what would really run and never from what a form says.

A start has its own branch and parameters. All that acts on a build has that build's: what the
portal did not start has unknown parameters, which count as the strictest that they could be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipelines.environments import UNBLOCK, Environments, Rules, by_strictness, read_rules
from pipelines.inputs import check_inputs, check_variables, takes, target_problem
from pipelines.models import Build, Environment, Pipeline, Trigger
from pipelines.providers.base import Capability, Cause

Action = Trigger.Action
MAX_RETRIES_FOLLOWED = 20
SHA_LENGTHS = (40, 64)
# What a vendor begins by itself for a branch has a commit of it. People name any commit, and a pull
# request's build may be called by the branch that it is for.
OF_ITS_BRANCH = frozenset({Cause.PUSH, Cause.SCHEDULE})
# Kept in a trigger's receipt when a person, and not the vendor, said which build is its.
BY_WORD = "by_word"


@dataclass(frozen=True)
class Effect:
    """Where a write takes effect, and with what; `errors` are by field, as in check_inputs().

    `parameters` are those that the adapter is given: for a retry what its build was started with.
    """

    branch: str
    parameters: dict[str, str]
    environment: Environment | None
    errors: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""
    known: bool = True  # whether all of its parameters are known
    carried: Mapping[str, str] = field(default_factory=dict)  # what the build goes on with
    others: Environments = ()  # laxer than `environment`, where it may take effect as well
    on_branch: bool = True  # whether its commit is certain to be on that branch

    @property
    def environments(self) -> Environments:
        """Everywhere that it may take effect, the strictest first."""
        return (self.environment, *self.others) if self.environment else ()

    @property
    def asking(self) -> Environment | None:
        """Of these, the one that asks for the most approvals: so many, of its approvers."""
        return max(self.environments, key=lambda one: one.approvals, default=None)

    @property
    def approvals(self) -> int:
        return self.asking.approvals if self.asking else 0

    def within(self, environments: Environments) -> "Effect":
        """The same there, the strictest first."""
        return replace(self, environment=next(iter(environments), None), others=environments[1:])

    @property
    def judged(self) -> dict[str, str] | None:
        """The parameters that conditions are about; None where not all are known."""
        return {**self.carried, **self.parameters} if self.known else None

    @property
    def judged_besides(self) -> dict[str, str] | None:
        """The same as the build itself has them, where it goes on with some of its own."""
        return {**self.parameters, **self.carried} if self.carried else None


def effect_of(
    action: str,
    pipeline: Pipeline,
    branch: str,
    parameters: Mapping[str, str],
    *,
    commit: str = "",
    subject: str = "",
    subject_name: str = "",
    build: Build | None = None,
    rules: Rules | None = None,
) -> Effect:
    """The effect of an action. `branch` and `commit` count for a start only.

    `subject` is a promotion's target; `subject_name` how a gate is called, whose `parameters` were
    checked by check_gate().
    """
    rules = rules or read_rules()
    if action == Action.ACTIVATE:
        # Every branch of it would build.
        effect = Effect("", {}, None, known=False)
        return effect.within(rules.environments(pipeline, "", None))
    if action == Action.START or build is None:
        return _start(pipeline, branch, parameters, commit, rules)
    effect = _of_build(pipeline, build, rules)
    if action == Action.UNBLOCK:
        shown = {**parameters, UNBLOCK: subject_name}
        known = origin_of(build) is not None
        found = rules.environments(
            pipeline, effect.branch, {**effect.parameters, **shown}, complete=known
        )
        # As strict as the build itself, and as the rules are with what its gate is given.
        both = by_strictness([*effect.environments, *found])
        carried = effect.parameters
        return replace(effect, parameters=dict(parameters), carried=carried).within(both)
    if action == Action.PROMOTE:
        return _promote(pipeline, effect, parameters, subject, rules)
    return effect


def effect_again(trigger: Trigger, rules: Rules) -> Effect:
    """The effect that a request has by the rules as they are now."""
    effect = effect_of(
        trigger.action,
        trigger.pipeline,
        trigger.branch,
        trigger.parameters,
        # One that the server can't be told is known, and not asked for.
        commit="" if trigger.unpinned else trigger.commit,
        subject=trigger.subject,
        subject_name=trigger.subject_name,
        build=trigger.build,
        rules=rules,
    )
    started = trigger.action == Action.START
    return replace(effect, on_branch=effect.on_branch or (started and trigger.on_branch))


def _start(
    pipeline: Pipeline, branch: str, parameters: Mapping[str, str], commit: str, rules: Rules
) -> Effect:
    inputs = check_inputs(pipeline, branch, parameters, commit)
    effect = Effect(
        inputs.branch,
        inputs.parameters,
        None,
        inputs.errors,
        inputs.commit,
        on_branch=not inputs.commit,
    )
    return effect.within(rules.environments(pipeline, inputs.branch, inputs.parameters))


def _of_build(pipeline: Pipeline, build: Build, rules: Rules) -> Effect:
    """What a cancel or retry of the build touches."""
    origin = origin_of(build)
    branch = build.branch or (build.trigger.branch if build.trigger else "")
    known = origin.parameters if origin else None
    if origin is not None and origin.action == Action.PROMOTE:
        carried = {**_carried(origin), **origin.parameters}
        found = rules.promotion(pipeline, branch, origin.subject, carried)
    else:
        found = rules.environments(pipeline, branch, known)
    effect = Effect(
        branch,
        dict(known or {}),
        None,
        commit=_commit(build, origin),
        known=origin is not None,
        on_branch=is_on_branch(build, pipeline),
    )
    return effect.within(found)


def _promote(
    pipeline: Pipeline, effect: Effect, parameters: Mapping[str, str], target: str, rules: Rules
) -> Effect:
    variables, errors = check_variables(pipeline, parameters)
    # Vendors hand the build's own on to what is promoted.
    carried = {**effect.parameters, **parameters}
    problem = target_problem(target, rules)
    promoted = replace(
        effect,
        parameters=variables,
        carried=effect.parameters,
        errors=errors | ({"target": problem} if problem else {}),
    )
    return promoted.within(rules.promotion(pipeline, effect.branch, target, carried))


def origin_of(build: Build) -> Trigger | None:
    """The start or promotion that the build comes from, through any retries; None when it was
    not ours, or only by somebody's word."""
    seen: Build | None = build
    for _ in range(MAX_RETRIES_FOLLOWED):
        origin = seen.trigger if seen else None
        if seen is None or origin is None or not _is_evident(seen, origin):
            return None
        if origin.action != Action.RETRY:
            return origin
        seen = origin.build
    return None


def is_on_branch(build: Build, pipeline: Pipeline) -> bool:
    """Whether the build's commit is certain to be on the branch that the build is called by.

    Of ours it is what was known when it was asked for; of others, what the vendor began by itself,
    and all where nobody can name a commit.
    """
    origin = origin_of(build)
    if origin is None:
        return build.cause in OF_ITS_BRANCH or not takes(pipeline, Capability.COMMIT)
    # Without a commit, the server took the branch's newest.
    newest = origin.action == Action.START and (not origin.commit or origin.unpinned)
    return newest or origin.on_branch


def _carried(promotion: Trigger) -> dict[str, str]:
    """What the promoted build itself was started with, as far as that is known."""
    origin = origin_of(promotion.build) if promotion.build else None
    return dict(origin.parameters) if origin else {}


def _is_evident(build: Build, trigger: Trigger) -> bool:
    """Whether the vendor tied the two. Of a build that a person tied, nobody knows the parameters:
    it might be anybody's, in a stricter environment."""
    told = trigger.receipt.get("build")
    return BY_WORD not in trigger.receipt and told in (None, "", build.external_id)


def _commit(build: Build, origin: Trigger | None) -> str:
    """The build's commit where it is told whole, else the one that was asked for."""
    if len(build.commit) in SHA_LENGTHS:
        return build.commit
    return origin.commit if origin else ""
