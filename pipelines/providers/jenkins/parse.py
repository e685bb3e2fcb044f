"""Jenkins' JSON into the contract's dataclasses; every field may be missing or of another type.

Which fields there are: Jenkins' remote API (`@Exported` members of hudson.model.Run, Job, Queue)
and the plugins git, workflow-api, branch-api, pipeline-input-step.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from pipelines.providers.base import (
    InvalidResponse,
    RemoteBuild,
    RemoteParameter,
    RemotePipeline,
    State,
    Step,
)
from pipelines.providers.jenkins.form import branch_parameter
from pipelines.providers.jenkins.names import BuildRef, branch_of, job_path
from pipelines.providers.labels import PREFIX, REQUEST_ID
from pipelines.providers.wire import epoch_ms, integer, mapping, mappings, text

PARAMETERS = "parameterDefinitions[name,type,description,choices,defaultParameterValue[value]]"
# `jobs` answers only for folders and multibranch projects, so it tells them from jobs.
JOB = f"name,displayName,color,buildable,disabled,queueItem[id],property[{PARAMETERS}]"
ITEM = f"{JOB},jobs[name]"
BUILD = (
    "number,queueId,displayName,building,inProgress,result,timestamp,duration,"
    "actions[causes[shortDescription,userId,userName],parameters[name,value],"
    "lastBuiltRevision[SHA1,branch[SHA1,name]],remoteUrls,executions[id]],"
    "changeSet[items[msg]{0,1}],changeSets[items[msg]{0,1}]"
)
QUEUE = "id,cancelled,inQueueSince,why,executable[number],actions[parameters[name,value]]"

# A run's result, and two words of our own for a run that has none yet.
STATES = MappingProxyType(
    {
        "QUEUED": State.QUEUED,
        "BUILDING": State.RUNNING,
        "PAUSED_PENDING_INPUT": State.WAITING,
        "SUCCESS": State.PASSED,
        "UNSTABLE": State.FAILED,  # tests failed; never silently green
        "FAILURE": State.FAILED,
        "ABORTED": State.CANCELLED,
        "NOT_BUILT": State.SKIPPED,
    }
)
# Stage words of pipeline-rest-api (upper case) and pipeline-graph-view (lower case).
STAGE_STATES = MappingProxyType(
    {
        "IN_PROGRESS": State.RUNNING,
        "PAUSED_PENDING_INPUT": State.WAITING,
        "SUCCESS": State.PASSED,
        "UNSTABLE": State.FAILED,
        "FAILED": State.FAILED,
        "ABORTED": State.CANCELLED,
        "NOT_EXECUTED": State.SKIPPED,
        "queued": State.QUEUED,
        "running": State.RUNNING,
        "paused": State.WAITING,
        "success": State.PASSED,
        "unstable": State.FAILED,
        "failure": State.FAILED,
        "aborted": State.CANCELLED,
        "skipped": State.SKIPPED,
        "not_built": State.SKIPPED,
    }
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
# Causes of a run that copied another run's parameters, its request id included.
COPYING_CAUSES = ("ReplayCause", "RebuildCause", "RestartDeclarativePipelineCause")


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
        branch = default_branch(branch_items(item))
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
        default_branch=branch,
        parameters=tuple(p for p in parameters if not p.name.startswith(PREFIX)),
        runnable=runnable,
    )


def branch_items(project: Mapping[str, Any]) -> dict[str, str]:
    """The branches of a multibranch project, each with the name of its job."""
    names = [text(job.get("name")) for job in mappings(project.get("jobs"))]
    return {branch_of(name): name for name in names if name}


def default_branch(branches: Iterable[str]) -> str:
    """The likely default branch; Jenkins does not tell which one it is."""
    known = set(branches)
    return next((name for name in DEFAULT_BRANCHES if name in known), "")


def parse_parameters(job: Mapping[str, Any]) -> tuple[RemoteParameter, ...]:
    """The parameters that a job declares, in its order."""
    found = []
    for holder in mappings(job.get("property")):
        for definition in mappings(holder.get("parameterDefinitions")):
            kind = text(definition.get("type"))
            choices = definition.get("choices")
            found.append(
                RemoteParameter(
                    name=text(definition.get("name")),
                    type=TYPES.get(kind, "string"),
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


def parse_build(
    run: Mapping[str, Any],
    pipeline: str,
    item: str,
    base_url: str,
    branch_parameters: Sequence[str] = (),
) -> RemoteBuild:
    """An answer to the tree BUILD; `item` is the branch job's name in a multibranch project."""
    number = integer(run.get("number"))
    if number is None:
        raise InvalidResponse("Jenkins: a build without a number.")
    raw = _raw_state(run)
    values = parameter_values(run)
    expected = branch_of(item) or next((values[n] for n in branch_parameters if values.get(n)), "")
    branch, commit = _revision(run, short_branch(expected))
    started = epoch_ms(run.get("timestamp"))
    finished = None
    if started and raw not in ("BUILDING", "PAUSED_PENDING_INPUT"):
        # A controller's clock may run backwards.
        finished = started + timedelta(milliseconds=max(integer(run.get("duration")) or 0, 0))
    return RemoteBuild(
        pipeline=pipeline,
        external_id=str(BuildRef(number, item)),
        state=STATES.get(raw, State.UNKNOWN),
        raw_state=raw,
        number=number,
        message=_message(run),
        branch=branch,
        commit=commit,
        who=_who(run),
        web_url=f"{base_url}{job_path(pipeline, item)}/{number}/",
        queued_at=started,
        started_at=started,
        finished_at=finished,
        request_id="" if _copied(run) else values.get(REQUEST_ID, ""),
    )


