"""Jenkins' JSON of jobs and parameters; every field may be missing or of another type.

Which fields there are: Jenkins' remote API (`@Exported` members of hudson.model.Job and of its
parameter classes) and the plugin branch-api.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from pipelines.providers.base import RemoteParameter, RemotePipeline
from pipelines.providers.jenkins.form import branch_parameter
from pipelines.providers.jenkins.names import branch_of, job_path
from pipelines.providers.labels import PREFIX
from pipelines.providers.wire import mapping, mappings, text, web_link

PARAMETERS = "parameterDefinitions[name,type,description,choices,defaultParameterValue[value]]"
# `jobs` answers only for folders and multibranch projects, so it tells them from jobs.
JOB = (
    "name,displayName,color,buildable,disabled,queueItem[id],actions[objectUrl],"
    f"property[{PARAMETERS}]"
)
ITEM = f"{JOB},jobs[name,actions[_class]]"
QUEUE = (
    "id,cancelled,inQueueSince,why,stuck,executable[number],"
    "actions[parameters[name,value],causes[shortDescription,userId,userName]]"
)

TYPES = MappingProxyType(
    {
        "StringParameterDefinition": "string",
        "TextParameterDefinition": "text",
        "ChoiceParameterDefinition": "choice",
        "BooleanParameterDefinition": "boolean",
        "PasswordParameterDefinition": "password",
    }
)
DEFAULT_BRANCHES = ("main", "master", "trunk")


def is_multibranch(item: Mapping[str, Any]) -> bool:
    """A multibranch project: one pipeline whose branches are jobs."""
    return "MultiBranchProject" in text(item.get("_class"))


def is_folder(item: Mapping[str, Any]) -> bool:
    """Anything else that holds jobs."""
    return isinstance(item.get("jobs"), list) and not is_multibranch(item)


def parse_pipeline(
    item: Mapping[str, Any],
    full_name: str,
    base_url: str,
    branch_parameters: Sequence[str] = (),
    branch_job: Mapping[str, Any] | None = None,
) -> RemotePipeline:
    """An answer to the tree ITEM; for a multibranch project also that of its default branch's job.

    What Stagedoor fills itself (the branch, STAGEDOOR_*) is not among the parameters that a person
    is asked for."""
    if is_multibranch(item):
        branch = default_branch(item)
        parameters = parse_parameters(branch_job or {})
    else:
        parameters = parse_parameters(item)
        branch_field = branch_parameter(parameters, branch_parameters)
        default = next((p.default for p in parameters if p.name == branch_field), "")
        branch = short_branch(default)
        parameters = tuple(p for p in parameters if p.name != branch_field)
    runnable = is_multibranch(item) or not (
        is_folder(item) or item.get("disabled") is True or item.get("buildable") is False
    )
    return RemotePipeline(
        external_id=full_name,
        name=text(item.get("displayName")) or full_name.rpartition("/")[2],
        web_url=f"{base_url}{job_path(full_name)}/",
        repository=_repository(item),
        default_branch=branch,
        parameters=tuple(p for p in parameters if not p.name.startswith(PREFIX)),
        runnable=runnable,
    )


def branch_items(project: Mapping[str, Any]) -> dict[str, str]:
    """The branches of a multibranch project, each with the name of its job."""
    names = [text(job.get("name")) for job in mappings(project.get("jobs"))]
    return {branch_of(name): name for name in names if name}


def default_branch(project: Mapping[str, Any]) -> str:
    """The branch that the branch source marks as primary (GitHub's and Bitbucket's do), else the
    likeliest; empty where nothing speaks for one."""
    for job in mappings(project.get("jobs")):
        kinds = [text(action.get("_class")) for action in mappings(job.get("actions"))]
        if any(kind.endswith("PrimaryInstanceMetadataAction") for kind in kinds):
            return branch_of(text(job.get("name")))
    known = branch_items(project)
    return next((name for name in DEFAULT_BRANCHES if name in known), "")


def _repository(item: Mapping[str, Any]) -> str:
    """The page of the repository that a multibranch project builds, as its branch source tells."""
    if not is_multibranch(item):
        return ""
    links = [web_link(action.get("objectUrl")) for action in mappings(item.get("actions"))]
    return next(filter(None, links), "")


def parse_parameters(job: Mapping[str, Any]) -> tuple[RemoteParameter, ...]:
    """The parameters that a job declares, in its order."""
    holders = mappings(job.get("property"))
    return parse_definitions([d for h in holders for d in mappings(h.get("parameterDefinitions"))])


def parse_definitions(definitions: object) -> tuple[RemoteParameter, ...]:
    """Exported ParameterDefinitions."""
    found = []
    for definition in mappings(definitions):
        choices = definition.get("choices")
        found.append(
            RemoteParameter(
                name=text(definition.get("name")),
                type=TYPES.get(text(definition.get("type")), "string"),
                default=as_text(mapping(definition.get("defaultParameterValue")).get("value")),
                choices=tuple(map(as_text, choices)) if isinstance(choices, list) else (),
                description=text(definition.get("description")),
            )
        )
    return tuple(parameter for parameter in found if parameter.name)


def as_text(value: object) -> str:
    """A parameter's value as a form sends it; Jenkins gives booleans and numbers as such."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def parameter_values(run: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a run or queue item. Passwords have no value and are left out."""
    return {
        text(value.get("name")): as_text(value["value"])
        for action in mappings(run.get("actions"))
        for value in mappings(action.get("parameters"))
        if value.get("value") is not None and text(value.get("name"))
    }


def short_branch(name: str) -> str:
    """`refs/remotes/origin/main`, `origin/main`, `refs/heads/main` -> `main`."""
    for prefix in ("refs/remotes/origin/", "refs/heads/", "origin/", "*/"):
        name = name.removeprefix(prefix)
    return "" if name == "detached" else name


def later(start: datetime, milliseconds: int) -> datetime | None:
    """`start` and a duration. A controller's clock may run backwards, hence never before `start`;
    None for an absurd duration."""
    try:
        return start + timedelta(milliseconds=max(milliseconds, 0))
    except OverflowError:
        return None
