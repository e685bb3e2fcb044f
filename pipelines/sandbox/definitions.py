"""From plain data (what demo.py and tests write) to instances, tokens and pipelines with history.

A definition is {"instances": [{"vendor", "prefix", "options", "folders", "tokens", "pipelines",
"hooks"}]}.
Everything is checked, so that a typing mistake is a sentence and not a silent default.
"""

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from . import script
from .engine import Instance, World
from .jenkins.names import encode_branch
from .objects import Hook, Parameter, Person, Pipeline, Token, pushed
from .script import Step
from .vendors import VENDORS

# What the portal hands to every build, as a job has to declare it to receive it.
LABELS = (
    "STAGEDOOR_REQUEST_ID",
    "STAGEDOOR_PERSON",
    "STAGEDOOR_TEAM",
    "STAGEDOOR_SERVICE",
    "STAGEDOOR_REPOSITORY",
    "STAGEDOOR_ENVIRONMENT",
)
DEFAULT_STEPS = (
    {"name": "Build", "seconds": 4, "lines": ["Fetching dependencies", "Compiling", "Done"]},
    {"name": "Test", "seconds": 4, "lines": ["Running 42 tests", "42 passed"]},
)
_OUTCOMES = frozenset({script.PASSED, script.FAILED, script.UNSTABLE, script.SOFT_FAILED})
_DAY = 86_400


class BadDefinition(ValueError):
    """A definition can't be used; the text says where and why."""


def load(world: World, definition: Mapping[str, Any]) -> None:
    """Adds every instance of a definition. Raises BadDefinition."""
    for entry in definition["instances"]:
        load_instance(world, entry)


def load_instance(world: World, entry: Mapping[str, Any]) -> Instance:
    """One instance with its tokens and pipelines."""
    allowed = {"vendor", "prefix", "options", "folders", "tokens", "pipelines", "hooks"}
    _known(entry, allowed, "instance")
    if entry["vendor"] not in VENDORS:
        raise BadDefinition(f"Unknown vendor {entry['vendor']!r}.")
    instance = world.add(entry["vendor"], entry["prefix"], entry.get("options"))
    for token in entry.get("tokens", ()):
        add_token(instance, token)
    for pipeline in entry.get("pipelines", ()):
        add_pipeline(instance, pipeline, entry.get("folders"))
    for hook in entry.get("hooks", ()):
        add_hook(instance, hook)
    return instance


def add_hook(instance: Instance, entry: Mapping[str, Any]) -> Hook:
    """{"url", "secret", "env", "pipeline", "details"}; "env" names a variable with the secret."""
    _known(entry, {"url", "secret", "env", "pipeline", "details"}, "hook")
    secret = os.environ.get(entry.get("env", ""), "") or entry.get("secret", "")
    pipeline, details = entry.get("pipeline", ""), entry.get("details")
    return instance.add_hook(entry["url"], secret, pipeline, details, lasting=False)


def add_token(instance: Instance, entry: Mapping[str, Any]) -> Token:
    """{"value", "env", "login", "name", "email", "rights", "expires_in_days", "only"}.

    "env" names a variable that holds the value, or `user:value` as a Jenkins credential is kept;
    "value" is taken where it is not set.
    """
    allowed = {"value", "env", "login", "name", "email", "rights", "expires_in_days", "only"}
    _known(entry, allowed, "token")
    handed = os.environ.get(entry.get("env", ""), "").rpartition(":")[2]
    now = instance.now()
    login = entry.get("login", "stagedoor")
    days = entry.get("expires_in_days")
    person = Person(
        login, entry.get("name", login.title()), entry.get("email", f"{login}@ci.example")
    )
    token = Token(
        value=handed or entry["value"],
        person=person,
        rights=frozenset(entry.get("rights", VENDORS[instance.vendor].rights)),
        created_at=now,
        expires_at=None if days is None else now + days * _DAY,
        only=tuple(entry.get("only", ())),
    )
    instance.tokens[token.value] = token
    return token


