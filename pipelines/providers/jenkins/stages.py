"""The stages of a run, from whichever plugin tells them.

Jenkins itself knows no stages. Two plugins do: pipeline-rest-api (Stage View), and its successor
pipeline-graph-view, whose address changed twice. Freestyle jobs have none.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pipelines.providers.base import FINAL, State, Step
from pipelines.providers.errors import NotFound
from pipelines.providers.jenkins.parse import as_text, later
from pipelines.providers.jenkins.wire import JenkinsWire
from pipelines.providers.wire import epoch_ms, integer, mapping, mappings, text

# Where to ask below a run, and which field of the answer holds the stages.
APIS = (
    ("/wfapi/describe", ""),
    ("/stages/tree", "data"),
    ("/pipeline-overview/tree", "data"),
    ("/pipeline-graph/tree", "data"),
)
# Words of pipeline-rest-api (upper case) and pipeline-graph-view (lower case).
STATES = MappingProxyType(
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
MAX_DEPTH = 20


class StageReader:
    """Asks the API first that answered last; the rest only when it is gone."""

    def __init__(self, wire: JenkinsWire) -> None:
        self._wire = wire
        self._apis: tuple[tuple[str, str], ...] = APIS

    def read(self, run_path: str) -> list[Step]:
        """In the order in which they run; none where no plugin tells them."""
        for api in self._apis:
            path, holder = api
            try:
                answer = mapping(self._wire.get_json(run_path + path))
            except NotFound:
                continue
            self._apis = (api, *(other for other in APIS if other != api))
            return parse_stages((mapping(answer.get(holder)) if holder else answer).get("stages"))
        return []


def parse_stages(stages: object) -> list[Step]:
    """Stages of either API; their words and time fields differ, their shape does not."""
    return [_step(stage) for stage in _flat(stages, MAX_DEPTH)]


def _flat(stages: object, depth: int) -> Iterator[Mapping[str, Any]]:
    """Each stage, then what runs inside it (Graph View nests parallel branches)."""
    for stage in mappings(stages):
        yield stage
        if depth:
            yield from _flat(stage.get("children"), depth - 1)


def _step(stage: Mapping[str, Any]) -> Step:
    raw = text(stage.get("status")) or text(stage.get("state"))
    state = STATES.get(raw, State.UNKNOWN)
    started = epoch_ms(stage.get("startTimeMillis"))
    lasted = integer(stage.get("durationMillis"))
    if lasted is None:
        lasted = integer(stage.get("totalDurationMillis"))
    ended = None
    if started and state in FINAL and lasted is not None:
        ended = later(started, lasted)
    return Step(
        id=as_text(stage.get("id")),
        name=text(stage.get("name")) or text(stage.get("title")),
        state=state,
        raw_state=raw,
        started_at=started,
        finished_at=ended,
    )