def short_branch(name: str) -> str:
    """`refs/remotes/origin/main`, `origin/main`, `refs/heads/main` -> `main`."""
    for prefix in ("refs/remotes/origin/", "refs/heads/", "origin/", "*/"):
        name = name.removeprefix(prefix)
    return "" if name == "detached" else name


def _raw_state(run: Mapping[str, Any]) -> str:
    # `result` may be set while a run still moves, so it counts only afterwards.
    if run.get("building") is True or run.get("inProgress") is True:
        paused = any(action.get("executions") for action in mappings(run.get("actions")))
        return "PAUSED_PENDING_INPUT" if paused else "BUILDING"
    return text(run.get("result"))


def _revision(run: Mapping[str, Any], expected: str) -> tuple[str, str]:
    """Branch and commit from the git plugin's BuildData, of which there may be several: shared
    libraries leave their own. Where they can't be told apart, no commit is better than a wrong one.
    """
    found = set()
    for action in mappings(run.get("actions")):
        revision = mapping(action.get("lastBuiltRevision"))
        for branch in mappings(revision.get("branch"))[:1]:
            commit = text(branch.get("SHA1")) or text(revision.get("SHA1"))
            found.add((short_branch(text(branch.get("name"))), commit))
    matching = {pair for pair in found if pair[0] == expected} if len(found) > 1 else found
    if len(matching) == 1:
        branch_name, commit = matching.pop()
        return expected or branch_name, commit
    return expected, ""


def _causes(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    actions = mappings(run.get("actions"))
    return [cause for action in actions for cause in mappings(action.get("causes"))]


def _copied(run: Mapping[str, Any]) -> bool:
    return any(text(cause.get("_class")).endswith(COPYING_CAUSES) for cause in _causes(run))


def _who(run: Mapping[str, Any]) -> str:
    causes = _causes(run)
    people = [text(cause.get("userName")) or text(cause.get("userId")) for cause in causes]
    said = [text(cause.get("shortDescription")) for cause in causes]
    return next(filter(None, [*people, *said]), "")


def _message(run: Mapping[str, Any]) -> str:
    """The commit's first line, else the name that the run was given, else why it started."""
    sets = [mapping(run.get("changeSet")), *mappings(run.get("changeSets"))]
    commits = [text(item.get("msg")) for one in sets for item in mappings(one.get("items"))]
    name = text(run.get("displayName"))
    given = "" if name == f"#{run.get('number')}" else name
    said = [text(cause.get("shortDescription")) for cause in _causes(run)]
    first = next(filter(None, [*commits, given, *said]), "")
    return first.strip().partition("\n")[0]


def parse_stages(stages: object) -> list[Step]:
    """Stages of either stage API; their words and time fields differ, their shape does not."""
    steps = []
    for stage in mappings(stages):
        raw = text(stage.get("status")) or text(stage.get("state"))
        state = STAGE_STATES.get(raw, State.UNKNOWN)
        started = epoch_ms(stage.get("startTimeMillis"))
        lasted = integer(stage.get("durationMillis"))
        if lasted is None:
            lasted = integer(stage.get("totalDurationMillis"))
        over = state not in (State.RUNNING, State.WAITING, State.QUEUED, State.UNKNOWN)
        ended = None
        if started and over and lasted is not None:
            ended = started + timedelta(milliseconds=max(lasted, 0))
        steps.append(
            Step(
                id=as_text(stage.get("id")),
                name=text(stage.get("name")) or text(stage.get("title")),
                state=state,
                raw_state=raw,
                started_at=started,
                finished_at=ended,
            )
        )
    return steps
