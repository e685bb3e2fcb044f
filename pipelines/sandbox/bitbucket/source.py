"""A repository's branches and its bitbucket-pipelines.yml.

Details of a pipeline may hold the file's text as `yml`, None for a repository without one. Else it
is made: a parameter PIPELINE lists the custom pipelines, and the others are their variables.
"""

from typing import Any
from urllib.parse import unquote

import yaml

from ..objects import Parameter, Pipeline
from ..wire import Answer, Request, text_answer
from . import errors
from .listing import page, whole
from .model import Model, head_of

FILE = "bitbucket-pipelines.yml"


def yml_of(pipeline: Pipeline) -> str | None:
    if "yml" in pipeline.details:
        text: str | None = pipeline.details["yml"]
        return text
    steps = [
        {"step": {"name": step.name} | ({"trigger": "manual"} if step.gate else {})}
        for step in pipeline.steps
    ]
    chooser = [p for p in pipeline.parameters if p.name == "PIPELINE"]
    variables = [_variable(p) for p in pipeline.parameters if p.name != "PIPELINE"]
    items = [{"variables": variables}, *steps] if variables else steps
    pipelines: dict[str, Any] = {"default": steps}
    if chooser:
        pipelines["custom"] = dict.fromkeys(filter(None, chooser[0].choices), items)
    return yaml.safe_dump({"pipelines": pipelines}, sort_keys=False)


def _variable(parameter: Parameter) -> dict[str, Any]:
    variable: dict[str, Any] = {"name": parameter.name}
    if parameter.default:
        variable["default"] = parameter.default
    if parameter.choices:
        variable["allowed-values"] = list(parameter.choices)
    return variable


def custom_names(pipeline: Pipeline) -> set[str]:
    """The selectors that a start may name."""
    try:
        document = yaml.safe_load(yml_of(pipeline) or "")
    except yaml.YAMLError:
        return set()
    pipelines = document.get("pipelines") if isinstance(document, dict) else None
    custom = pipelines.get("custom") if isinstance(pipelines, dict) else None
    return {str(name) for name in custom} if isinstance(custom, dict) else set()


def branches(request: Request, pipeline: Pipeline, rest: tuple[str, ...]) -> Answer:
    """All, or one whose name may hold slashes."""
    model = Model(request.instance, request.base)
    if not rest:
        return page(request, pipeline.branches, lambda name: model.branch(pipeline, name))
    name = "/".join(rest)
    if name not in pipeline.branches or not pipeline.default_branch:
        return errors.error(404, f'Branch "{name}" not found')
    return whole(request, model.branch(pipeline, name))


def src(request: Request, pipeline: Pipeline, rest: tuple[str, ...]) -> Answer:
    """A file at a commit. A branch's name that holds a slash is never found."""
    commit, path = rest[0], "/".join(rest[1:])
    refs = {head_of(pipeline, name) for name in pipeline.branches}
    refs |= {name for name in pipeline.branches if "/" not in unquote(name)}
    refs |= {build.commit for build in pipeline.builds.values()}
    text = yml_of(pipeline) if path == FILE else None
    if commit not in refs or text is None:
        return errors.error(404, f"No such file or directory: {path}")
    return text_answer(text)
