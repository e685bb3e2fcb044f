"""Where a run takes effect, computed by ordered rules and never believed from a form.

What is not known counts against the person: an unknown branch or parameter matches every rule
that it could match. The run counts as in the strictest of those environments, and what any of them
forbids or asks for holds. No match is the strictest environment of all.

A parameter that the pipeline does not declare may be one that it never reads. So where a rule for
all pipelines matches by such a parameter, the rules behind it count as well: a person can make
the answer stricter by it, never laxer. A rule that names its pipeline is believed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pipelines.models import Environment, EnvironmentRule, Pipeline

# What rules may name besides parameters; no person may give variables of these names.
PROMOTE_TO = "PROMOTE_TO"  # the target of a promotion
UNBLOCK = "UNBLOCK"  # the name of the gate that is opened
RULE_WORDS = frozenset({PROMOTE_TO, UNBLOCK})
Environments = tuple[Environment, ...]


@dataclass(frozen=True)
class Rules:
    """The rules in their order, and the strictest environment, which no match means."""

    rules: tuple[EnvironmentRule, ...]
    fallback: Environment | None  # None only while no environment is configured at all
    slugs: tuple[str, ...] = ()  # of all environments

    def environments(
        self,
        pipeline: Pipeline,
        branch: str,
        parameters: Mapping[str, str] | None,
        *,
        complete: bool = True,
    ) -> Environments:
        """Where a run may take effect, the strictest first; one when all is known.

        `branch` is "" when it is not known; `parameters` is None when they are not known (a build
        that was started elsewhere), and holds the defaults where nothing else was chosen. Not
        `complete`: there may be others. Empty only while no environment is configured at all.
        """
        known = parameters or {}
        complete = complete and parameters is not None
        found, certain = _matching(self.rules, pipeline, branch, known, complete=complete)
        return by_strictness(found if certain else [*found, self.fallback])

    def reachable(self, pipeline: Pipeline) -> list[Environment]:
        """Where runs of it can take effect at all, whatever branch and parameters are chosen."""
        found: dict[int, Environment] = {}
        for rule in self.rules:
            if _is_about(rule, pipeline):
                found.setdefault(rule.environment.pk, rule.environment)
                if rule.branch == "*" and not rule.parameter:
                    return list(found.values())
        if self.fallback:
            found.setdefault(self.fallback.pk, self.fallback)
        return list(found.values())

    def promotion(
        self, pipeline: Pipeline, branch: str, target: str, variables: Mapping[str, str]
    ) -> Environments:
        """Where a promotion to the vendor's deployment target of that name may take effect.

        Only rules that name PROMOTE_TO decide it: what a branch's builds touch says nothing of
        where they are promoted to. Rules that name one of the variables make it stricter and never
        laxer: a script may read that in place of the target.
        """
        rules = [rule for rule in self.rules if _name(rule).casefold() == PROMOTE_TO.casefold()]
        # As if it were declared: it is the target, whatever the pipeline takes.
        found, certain = _matching(
            rules, pipeline, branch, {PROMOTE_TO: target}, complete=True, believed=(PROMOTE_TO,)
        )
        given = [rule for rule in self.rules if rule.parameter]
        named, _ = _matching(given, pipeline, branch, variables, complete=True)
        return by_strictness([*found, *named, *([] if certain else [self.fallback])])


def read_rules() -> Rules:
    """The rules as they hold now; two queries."""
    rules = EnvironmentRule.objects.select_related("environment__approver_role")
    environments = list(Environment.objects.select_related("approver_role").order_by("-rank", "pk"))
    return Rules(
        tuple(rules.order_by("order", "pk")),
        environments[0] if environments else None,
        tuple(environment.slug for environment in environments),
    )


def _matching(
    rules: Iterable[EnvironmentRule],
    pipeline: Pipeline,
    branch: str,
    parameters: Mapping[str, str],
    *,
    complete: bool,
    believed: Iterable[str] = (),
) -> tuple[list[Environment], bool]:
    """The environments of all rules that may match, up to the first that is certain to; whether
    there is one. `believed` are names of parameters that count as declared."""
    declared = {*(str(item["name"]) for item in pipeline.parameters), *believed}
    found = []
    for rule in rules:
        if not _is_about(rule, pipeline):
            continue
        matches = (_branch(rule, branch), _parameter(rule, parameters, declared, complete))
        if False in matches:
            continue
        found.append(rule.environment)
        if None not in matches:
            return found, True
    return found, False


def branch_problem(environment: Environment | None, branch: str) -> str:
    """Why what is on that branch may not run there, as a sentence; "" when it may.

    A branch that is not known is none of the protected ones.
    """
    globs = globs_of(environment.protected_branches) if environment else []
    if not globs or any(branch and fnmatchcase(branch, glob) for glob in globs):
        return ""
    only = f"{environment} takes {' and '.join(globs)} only"
    return f"{only}, not {branch}." if branch else f"{only}, and this run's branch is not known."


def globs_of(written: str) -> list[str]:
    """Branch globs as they are written into a field: between commas, spaces or lines."""
    return written.replace(",", " ").split()


def by_strictness(environments: Iterable[Environment | None]) -> Environments:
    """Each once, that with the highest rank first."""
    found = {environment.pk: environment for environment in environments if environment}
    return tuple(sorted(found.values(), key=lambda one: (-one.rank, one.pk)))


def _is_about(rule: EnvironmentRule, pipeline: Pipeline) -> bool:
    on_server = fnmatchcase(pipeline.server.slug, rule.server)
    return on_server and fnmatchcase(pipeline.external_id, rule.pipeline)


def _branch(rule: EnvironmentRule, branch: str) -> bool | None:
    """Whether the branch matches; None when that is not known."""
    if rule.branch == "*":
        return True
    return fnmatchcase(branch, rule.branch) if branch else None


def _parameter(
    rule: EnvironmentRule, parameters: Mapping[str, str], declared: set[str], complete: bool
) -> bool | None:
    """Whether the parameter matches; None when that is not known. "NAME" alone means "NAME=*".

    Upper and lower case, and space around it, make a match possible but not certain: many a
    script takes PROD for prod, and many another takes what is not its very word for the default.
    """
    if not rule.parameter:
        return True
    name, pattern = _name(rule).casefold(), rule.parameter.partition("=")[2] or "*"
    given = [key for key in parameters if key.casefold() == name]
    if not given:
        return False if complete else None
    matching = [
        key
        for key in given
        if fnmatchcase(parameters[key].strip().casefold(), pattern.strip().casefold())
    ]
    if not matching:
        return False
    certain = any(_is_exact(rule, key, parameters[key]) for key in matching)
    return True if certain and (rule.pipeline != "*" or declared.issuperset(matching)) else None


def _is_exact(rule: EnvironmentRule, key: str, value: str) -> bool:
    """Whether it is written as the rule has it; the names that are ours have one spelling."""
    pattern = rule.parameter.partition("=")[2].strip() or "*"
    return (key == _name(rule) or key in RULE_WORDS) and fnmatchcase(value, pattern)


def _name(rule: EnvironmentRule) -> str:
    return rule.parameter.partition("=")[0].strip()
