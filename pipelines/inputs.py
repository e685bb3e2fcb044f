"""What a person may ask for: branch, commit and parameters, checked against what is declared.

The environment is computed from names and values, so a second way to write the same branch or
parameter would be a way around the rules; such spellings are refused.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipelines.bounds import text
from pipelines.environments import RULE_WORDS, Rules
from pipelines.models import Pipeline
from pipelines.providers import PROVIDERS
from pipelines.providers.base import Capability, Gate, RemoteParameter
from pipelines.providers.errors import Rejected
from pipelines.providers.labels import PREFIX, refuse_reserved

BRANCH_MAX = 255
VALUE_MAX = 4000
VARIABLES_MAX = 100
# git check-ref-format(1), and two leading signs that it allows: a dash, which a script may read as
# an option, and a plus, with which git fetch(1) reads "+main" as the branch main.
_NOT_A_BRANCH = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^@$|^[-+/.]|[/.]$|\.lock(/|$)|^HEAD$"
)
_COMMIT = re.compile(r"[0-9a-fA-F]{40}([0-9a-fA-F]{24})?")
_OTHER_SPELLINGS = ("refs/", "origin/", "remotes/", "heads/", "tags/")
# A vendor's own word for a place, which a pipeline compares; nothing that a shell would read.
_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")

Item = Mapping[str, object]  # a declared parameter as Pipeline.parameters holds it


@dataclass(frozen=True)
class Inputs:
    """A checked branch, commit and the parameters as the run gets them, with what is wrong.

    `errors` has the keys "branch", "commit" and "parameter:NAME". `parameters` holds the declared
    defaults where nothing else was chosen: a default that changes on the server after the
    environment was computed must not move the run elsewhere.
    """

    branch: str
    parameters: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    commit: str = ""


def check_inputs(
    pipeline: Pipeline, branch: str, given: Mapping[str, str], commit: str = ""
) -> Inputs:
    """Reads `pipeline.server` and nothing else. Password parameters are never taken nor sent."""
    branch, commit = branch.strip(), commit.strip().lower()
    problems = {
        "branch": _branch_problem(pipeline, branch),
        "commit": _commit_problem(pipeline, commit),
    }
    errors = {key: problem for key, problem in problems.items() if problem}
    declared = {str(item["name"]): item for item in pipeline.parameters}
    own = {name: value for name, value in given.items() if name not in declared}
    chosen = {name: value for name, value in given.items() if name in declared}
    parameters, wrong = _check_declared(fields_of(pipeline), declared, chosen)
    variables, refused = check_variables(pipeline, own)
    errors |= wrong | refused
    return Inputs(branch or pipeline.default_branch, parameters | variables, errors, commit)


def check_gate(gate: Gate, given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What a gate gets, its defaults among it, and the errors; as check_inputs() does it."""
    declared = {str(item["name"]): item for item in parameter_items(gate)}
    values, errors = _check_declared(fillable(declared.values()), declared, given)
    secret = secrets_of(declared.values())
    if secret:
        errors[""] = f"It asks for a secret ({', '.join(secret)}), and Stagedoor takes none."
    return values, errors


