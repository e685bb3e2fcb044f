"""What bitbucket-pipelines.yml lets a person choose: its custom pipelines and their variables.

The file is written by whoever may push, so it is read within bounds. PyYAML's BaseLoader makes
texts, lists and mappings only: it knows no tags, and no merge keys, whose copies could grow
without end; an alias is the same object once more and costs nothing until it is walked through,
which is why that ends after so many declarations.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import yaml

from pipelines.providers.base import RemoteParameter
from pipelines.providers.labels import NAME, PREFIX
from pipelines.providers.wire import mapping, mappings, text

FILE = "bitbucket-pipelines.yml"
MAX_BYTES = 200_000
MAX_NAMES = 200
MAX_DECLARATIONS = 5_000
# The declared choice of a custom pipeline; policy, forms and audit see it as a parameter.
PIPELINE = "PIPELINE"
BY_BRANCH = "(of the branch)"
FREE = RemoteParameter(
    PIPELINE,
    description="The name of a custom pipeline, or nothing for the one of the branch. "
    f"Stagedoor can't read the names from {FILE}.",
)


def parameters_of(data: bytes) -> tuple[RemoteParameter, ...]:
    """PIPELINE and the variables of all custom pipelines; nothing where none is declared.

    What can't be resolved here (a broken file, an import of the whole) leaves PIPELINE as free
    text.
    """
    if len(data) > MAX_BYTES:
        return (FREE,)
    try:
        document = yaml.load(data, Loader=yaml.BaseLoader)  # noqa: S506  makes no objects
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError):
        return (FREE,)
    pipelines = mapping(mapping(document).get("pipelines"))
    custom = mapping(pipelines.get("custom"))
    if not (pipelines.keys() | custom.keys()).isdisjoint({"import", "<<"}):
        return (FREE,)
    names = [name for name in custom if isinstance(name, str) and name][:MAX_NAMES]
    if not names:
        return ()
    chooser = RemoteParameter(
        PIPELINE,
        type="choice",
        default=BY_BRANCH,
        choices=(BY_BRANCH, *names),
        description=f"Which pipeline of {FILE} runs.",
    )
    return (chooser, *_variables({name: custom[name] for name in names}))


def _variables(custom: Mapping[str, object]) -> list[RemoteParameter]:
    """Each variable once, though several pipelines may declare it."""
    found: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for pipeline, variable in islice(_declared(custom), MAX_DECLARATIONS):
        name = text(variable.get("name"))
        usable = NAME.fullmatch(name) and name != PIPELINE
        if usable and not name.upper().startswith(PREFIX) and len(found) < MAX_NAMES:
            found.setdefault(name, []).append((pipeline, variable))
    return [_parameter(name, declared) for name, declared in found.items()]


def _declared(custom: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each declaration with its pipeline's name."""
    for pipeline, items in custom.items():
        for item in _first(items):
            for variable in _first(item.get("variables")):
                yield pipeline, variable


def _first(value: object) -> list[Mapping[str, Any]]:
    return mappings(value[:MAX_NAMES]) if isinstance(value, list) else []


def _parameter(name: str, declared: list[tuple[str, Mapping[str, Any]]]) -> RemoteParameter:
    defaults = {text(variable.get("default")) for _, variable in declared}
    allowed = [_texts(variable.get("allowed-values")) for _, variable in declared]
    said = next(filter(None, (text(v.get("description")) for _, v in declared)), "")
    users = ", ".join(dict.fromkeys(pipeline for pipeline, _ in declared))
    # One that takes any value makes the variable free; different defaults make none.
    choices = tuple(dict.fromkeys(value for values in allowed for value in values))[:MAX_NAMES]
    default = defaults.pop() if len(defaults) == 1 else ""
    if not all(allowed):
        choices = ()
    elif default not in choices:
        choices = (default, *choices)
    return RemoteParameter(
        name=name,
        type="choice" if choices else "string",
        default=default,
        choices=choices,
        description=f"{said} (for {users})" if said else f"For {users}.",
    )


def _texts(value: object) -> list[str]:
    listed = value[:MAX_NAMES] if isinstance(value, list) else []
    return [item for item in listed if isinstance(item, str)]