def add_pipeline(
    instance: Instance, entry: Mapping[str, Any], folders: Mapping[str, str] | None = None
) -> Pipeline:
    """A pipeline with the fields of objects.Pipeline, and besides:

    "steps" as dicts, "parameters" as dicts or names, "committers" as names, "labels": true to
    declare LABELS,
    "history": how many finished builds it starts with, "multibranch": true to make `name` a
    multibranch project with one job for each of `branches`.
    """
    values = dict(entry)
    history = values.pop("history", 0)
    labels = values.pop("labels", False)
    multibranch = values.pop("multibranch", False)
    _known(values, {field.name for field in fields(Pipeline)}, f"pipeline {entry.get('name')}")
    values["steps"] = tuple(make_step(step) for step in values.get("steps") or DEFAULT_STEPS)
    parameters = [_parameter(parameter) for parameter in values.get("parameters", ())]
    if labels:
        declared = {parameter.name for parameter in parameters}
        parameters += [Parameter(name) for name in LABELS if name not in declared]
    values["parameters"] = tuple(parameters)
    values["branches"] = tuple(values.get("branches", ("main",)))
    values["committers"] = tuple(_committer(name) for name in values.get("committers", ()))
    values["commits"] = tuple(values.get("commits", ()))
    values.setdefault("created_at", instance.now() - 200 * _DAY)
    if instance.vendor == "buildkite" and values["name"].count("/") != 1:
        raise BadDefinition(f"Pipeline {values['name']!r} must be named organisation/slug.")
    if multibranch:
        return _multibranch(instance, values, history, folders)
    pipeline = instance.add(Pipeline(**values), folders)
    seed(instance, pipeline, history)
    return pipeline


def _committer(name: str) -> Person:
    login = name.partition(" ")[0].lower()
    return Person(login, name, f"{login}@ci.example")


def _multibranch(
    instance: Instance, values: dict[str, Any], history: int, folders: Mapping[str, str] | None
) -> Pipeline:
    project = values["name"]
    kinds = {**(folders or {}), project: "multibranch"}
    jobs = []
    for branch in values["branches"]:
        name = f"{project}/{encode_branch(branch)}"
        job = Pipeline(**(values | {"name": name, "branch": branch, "branches": (branch,)}))
        jobs.append(instance.add(job, kinds))
        seed(instance, job, history)
    return jobs[0]


def make_step(entry: Mapping[str, Any] | str) -> Step:
    """A step from its name alone or from its fields; "outcome" is short for one outcome."""
    if isinstance(entry, str):
        return Step(entry)
    values = dict(entry)
    outcome = values.pop("outcome", None)
    _known(values, {field.name for field in fields(Step)}, f"step {entry.get('name')}")
    for name in ("lines", "inputs", "tests"):
        values[name] = tuple(values.get(name, ()))
    values["outcomes"] = (outcome,) if outcome else tuple(values.get("outcomes", (script.PASSED,)))
    unknown = set(values["outcomes"]) - _OUTCOMES
    if unknown:
        raise BadDefinition(f"Step {values['name']!r}: unknown outcome {unknown.pop()!r}.")
    return Step(**values)


def _parameter(entry: Mapping[str, Any] | str) -> Parameter:
    if isinstance(entry, str):
        return Parameter(entry)
    _known(entry, {field.name for field in fields(Parameter)}, f"parameter {entry.get('name')}")
    values = dict(entry) | {"choices": tuple(entry.get("choices", ()))}
    if values["choices"]:
        values.setdefault("default", values["choices"][0])
    return Parameter(**values)


def _known(entry: Mapping[str, Any], allowed: set[str], what: str) -> None:
    unknown = set(entry) - allowed
    if unknown:
        raise BadDefinition(f"{what}: unknown {', '.join(sorted(unknown))}.")


def seed(instance: Instance, pipeline: Pipeline, count: int) -> None:
    """Gives a pipeline without builds `count` finished ones, the same each time."""
    if pipeline.builds or count <= 0:
        return
    chance = random.Random(pipeline.name)  # noqa: S311  (repeatable on purpose)
    branches = (pipeline.branch,) if pipeline.branch else pipeline.branches
    now = instance.now()
    for back in range(count, 0, -1):
        begun = now - (back - chance.uniform(0, 0.6)) * 0.3 * _DAY - 3_600
        # the default branch is built most
        branch = branches[0] if chance.random() < 0.6 else chance.choice(branches)
        ask = pushed(pipeline, branch=branch, created_at=begun, starts_at=begun + 2)
        build = instance.start(pipeline, ask)
        build.course.speed = 1.0
        recent = back <= count // 2
        build.course.steps = _past(pipeline.steps, chance, as_configured=recent)
        instance.watch.drop(build)


def _past(steps: Sequence[Step], chance: random.Random, *, as_configured: bool) -> tuple[Step, ...]:
    """The steps as they once ran: gates were opened at once, and now and then one failed.

    A step that always fails did so in recent builds only: it was good once.
    """
    unlucky = chance.randrange(len(steps)) if chance.random() < 0.15 else None
    past = []
    for index, step in enumerate(steps):
        always = as_configured and set(step.outcomes) == {script.FAILED}
        outcome = script.FAILED if always or index == unlucky else script.PASSED
        past.append(replace(step, gate=False, outcomes=(outcome,)))
    return tuple(past)