def check_variables(
    pipeline: Pipeline, given: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """A person's own variables and the errors, where the provider takes what is not declared."""
    if len(given) > VARIABLES_MAX:
        return {}, {"": f"At most {VARIABLES_MAX} variables."}
    variables, errors = {}, {}
    names = [*(str(item["name"]) for item in pipeline.parameters), *given]
    spelt = Counter(name.casefold() for name in names)
    for name, raw in given.items():
        value = raw.strip()
        problem = "The pipeline has no such parameter."
        if takes(pipeline, Capability.VARIABLES):
            problem = _variable_problem(name, value, alike=spelt[name.casefold()])
        if problem:
            errors[f"parameter:{name}"] = problem
        else:
            variables[name] = value
    return variables, errors


def read_variables(written: str) -> tuple[dict[str, str], list[str]]:
    """NAME=value lines, and a sentence for each line that is none."""
    variables: dict[str, str] = {}
    errors = []
    for number, line in enumerate(written.splitlines(), start=1):
        name, sign, value = (part.strip() for part in line.partition("="))
        if not line.strip():
            continue
        if not sign or not name:
            errors.append(f"Line {number} is not of the form NAME=value.")
        elif name in variables:
            errors.append(f"Line {number} names {name} again.")
        else:
            variables[name] = value
    return variables, errors


def target_problem(target: str, rules: Rules) -> str:
    """What is wrong with a promotion's target, "" if nothing is.

    A pipeline compares it letter by letter, our rules don't: so there is one spelling.
    """
    if not _TARGET.fullmatch(target):
        return "A target has letters, digits and . - _ / and begins with a letter or digit."
    for slug in rules.slugs:
        if slug.casefold() == target.casefold() and slug != target:
            return f"Write “{slug}”, as the environment is written."
    return ""


def fields_of(pipeline: Pipeline) -> list[Item]:
    """The declared parameters that a person may fill in."""
    return fillable(pipeline.parameters)


def parameter_items(gate: Gate) -> list[Item]:
    """What a gate asks for, as a pipeline's parameters are kept."""
    return [_item(parameter) for parameter in gate.parameters]


def secrets_of(items: Iterable[Item]) -> list[str]:
    """Password parameters, which Stagedoor neither takes nor keeps."""
    return [str(item["name"]) for item in items if item.get("type") == "password"]


def fillable(items: Iterable[Item]) -> list[Item]:
    """No passwords, and nothing under a name that belongs to Stagedoor."""
    return [
        item
        for item in items
        if item.get("type") != "password" and not _reserved(str(item["name"]))
    ]


def takes(pipeline: Pipeline, capability: Capability) -> bool:
    """Whether the pipeline's provider can do this."""
    adapter = PROVIDERS.get(pipeline.server.provider)
    return adapter is not None and capability in adapter.capabilities


def _item(parameter: RemoteParameter) -> Item:
    return {
        "name": parameter.name,
        "type": parameter.type,
        "default": parameter.default,
        "choices": list(parameter.choices),
        "description": parameter.description,
    }


def _check_declared(
    fields: Iterable[Item], declared: Mapping[str, Item], given: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The values, the defaults of `fields` among them, and what is wrong by "parameter:NAME"."""
    values = {str(item["name"]): str(item.get("default") or "") for item in fields}
    errors = {}
    for name, raw in given.items():
        value, problem = _value(declared.get(name), name, raw)
        if problem:
            errors[f"parameter:{name}"] = problem
        else:
            values[name] = value
    return values, errors


def _reserved(name: str) -> bool:
    """Labels travel under these names; a person may not write them."""
    return name.upper().startswith(PREFIX)


def _commit_problem(pipeline: Pipeline, commit: str) -> str:
    if not commit:
        return ""
    if not takes(pipeline, Capability.COMMIT):
        return f"{pipeline.name} can't be asked for a commit."
    # A short id may mean another commit tomorrow, and a name that looks like one is a branch.
    return "" if _COMMIT.fullmatch(commit) else "Give the whole id of a commit: 40 or 64 signs."


def _variable_problem(name: str, value: str, alike: int) -> str:
    """`alike`: how many of the declared and the given have this name, in any case."""
    problem = ""
    if name.upper() in RULE_WORDS:
        problem = "This name is Stagedoor's own."
    elif alike > 1:
        problem = "There is another of this name. Upper and lower case count as one."
    elif len(value) > VALUE_MAX:
        problem = f"At most {VALUE_MAX} characters."
    elif text(value) != value or "\n" in value:
        problem = "It holds characters that can't be sent."
    return problem or _refused(name, value)


def _refused(name: str, value: str) -> str:
    """What all adapters refuse, said before anything is queued."""
    try:
        refuse_reserved({name: value})
    except Rejected as error:
        return str(error)
    return ""


def _branch_problem(pipeline: Pipeline, branch: str) -> str:
    problem = ""
    if branch and not takes(pipeline, Capability.BRANCH) and branch != pipeline.default_branch:
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
