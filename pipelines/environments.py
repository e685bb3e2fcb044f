"""Where a run takes effect, computed by ordered rules and never believed from a form.

What is not known counts against the person: an unknown branch or parameter matches every rule
that it could match, and the strictest of those environments is taken. No match is the strictest
environment of all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pipelines.models import Environment, EnvironmentRule, Pipeline


@dataclass(frozen=True)
class Rules:
    """The rules in their order, and the strictest environment, which no match means."""

    rules: tuple[EnvironmentRule, ...]
    fallback: Environment | None  # None only while no environment is configured at all

    def environment(
        self, pipeline: Pipeline, branch: str, parameters: Mapping[str, str] | None
    ) -> Environment | None:
        """The environment of a run.

        `branch` is "" when it is not known; `parameters` is None when they are not known (a build
        that was started elsewhere), and holds the defaults where nothing else was chosen.
        """
        found = possible_environments(self.rules, pipeline, branch, parameters)
        return strictest(found) if found else self.fallback


def read_rules() -> Rules:
    """The rules as they hold now; two queries."""
    rules = EnvironmentRule.objects.select_related("environment").order_by("order", "pk")
    return Rules(tuple(rules), Environment.objects.order_by("-rank", "pk").first())


def possible_environments(
    rules: Iterable[EnvironmentRule],
    pipeline: Pipeline,
    branch: str,
    parameters: Mapping[str, str] | None,
) -> list[Environment]:
    """The environments that the run may take effect in: one when all is known.

    Empty when no rule is certain to match, since then the strictest environment is possible.
    """
    found = []
    for rule in rules:
        if not fnmatchcase(pipeline.server.slug, rule.server):
            continue
        if not fnmatchcase(pipeline.external_id, rule.pipeline):
            continue
        matches = (_branch(rule, branch), _parameter(rule, parameters))
        if False in matches:
            continue
        found.append(rule.environment)
        if None not in matches:
            return found
    return []


def strictest(environments: Iterable[Environment]) -> Environment:
    """The one with the highest rank."""
    return max(environments, key=lambda environment: (environment.rank, -(environment.pk or 0)))


def _branch(rule: EnvironmentRule, branch: str) -> bool | None:
    """Whether the branch matches; None when that is not known."""
    if rule.branch == "*":
        return True
    return fnmatchcase(branch, rule.branch) if branch else None


def _parameter(rule: EnvironmentRule, parameters: Mapping[str, str] | None) -> bool | None:
    """Whether the parameter matches; None when that is not known. "NAME" alone means "NAME=*".

    Upper and lower case are one, and space around it is none: many a script takes PROD for prod,
    and a text of several lines keeps its last line's end.
    """
    if not rule.parameter:
        return True
    if parameters is None:
        return None
    name, _, pattern = rule.parameter.partition("=")
    if name not in parameters:
        return False
    return fnmatchcase(parameters[name].strip().casefold(), (pattern or "*").casefold())


def environment_choices(kind: str) -> list[tuple[str, str]]:
    """For the hook `scope_choices`: what a role mapping may name as its environment."""
    if kind != "environment":
        return []
    return list(Environment.objects.order_by("rank", "slug").values_list("slug", "name"))
