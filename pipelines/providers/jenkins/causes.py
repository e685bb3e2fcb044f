"""Why a Jenkins run began, who began it, and why it ended as it did.

Jenkins tells both by objects whose classes belong to core and to dozens of plugins. Only the last
part of a class's name is looked at: packages moved over the years, the names stayed.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pipelines.providers.base import Cause
from pipelines.providers.wire import integer, mappings, short, text

CAUSES = MappingProxyType(
    {
        "UserIdCause": Cause.MANUAL,
        "UserCause": Cause.MANUAL,
        "ReplayCause": Cause.MANUAL,
        "RebuildCause": Cause.MANUAL,
        "RestartDeclarativePipelineCause": Cause.MANUAL,
        "CLICause": Cause.API,
        "RemoteCause": Cause.API,
        "GenericCause": Cause.API,  # generic-webhook-trigger
        "SCMTriggerCause": Cause.PUSH,
        "BranchEventCause": Cause.PUSH,
        "BranchIndexingCause": Cause.PUSH,
        "GitHubPushCause": Cause.PUSH,
        "BitBucketPushCause": Cause.PUSH,
        "GitLabWebHookCause": Cause.PUSH,
        "GerritCause": Cause.PULL_REQUEST,
        "GhprbCause": Cause.PULL_REQUEST,
        "TimerTriggerCause": Cause.SCHEDULE,
        "ParameterizedTimerTriggerCause": Cause.SCHEDULE,
        "UpstreamCause": Cause.UPSTREAM,
        "BuildUpstreamCause": Cause.UPSTREAM,
    }
)
# Causes of a run that copied another run's parameters, its request id included.
COPYING = ("ReplayCause", "RebuildCause", "RestartDeclarativePipelineCause")

# What interrupted a run, and whether Jenkins' own text adds who or what it was.
INTERRUPTIONS = MappingProxyType(
    {
        "UserInterruption": ("Stopped by hand", True),
        "Rejection": ("Turned down at an input step", True),
        "CancelledCause": ("A newer build took its place", True),
        "CanceledCause": ("A newer build took its place", True),
        "DownstreamFailureCause": ("A build that it had started failed", True),
        "FailFastCause": ("Another of its parallel branches failed", False),
        "ExceededTimeout": ("Timed out", False),
    }
)
_CHANGE = re.compile(r"(PR|MR|CHANGE)-\d+.*")  # how branch sources name the job of a pull request


def started_by(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The causes of a run or queue item, without those that ended it."""
    return [
        cause
        for action in mappings(run.get("actions"))
        if kind_of(action) != "InterruptedBuildAction"
        for cause in mappings(action.get("causes"))
    ]


def kind_of(thing: Mapping[str, Any]) -> str:
    """The class of an object without its package and outer class."""
    return re.split(r"[.$]", text(thing.get("_class")))[-1]


def copied(run: Mapping[str, Any]) -> bool:
    """Whether it was made by running another one again in Jenkins."""
    return any(kind_of(cause) in COPYING for cause in started_by(run))


def who(run: Mapping[str, Any]) -> str:
    """The person's name, else Jenkins' own words for a cause that no table of ours has."""
    causes = started_by(run)
    people = [text(cause.get("userName")) or text(cause.get("userId")) for cause in causes]
    unknown = (cause for cause in causes if kind_of(cause) not in CAUSES)
    said = [text(cause.get("shortDescription")) for cause in unknown]
    return next(filter(None, [*people, *said]), "")


def who_id(run: Mapping[str, Any]) -> str:
    """Jenkins' id of the account that began it, empty when it was nobody."""
    return next(filter(None, (text(cause.get("userId")) for cause in started_by(run))), "")


def cause_of(run: Mapping[str, Any], item: str, *, ours: bool) -> Cause:
    """`item` is the branch job's name; `ours` says that the run carries a request id of its own:
    Jenkins calls what its API starts "Started by user", as if by hand."""
    if ours:
        return Cause.API
    known = [CAUSES[kind_of(cause)] for cause in started_by(run) if kind_of(cause) in CAUSES]
    found = known[0] if known else Cause.NONE
    return Cause.PULL_REQUEST if found is Cause.PUSH and _CHANGE.fullmatch(item) else found


def reason_of(run: Mapping[str, Any], raw: str) -> str:
    """A sentence on what the state alone does not say, empty when there is none."""
    if raw in ("ABORTED", "NOT_BUILT", "FAILURE"):
        for action in mappings(run.get("actions")):
            if kind_of(action) == "InterruptedBuildAction":
                for cause in mappings(action.get("causes")):
                    return _interruption(cause)
    if raw in ("UNSTABLE", "FAILURE"):
        return _tests(run) or ("Unstable: often failed tests." if raw == "UNSTABLE" else "")
    if not raw:
        return "Jenkins gives no result; it may have stopped in the middle of the build."
    return ""


def _interruption(cause: Mapping[str, Any]) -> str:
    said = short(cause.get("shortDescription"))
    ours, tells_more = INTERRUPTIONS.get(kind_of(cause), ("Interrupted", True))
    return f"{ours}: {said}" if said and tells_more else f"{ours}."


def _tests(run: Mapping[str, Any]) -> str:
    for action in mappings(run.get("actions")):
        failed, total = integer(action.get("failCount")), integer(action.get("totalCount"))
        if failed and failed > 0:
            return (
                f"{failed:,} of {total:,} tests failed." if total else f"{failed:,} tests failed."
            )
    return ""


def queue_reason(item: Mapping[str, Any]) -> str:
    """Why a queue item waits, in Jenkins' words."""
    where = "Stuck in Jenkins' queue" if item.get("stuck") is True else "In Jenkins' queue"
    why = short(item.get("why"))
    return f"{where}: {why}" if why else f"{where}."
