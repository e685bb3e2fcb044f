"""Jenkins' JSON of runs; every field may be missing or of another type.

Which fields there are: Jenkins' remote API (`@Exported` members of hudson.model.Run and its
actions) and the plugins git, junit and pipeline-input-step.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pipelines.providers.base import RemoteBuild, State
from pipelines.providers.errors import InvalidResponse
from pipelines.providers.jenkins import causes
from pipelines.providers.jenkins.names import BuildRef, QueueRef, branch_of, job_path
from pipelines.providers.jenkins.parse import later, parameter_values, short_branch
from pipelines.providers.labels import REQUEST_ID
from pipelines.providers.wire import epoch_ms, first_line, integer, mapping, mappings, text

BUILD = (
    "number,queueId,displayName,building,inProgress,result,timestamp,duration,"
    "actions[causes[shortDescription,userId,userName],parameters[name,value],"
    "lastBuiltRevision[SHA1,branch[SHA1,name]],remoteUrls,waitingForInput,executions[id,settled],"
    "totalCount,failCount],"
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
# Repositories that are not what a job builds.
_LIBRARY = re.compile(r"librar(y|ies)|(shared|jenkins|pipeline)[-_]?libs?\b")


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
        finished = later(started, integer(run.get("duration")) or 0)
    request_id = "" if causes.copied(run) else values.get(REQUEST_ID, "")
    return RemoteBuild(
        pipeline=pipeline,
        external_id=str(BuildRef(number, item)),
        state=STATES.get(raw, State.UNKNOWN),
        raw_state=raw,
        number=number,
        message=_message(run),
        branch=branch,
        commit=commit,
        who=causes.who(run),
        web_url=f"{base_url}{job_path(pipeline, item)}/{number}/",
        queued_at=started,
        started_at=started,
        finished_at=finished,
        request_id=request_id,
        who_id=causes.who_id(run),
        cause=causes.cause_of(run, item, ours=bool(request_id)),
        reason=causes.reason_of(run, raw),
    )


def parse_queue_item(item: Mapping[str, Any], pipeline: str, ref: QueueRef) -> RemoteBuild:
    """An answer to the tree QUEUE of an item that has not become a build."""
    cancelled = item.get("cancelled") is True
    request_id = parameter_values(item).get(REQUEST_ID, "")
    return RemoteBuild(
        pipeline=pipeline,
        external_id=str(ref),
        state=State.CANCELLED if cancelled else State.QUEUED,
        raw_state="CANCELLED_IN_QUEUE" if cancelled else "QUEUED",
        branch=branch_of(ref.item),
        who=causes.who(item),
        queued_at=epoch_ms(item.get("inQueueSince")),
        request_id=request_id,
        who_id=causes.who_id(item),
        cause=causes.cause_of(item, ref.item, ours=bool(request_id)),
        reason="Taken out of the queue." if cancelled else causes.queue_reason(item),
    )


def _raw_state(run: Mapping[str, Any]) -> str:
    # `result` may be set while a run still moves, so it counts only afterwards.
    # Whatever is not plainly false is a run that moves: nothing doubtful becomes green.
    if any(run.get(name) not in (None, False) for name in ("building", "inProgress")):
        waits = any(_waits(action) for action in mappings(run.get("actions")))
        return "PAUSED_PENDING_INPUT" if waits else "BUILDING"
    return text(run.get("result"))


def _waits(action: Mapping[str, Any]) -> bool:
    """Whether an InputAction waits; newer plugins say so, older ones only list what is open."""
    open_inputs = [
        one for one in mappings(action.get("executions")) if one.get("settled") is not True
    ]
    return action.get("waitingForInput") is True or bool(open_inputs)


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


def _message(run: Mapping[str, Any]) -> str:
    """The commit's first line, else the name that the run was given, else what started it.

    Where a person did, nothing: `who` says it, and for our own builds it is the token's user.
    """
    sets = [mapping(run.get("changeSet")), *mappings(run.get("changeSets"))]
    commits = [first_line(item.get("msg")) for one in sets for item in mappings(one.get("items"))]
    name = first_line(run.get("displayName"))
    given = "" if name == f"#{run.get('number')}" else name
    nobodys = [cause for cause in causes.started_by(run) if not text(cause.get("userId"))]
    said = [first_line(cause.get("shortDescription")) for cause in nobodys]
    return next(filter(None, [*commits, given, *said]), "")
