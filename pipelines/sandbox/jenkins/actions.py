"""Jenkins' actions: what core and plugins attach to runs, queue items and jobs.

Causes, parameters, what was checked out, tests, open input steps, and what interrupted a run.
"""

from collections.abc import Mapping
from typing import Any

from .. import script
from ..objects import Build, Parameter, Pipeline, QueueItem
from ..script import Run
from .log import cause_text
from .tree import Exported

_PARAMETER_TYPES = {
    "string": "StringParameter",
    "text": "TextParameter",
    "choice": "ChoiceParameter",
    "boolean": "BooleanParameter",
    "password": "PasswordParameter",
}
_INPUT = "org.jenkinsci.plugins.workflow.support.steps.input"
# By the beginning of the text that an interruption tells.
_INTERRUPTIONS = {
    "Timeout": "org.jenkinsci.plugins.workflow.steps.TimeoutStepExecution$ExceededTimeout",
    "Rejected": f"{_INPUT}.Rejection",
    "Superseded": "org.jenkinsci.plugins.workflow.job.properties."
    "DisableConcurrentBuildsJobProperty$CancelledCause",
}
_ABORTED = "jenkins.model.CauseOfInterruption$UserInterruption"


def run_actions(build: Build, now: float) -> list[Exported | dict[str, Any]]:
    """With the empty objects that stand for actions without exported members."""
    seen = build.at(now)
    actions: list[Exported | dict[str, Any]] = [
        Exported("hudson.model.CauseAction", {"causes": _causes(build)})
    ]
    if build.parameters:
        actions.append(_parameters(build.pipeline, build.parameters))
    actions.append({})
    if build.pipeline.repository:
        actions += _git(build)
    actions += _tests(seen.current())
    waiting = [run for run in seen.runs if run.state == script.WAITING]
    if waiting:
        fields = {"waitingForInput": True, "executions": [_execution(run) for run in waiting]}
        actions.append(Exported(f"{_INPUT}.InputAction", fields))
    if build.course.cancelled_at is not None and seen.final:
        actions.append(_interrupted(build))
    return [*actions, {}]


def queue_actions(item: QueueItem) -> list[Exported]:
    found = [_parameters(item.pipeline, item.ask.parameters)] if item.ask.parameters else []
    who = item.ask.who
    if who is not None:
        cause = _user_cause(who.login, who.name)
        found.append(Exported("hudson.model.CauseAction", {"causes": [cause]}))
    return found


def primary_branch(job: Pipeline) -> list[Exported]:
    """The mark of the branch that the branch source calls the repository's own."""
    if not job.branch or job.branch != job.default_branch:
        return []
    return [Exported("jenkins.scm.api.metadata.PrimaryInstanceMetadataAction", {})]


# --- parameters --------------------------------------------------------------------------------
def definition(parameter: Parameter) -> Exported:
    """What a job or an input step declares."""
    kind = _PARAMETER_TYPES[parameter.type]
    fields: dict[str, Any] = {
        "name": parameter.name,
        "type": f"{kind}Definition",
        "description": parameter.description,
        "defaultParameterValue": parameter_value(parameter, parameter.default),
    }
    if parameter.type == "choice":
        fields["choices"] = list(parameter.choices)
    return Exported(f"hudson.model.{kind}Definition", fields)


def parameter_value(parameter: Parameter, value: str) -> Exported:
    kind = _PARAMETER_TYPES[parameter.type].replace("Choice", "String")
    fields: dict[str, Any] = {"name": parameter.name}
    if parameter.type == "boolean":
        fields["value"] = value.lower() in {"true", "on", "1"}
    elif parameter.type != "password":
        fields["value"] = value
    return Exported(f"hudson.model.{kind}Value", fields)


def _parameters(pipeline: Pipeline, values: Mapping[str, str]) -> Exported:
    declared = {p.name: p for p in pipeline.parameters}
    shown = [
        parameter_value(declared.get(name, Parameter(name)), value)
        for name, value in values.items()
    ]
    return Exported("hudson.model.ParametersAction", {"parameters": shown})


