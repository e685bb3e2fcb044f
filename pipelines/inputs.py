"""What a person may ask for: a branch and parameters, checked against what the pipeline declares.

The environment is computed from the branch's name, so a second way to write the same branch would
be a way around the rules; such spellings are refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.bounds import text
from pipelines.models import Pipeline
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability
from pipelines.providers.labels import PREFIX

BRANCH_MAX = 255
VALUE_MAX = 4000
# git check-ref-format(1), and two leading signs that it allows: a dash, which a script may read as
# an option, and a plus, with which git fetch(1) reads "+main" as the branch main.
_NOT_A_BRANCH = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^@$|^[-+/.]|[/.]$|\.lock(/|$)|^HEAD$"
)
_COMMIT = re.compile(r"[0-9a-fA-F]{40}([0-9a-fA-F]{24})?")
_OTHER_SPELLINGS = ("refs/", "origin/", "remotes/", "heads/", "tags/")


@dataclass(frozen=True)
class Inputs:
    """A checked branch and the parameters as the run gets them, with what is wrong per field.

    `errors` has the keys "branch" and "parameter:NAME". `parameters` holds the declared defaults
    where nothing else was chosen: a default that changes on the server after the environment was
    computed must not move the run elsewhere.
    """

    branch: str
    parameters: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)


def check_inputs(pipeline: Pipeline, branch: str, given: Mapping[str, str]) -> Inputs:
    """Reads `pipeline.server` and nothing else. Password parameters are never taken nor sent."""
    branch = branch.strip()
    errors = {}
    problem = _branch_problem(pipeline, branch)
    if problem:
        errors["branch"] = problem
    declared = {item["name"]: item for item in pipeline.parameters}
    parameters = {str(item["name"]): str(item.get("default") or "") for item in fields_of(pipeline)}
    for name, raw in given.items():
        value, problem = _value(declared.get(name), name, raw)
        if problem:
            errors[f"parameter:{name}"] = problem
        else:
            parameters[name] = value
    return Inputs(branch or pipeline.default_branch, parameters, errors)


def fields_of(pipeline: Pipeline) -> list[dict[str, object]]:
    """The declared parameters that a person may fill in."""
    return [
        item
        for item in pipeline.parameters
        if item.get("type") != "password" and not _reserved(item["name"])
    ]


def takes_branch(pipeline: Pipeline) -> bool:
    """Whether the provider can be asked for a branch of this pipeline."""
    adapter = PROVIDERS.get(pipeline.server.provider)
    return adapter is not None and Capability.BRANCH in adapter.capabilities


def _reserved(name: str) -> bool:
    """Labels travel under these names; a person may not write them."""
    return name.upper().startswith(PREFIX)


def _branch_problem(pipeline: Pipeline, branch: str) -> str:
    problem = ""
    if branch and not takes_branch(pipeline) and branch != pipeline.default_branch:
        problem = f"{pipeline.name} can't be asked for a branch."
    elif len(branch) > BRANCH_MAX:
        problem = f"A branch name has at most {BRANCH_MAX} characters."
    elif branch.startswith(_OTHER_SPELLINGS):
        prefix = branch.partition("/")[0]
        problem = f"Write the branch's own name, without “{prefix}/”."
    elif _COMMIT.fullmatch(branch):
        problem = "That is a commit. Write the name of a branch."
    elif _NOT_A_BRANCH.search(branch) or text(branch) != branch:
        problem = "Git allows no branch of that name."
    return problem


def _value(declared: Mapping[str, object] | None, name: str, raw: str) -> tuple[str, str]:
    """The value as it is sent and what is wrong with it."""
    if declared is None or _reserved(name):
        return "", "The pipeline has no such parameter."
    kind = declared.get("type")
    if kind == "boolean":
        return _boolean(raw.strip())
    # Scripts trim and compare; the rules that compute the environment must see the same.
    value = raw.replace("\r\n", "\n") if kind == "text" else raw.strip()
    problem = ""
    if kind == "password":
        value, problem = "", "Stagedoor takes no secrets. The server's own value is used."
    elif kind == "choice" and value not in (declared.get("choices") or []):
        problem = "This is not one of the choices."
    elif len(value) > VALUE_MAX:
        problem = f"At most {VALUE_MAX} characters."
    elif text(value) != value or (kind != "text" and "\n" in value):
        problem = "It holds characters that can't be sent."
    return value, problem


def _boolean(value: str) -> tuple[str, str]:
    word = value.lower()
    if word in {"true", "on", "1", "yes"}:
        return "true", ""
    if word in {"false", "off", "0", "no", ""}:
        return "false", ""
    return "", "This is either true or false."
