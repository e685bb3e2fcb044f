"""Jenkins' JSON of runs and their stages; every field may be missing or of another type.

Which fields there are: Jenkins' remote API (`@Exported` members of hudson.model.Run and its
actions) and the plugins git, pipeline-input-step, pipeline-rest-api and pipeline-graph-view.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from pipelines.providers.base import RemoteBuild, State, Step
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.jenkins.names import BuildRef, branch_of, job_path
from pipelines.providers.jenkins.parse import as_text, parameter_values, short_branch
from pipelines.providers.labels import REQUEST_ID
from pipelines.providers.wire import epoch_ms, integer, mapping, mappings, text

BUILD = (
    "number,queueId,displayName,building,inProgress,result,timestamp,duration,"
    "actions[causes[shortDescription,userId,userName],parameters[name,value],"
    "lastBuiltRevision[SHA1,branch[SHA1,name]],remoteUrls,executions[id]],"
    "changeSet[items[msg]{0,1}],changeSets[items[msg]{0,1}]"
)

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
# Repositories that are not what a job builds.
_LIBRARY = re.compile(r"librar(y|ies)|(shared|jenkins|pipeline)[-_]?libs?\b")
# Causes of a run that copied another run's parameters, its request id included.
COPYING_CAUSES = ("ReplayCause", "RebuildCause", "RestartDeclarativePipelineCause")


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
    branch, commit = _revision(run, pipeline, short_branch(expected))
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


def _raw_state(run: Mapping[str, Any]) -> str:
    # `result` may be set while a run still moves, so it counts only afterwards.
    if run.get("building") is True or run.get("inProgress") is True:
        paused = any(action.get("executions") for action in mappings(run.get("actions")))
        return "PAUSED_PENDING_INPUT" if paused else "BUILDING"
    return text(run.get("result"))


def _revision(run: Mapping[str, Any], pipeline: str, asked: str) -> tuple[str, str]:
    """Branch and commit from the git plugin's BuildData. There may be several, for shared libraries
    leave their own; where they can't be told apart, no commit is better than a wrong one."""
    found = {checkout for action in mappings(run.get("actions")) for checkout in _checkouts(action)}
    for likely in (
        lambda checkout: not _LIBRARY.search(checkout.repository),
        lambda checkout: checkout.branch == asked,
        lambda checkout: checkout.repository and checkout.repository in pipeline.lower(),
    ):
        if len(found) > 1:
            found = set(filter(likely, found)) or found
    if len(found) != 1:
        return asked, ""
    checkout = found.pop()
    return asked or checkout.branch, checkout.commit


@dataclass(frozen=True)
class _Checkout:
    branch: str
    commit: str
    repository: str  # the last part of its URL


def _checkouts(action: Mapping[str, Any]) -> list[_Checkout]:
    revision = mapping(action.get("lastBuiltRevision"))
    remotes = action.get("remoteUrls")
    remote = text(remotes[0]) if isinstance(remotes, list) and remotes else ""
    repository = remote.lower().rstrip("/").removesuffix(".git").rpartition("/")[2]
    return [
        _Checkout(
            branch=short_branch(text(branch.get("name"))),
            commit=text(branch.get("SHA1")) or text(revision.get("SHA1")),
            repository=repository,
        )
        for branch in mappings(revision.get("branch"))[:1]
    ]


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
    """The commit's first line, else the name that the run was given, else what started it.

    Where a person did, nothing: `who` says it, and for our own builds it is the token's user.
    """
    sets = [mapping(run.get("changeSet")), *mappings(run.get("changeSets"))]
    commits = [text(item.get("msg")) for one in sets for item in mappings(one.get("items"))]
    name = text(run.get("displayName"))
    given = "" if name == f"#{run.get('number')}" else name
    causes = [cause for cause in _causes(run) if not text(cause.get("userId"))]
    said = [text(cause.get("shortDescription")) for cause in causes]
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