# --- input steps -------------------------------------------------------------------------------
def input_id(index: int) -> str:
    """The input step's id; its first letter is capital, as the step makes it."""
    return f"Gate{index}"


def inputs_of(run: Run) -> list[Parameter]:
    """What an input step asks for."""
    return [
        Parameter(**(dict(asked) | {"choices": tuple(asked.get("choices", ()))}))
        for asked in run.step.inputs
    ]


def _execution(run: Run) -> Exported:
    asked = {
        "message": run.step.name,
        "ok": "Proceed",
        "submitter": None,
        "parameters": [definition(parameter) for parameter in inputs_of(run)],
    }
    fields = {
        "id": input_id(run.index),
        "displayName": run.step.name,
        "settled": False,
        "input": Exported(f"{_INPUT}.InputStep", asked),
    }
    return Exported(f"{_INPUT}.InputStepExecution", fields)


# --- why it runs, what it found, why it ended ----------------------------------------------------
def _user_cause(login: str, name: str) -> Exported:
    fields = {"shortDescription": f"Started by user {name}", "userId": login, "userName": name}
    return Exported("hudson.model.Cause$UserIdCause", fields)


def _causes(build: Build) -> list[Exported]:
    said = {"shortDescription": cause_text(build)}
    match build.source:
        case "schedule":
            return [Exported("hudson.triggers.TimerTrigger$TimerTriggerCause", said)]
        case "upstream":
            upstream = {"upstreamProject": "team/first", "upstreamBuild": 1}
            return [Exported("hudson.model.Cause$UpstreamCause", said | upstream)]
        case "remote":
            told = {"addr": "192.0.2.7", "note": None}
            return [Exported("hudson.model.Cause$RemoteCause", said | told)]
    if build.source == "scm" or build.who is None:
        branch = bool(build.pipeline.branch)
        cls = (
            "jenkins.branch.BranchEventCause"
            if branch
            else "hudson.triggers.SCMTrigger$SCMTriggerCause"
        )
        return [Exported(cls, said)]
    person = _user_cause(build.who.login, build.who.name)
    if build.rebuilt_from is None:
        return [person]
    replayed = {"shortDescription": f"Replayed #{build.rebuilt_from}"}
    return [person, Exported("org.jenkinsci.plugins.workflow.cps.replay.ReplayCause", replayed)]


def _git(build: Build) -> list[Exported]:
    """BuildData, twice as in the wild: a shared library's stands before the service's own."""
    own = _build_data(
        build.commit, f"refs/remotes/origin/{build.branch}", build.pipeline.repository
    )
    library_url = build.pipeline.repository.rsplit("/", 1)[0] + "/jenkins-library.git"
    library = _build_data("4b825dc642cb6eb9a060e54bf8d69288fbee4904", "main", library_url)
    return [library, own] if build.pipeline.kind != "freestyle" else [own]


def _build_data(commit: str, branch: str, url: str) -> Exported:
    revision = {"SHA1": commit, "branch": [{"SHA1": commit, "name": branch}]}
    fields = {"lastBuiltRevision": revision, "remoteUrls": [url], "scmName": ""}
    return Exported("hudson.plugins.git.util.BuildData", fields)


def _tests(runs: tuple[Run, ...]) -> list[Exported]:
    """The junit plugin's sum over all steps that have reported."""
    reported = [run.step.tests for run in runs if run.step.tests and run.finished_at is not None]
    if not reported:
        return []
    total, failed, skipped = (sum(column) for column in zip(*reported, strict=True))
    fields = {
        "totalCount": total,
        "failCount": failed,
        "skipCount": skipped,
        "urlName": "testReport",
    }
    return [Exported("hudson.tasks.junit.TestResultAction", fields)]


def _interrupted(build: Build) -> Exported:
    said = build.cancel_reason or "Aborted"
    cls = _INTERRUPTIONS.get(said.partition(" ")[0], _ABORTED)
    cause = Exported(cls, {"shortDescription": said})
    return Exported("jenkins.model.InterruptedBuildAction", {"causes": [cause]})
